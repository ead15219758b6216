"""SARIF 2.1.0 (OASIS): what needs somebody's attention, at the spec lines of the broken rules.

Checks that passed are left out: code scanning services show every result as an alert, whatever its
`kind` says. A fixed finding is left out as well, which is how such a service learns that it is
gone. What a person accepted stays in as a suppressed result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from auditor.catalog import CODES
from auditor.report.exports.places import BASES, Spot, spots_of
from auditor.report.exports.rows import Row, make_rows
from auditor.report.exports.text import one_line
from auditor.results.base import Verdict, digest_of
from auditor.results.code import Code
from auditor.results.comparison import State
from auditor.results.finding import findings_digest
from auditor.spec.rule import Severity
from auditor.store.reader import Run
from auditor.wording import sentence

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "note": "note"}

KINDS: dict[Verdict, str] = {"fail": "fail", "warn": "fail", "inconclusive": "open"}
"""SARIF 2.1.0, 3.27.9; `open`: looked at, and not enough is known to decide."""

BASELINE_STATES: dict[State, str] = {
    "new": "new",
    "worse": "updated",
    "better": "updated",
    "unchanged": "unchanged",
    "fixed": "unchanged",
    "not_comparable": "new",
}
"""SARIF 2.1.0, 3.27.24. What cannot be compared is not known from the baseline, hence new; a fixed
finding that is listed at all is one that no longer fails and still warns."""


def sarif(run: Run) -> bytes:
    """The findings of a run as a SARIF log, indented; equal runs give equal bytes.

    Raises:
        ArtifactError: the review file of the run is damaged.
    """
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [sarif_run(run)]}
    return f"{json.dumps(log, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def sarif_run(run: Run) -> dict[str, Any]:
    record, rows = run.record, make_rows(run)
    shown = [row for row in rows if row.finding.verdict in KINDS]
    codes = [*CODES, *unknown_codes(shown)]
    index = {code.code: number for number, code in enumerate(codes)}
    reviewed, times = any(is_suppressed(row) for row in shown), record.times
    spots = spots_of(run)
    return {
        "tool": {
            "driver": {
                "name": "auditor",
                "version": one_line(record.provenance.auditor_version),
                "rules": [rule(code) for code in codes],
            }
        },
        "automationDetails": {
            "id": one_line(f"auditor/{record.name}/{record.run_id}"),
            "guid": guid(record.run_id),
        },
        **({"baselineGuid": guid(run.comparison.before.run_id)} if run.comparison else {}),
        "invocations": [
            {
                "executionSuccessful": record.status == "ok",
                "commandLine": one_line(record.provenance.command),
                "startTimeUtc": utc(times.started),
                **({"endTimeUtc": utc(times.ended)} if times.ended else {}),
                **({"exitCode": record.exit_code} if record.exit_code is not None else {}),
            }
        ],
        "originalUriBaseIds": {
            name: {"description": {"text": text}} for name, text in BASES.items()
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            {
                **result(row, index[row.finding.code], spots[row.finding.id]),
                **({"baselineState": baseline_state(row)} if run.comparison else {}),
                **({"suppressions": suppressions(row)} if reviewed else {}),
            }
            for row in shown
        ],
        "properties": {
            "title": one_line(record.title),
            "verdict": record.verdict,
            "specDigest": record.provenance.spec_digest,
            "findingsDigest": findings_digest(run.findings),
            "numChecks": len(rows),
            "numPassed": sum(row.finding.verdict == "pass" for row in rows),
            "policy": [
                {
                    "name": one_line(outcome.name),
                    "target": one_line(outcome.target),
                    "value": one_line(outcome.value),
                    "verdict": outcome.verdict,
                }
                for outcome in record.policy
            ],
        },
    }


def unknown_codes(rows: list[Row]) -> list[Code]:
    """Codes of another version: named, and nothing claimed about what they mean."""
    names = dict.fromkeys(row.finding.code for row in rows if row.code is None)
    text = "This version of auditor does not know this code."
    return [
        Code(
            code=name, title=one_line(name) or "unnamed", meaning=text, test=text, action=text,
            source=text, check=name, metrics=(),
        )
        for name in names
    ]  # fmt: skip


def rule(code: Code) -> dict[str, Any]:
    """A code as a rule, with the texts of `auditor explain`."""
    parts = (
        ("What it means", code.meaning),
        ("How it is decided", code.test),
        ("What to do", code.action),
        ("Where it comes from", code.source),
    )
    return {
        "id": code.code,
        "name": "".join(word.capitalize() for word in code.code.split("_")),
        "shortDescription": {"text": message(code.title)},
        "fullDescription": {"text": message(code.meaning)},
        "help": {
            "text": "\n\n".join(f"{head}: {message(text)}" for head, text in parts),
            "markdown": "\n\n".join(f"**{head}.** {message(text)}" for head, text in parts),
        },
        "properties": {"tags": ["vision-model", "audit"]},
    }


def result(row: Row, index: int, spot: Spot) -> dict[str, Any]:
    """One finding, without what depends on whether there is a baseline or a review at all."""
    finding = row.finding
    actions = [sentence(message(action)) for action in finding.actions]
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "kind": KINDS[finding.verdict],
        "level": level(finding.verdict, finding.severity),
        "message": {"text": " ".join([sentence(message(finding.claim)), *actions])},
        "locations": [{"physicalLocation": physical(spot)}],
        # Code scanning follows an alert by its line, and one line of a spec can hold many rules.
        "partialFingerprints": {
            "primaryLocationLineHash": f"{digest_of(finding.id)[:16]}:1",
            "findingId/v1": one_line(finding.id),
            "evidenceDigest/v1": finding.evidence_digest,
        },
        "attachments": [
            {"artifactLocation": physical(Spot("RUN", file))["artifactLocation"]}
            for file in finding.evidence
        ],
        "properties": {
            "audit": finding.audit,
            "verdict": finding.verdict,
            "breaksPolicy": row.breaks,
            "subjects": [one_line(subject) for subject in finding.subjects],
            "decidedBy": row.metric,
            "estimates": {
                name: estimate.model_dump(mode="json", exclude_none=True)
                for name, estimate in finding.estimates.items()
            },
            **({"pAdjusted": finding.p_adjusted.value} if finding.p_adjusted else {}),
        },
    }


def level(verdict: Verdict, severity: Severity) -> str:
    """A warning is never shown as an error; what is undecided has no level (3.27.10)."""
    if verdict == "inconclusive":
        return "none"
    return "warning" if verdict == "warn" and severity == "error" else LEVELS[severity]


def physical(spot: Spot) -> dict[str, Any]:
    where: dict[str, Any] = {"artifactLocation": {"uri": spot.uri, "uriBaseId": spot.base}}
    if spot.line is not None:
        where["region"] = {"startLine": spot.line, "startColumn": spot.column}
    return where


def baseline_state(row: Row) -> str:
    return BASELINE_STATES[row.compared.state] if row.compared else "new"


def is_suppressed(row: Row) -> bool:
    """Whether somebody decided to close the finding, whatever became of the decision."""
    return row.decision is not None and row.decision.decision != "confirmed"


def suppressions(row: Row) -> list[Mapping[str, Any]]:
    """The review decision (3.27.23, 3.35); one that no longer holds is to be looked at again."""
    decision = row.decision
    if decision is None or not is_suppressed(row):
        return []
    dates = {"date": decision.date, "expires": decision.expires}
    return [
        {
            "kind": "external",
            "status": "accepted" if row.standing == "closed" else "underReview",
            "justification": one_line(
                f"{str(decision.decision).replace('_', ' ')}, {decision.reviewer}"
                + (f": {decision.comment}" if decision.comment else "")
            ),
            "properties": {
                "decision": decision.decision,
                "reviewer": one_line(decision.reviewer),
                "standing": row.standing,
                **{name: day.isoformat() for name, day in dates.items() if day is not None},
            },
        }
    ]


def message(text: str) -> str:
    """Plain text of a message, in which braces and brackets would be placeholders and links
    (SARIF 2.1.0, 3.11.5 and 3.11.6)."""
    line = one_line(text).replace("{", "{{").replace("}", "}}")
    return line.replace("[", "\\[").replace("]", "\\]")


def guid(run_id: str) -> str:
    """The same for the same run, as a baseline and as a run of its own."""
    return str(uuid5(NAMESPACE_OID, f"auditor:{run_id}"))


def utc(stamp: str) -> str:
    return stamp.replace("+00:00", "Z")
