"""JUnit XML: one suite for the policy and one per audit, one test per rule or check.

    failure   it breaks the policy: a target that was missed; a finding that failed, weighs enough,
              is open, and that the baseline did not have
    error     the policy could not be decided, or an audit broke
    skipped   everything between: undecided, a warning, too light for the policy, closed by
              review, known from the baseline, not run; the message says which
    passed    the check passed

So a build is red exactly where the exit code is not 0. The layout is that of Jenkins'
`junit-10.xsd` (xUnit plugin), which other readers share.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

from auditor.report.exports.rows import Row, make_rows
from auditor.report.exports.text import one_line
from auditor.results.finding import findings_digest
from auditor.results.run_record import AuditRecord, PolicyOutcome, RunRecord
from auditor.store.reader import Run
from auditor.wording import sentence

Outcome = Literal["failure", "error", "skipped", "passed"]

TALLIES: tuple[tuple[str, Outcome], ...] = (
    ("failures", "failure"),
    ("errors", "error"),
    ("skipped", "skipped"),
)


@dataclass(frozen=True)
class Case:
    """One test."""

    name: str
    outcome: Outcome
    kind: str
    message: str
    lines: tuple[str, ...] = ()


def junit(run: Run) -> bytes:
    """The run as JUnit XML; equal runs give equal bytes.

    Raises:
        ArtifactError: the review file of the run is damaged.
    """
    record, rows = run.record, make_rows(run)
    suites = [("policy", [policy_case(outcome) for outcome in record.policy])]
    for audit in record.audits:
        own = [row for row in rows if row.finding.audit == audit.id]
        suites.append((f"audits.{audit.id}", [*trouble(audit), *cases(own)]))
    root = ET.Element("testsuites", name=one_line(record.title or record.name))
    for name, tests in suites:
        root.append(suite(record, name, tests))
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(one.get(total, "0")) for one in root)))
    if seconds := duration(record):
        root.set("time", seconds)
    first = root.find("testsuite")
    if first is not None:
        first.insert(0, properties(run))
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def suite(record: RunRecord, name: str, tests: Sequence[Case]) -> ET.Element:
    """One suite with its tally."""
    full = f"{record.name}.{name}"
    element = ET.Element("testsuite", name=one_line(full), tests=str(len(tests)))
    for total, outcome in TALLIES:
        element.set(total, str(sum(test.outcome == outcome for test in tests)))
    element.set("timestamp", timestamp(record.times.started))
    for test in tests:
        case = ET.SubElement(
            element, "testcase", name=one_line(test.name), classname=one_line(full)
        )
        if test.outcome != "passed":
            what = ET.SubElement(
                case, test.outcome, type=one_line(test.kind), message=one_line(test.message)
            )
            what.text = "\n".join(one_line(line) for line in test.lines)
    return element


def policy_case(outcome: PolicyOutcome) -> Case:
    """One rule of the policy. A warning of the policy is met, and says so in its message."""
    found: dict[str, Outcome] = {
        "pass": "passed",
        "warn": "skipped",
        "fail": "failure",
        "inconclusive": "error",
    }
    words = {"warn": "met, with warnings", "fail": "not met", "inconclusive": "not decided"}
    return Case(
        name=outcome.name,
        outcome=found[outcome.verdict],
        kind=outcome.verdict,
        message=f"{words.get(outcome.verdict, 'met')}: {outcome.value}",
        lines=(f"target: {outcome.target}", f"value: {outcome.value}"),
    )


def trouble(audit: AuditRecord) -> Iterator[Case]:
    """An audit that did not run to its end, as a test of its own."""
    if audit.status == "ok":
        return
    message = f"the audit was {audit.status}" if audit.status == "skipped" else "the audit broke"
    yield Case(
        name="runs to its end",
        outcome="skipped" if audit.status == "skipped" else "error",
        kind=audit.status,
        message=message + (f": {audit.reason}" if audit.reason else ""),
    )


def cases(rows: Sequence[Row]) -> Iterator[Case]:
    """One test per finding."""
    for row in rows:
        finding = row.finding
        claim = sentence(finding.claim)
        outcome, why = judged(row)
        yield Case(
            name=finding.id.removeprefix(f"{finding.audit}/"),
            outcome=outcome,
            kind=f"{finding.code}.{finding.severity}",
            message=f"{why}: {claim}" if why else claim,
            lines=tuple(details(row)),
        )


def judged(row: Row) -> tuple[Outcome, str]:
    """What a finding is as a test, and why it is skipped where it is."""
    match row.finding.verdict:
        case "pass":
            return "passed", ""
        case "inconclusive":
            return "skipped", "could not be decided"
        case "fail" if row.breaks:
            return "failure", ""
    if row.standing == "closed" and row.decision is not None:
        return "skipped", f"closed by review as {str(row.decision.decision).replace('_', ' ')}"
    if row.finding.verdict == "warn":
        return "skipped", "warning"
    if row.compared is not None and row.compared.known:
        return "skipped", "the baseline had it too"
    return "skipped", f"failed, and the policy does not forbid a {row.finding.severity}"


def details(row: Row) -> Iterator[str]:
    """What a developer needs to act on a finding, a line each."""
    finding = row.finding
    yield sentence(finding.claim)
    for name, estimate in finding.estimates.items():
        yield f"{name}: {estimate}"
    if finding.p_adjusted is not None:
        yield f"adjusted p-value: {finding.p_adjusted}"
    for action in finding.actions:
        yield f"what to do: {sentence(action)}"
    if finding.location is not None:
        yield f"rule: {finding.location}"
    yield f"finding: {finding.id}"
    yield f"evidence digest: {finding.evidence_digest}"


def properties(run: Run) -> ET.Element:
    """What the tests rest on; readers show it beside the first suite."""
    record = run.record
    values = {
        "run": record.run_id,
        "verdict": record.verdict or "none",
        "spec digest": record.provenance.spec_digest,
        "findings digest": findings_digest(run.findings),
        "auditor": record.provenance.auditor_version,
    }
    element = ET.Element("properties")
    for name, value in values.items():
        ET.SubElement(element, "property", name=name, value=one_line(value))
    return element


def timestamp(stamp: str) -> str:
    """ISO 8601 in UTC without the offset, which the schema's readers do not expect."""
    return dt.datetime.fromisoformat(stamp).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def duration(record: RunRecord) -> str:
    """Seconds from the start of the run to its end."""
    if not record.times.ended:
        return ""
    began, ended = (
        dt.datetime.fromisoformat(stamp) for stamp in (record.times.started, record.times.ended)
    )
    return f"{(ended - began).total_seconds():.3f}"
