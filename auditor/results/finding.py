"""A judged statement about the model, with everything it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final
from xml.etree.ElementTree import Element

from auditor.errors import Location
from auditor.notebook import block, facts, table
from auditor.results.base import ResultModel, Verdict, digest_of
from auditor.results.estimate import Estimate
from auditor.spec.rule import Severity


class Finding(ResultModel):
    """One check that was made, passed or not."""

    id: str
    """`<audit id>/<CODE>:<subject>~<subject>`, subjects sorted: stable from run to run."""
    audit: str
    """Id of the audit in the spec."""
    code: str
    """What kind of statement it is; `auditor explain CODE` describes it."""
    verdict: Verdict
    """What the check found."""
    severity: Severity
    """How much a `fail` weighs."""
    claim: str
    """The statement in one sentence that needs no statistics to be understood."""
    subjects: tuple[str, ...]
    """What the statement is about: attributes, classes, features."""
    estimates: dict[str, Estimate]
    """The numbers behind it, by metric name; policy limits refer to these names."""
    p_adjusted: Estimate | None = None
    """p-value after correction for multiple testing, where the check has one."""
    actions: tuple[str, ...] = ()
    """What to do about it, most useful first."""
    evidence: tuple[str, ...] = ()
    """Files of the run directory that show it, relative to it."""
    location: Location | None = None
    """Spec file, line and column of the rule that it answers to."""
    evidence_digest: str
    """SHA-256 of what the verdict rests on; a review decision is bound to it."""

    def _repr_html_(self) -> str:
        numbers = {name: str(estimate) for name, estimate in self.estimates.items()}
        if self.p_adjusted is not None:
            numbers["p_adjusted"] = str(self.p_adjusted)
        judged = {"verdict": self.verdict, "severity": self.severity, "claim": self.claim}
        return block(self.id, facts({**judged, **numbers, "what to do": " ".join(self.actions)}))


def make_finding(
    *,
    audit: str,
    code: str,
    verdict: Verdict,
    severity: Severity,
    claim: str,
    subjects: Sequence[str],
    estimates: Mapping[str, Estimate],
    p_adjusted: Estimate | None = None,
    actions: Sequence[str] = (),
    evidence: Sequence[str] = (),
    location: Location | None = None,
) -> Finding:
    """Build a finding with its id and evidence digest.

    The digest covers code, verdict, subjects and numbers, and neither wording nor place in the
    spec: a reworded sentence or a moved line reopens nobody's review.
    """
    ordered = tuple(sorted(subjects))
    evidence_digest = digest_of(
        {
            "audit": audit,
            "code": code,
            "verdict": verdict,
            "subjects": ordered,
            "estimates": {name: value.model_dump() for name, value in estimates.items()},
            "p_adjusted": p_adjusted.model_dump() if p_adjusted else None,
        }
    )
    return Finding(
        id=f"{audit}/{code}:{'~'.join(ordered)}",
        audit=audit,
        code=code,
        verdict=verdict,
        severity=severity,
        claim=claim,
        subjects=ordered,
        estimates=dict(estimates),
        p_adjusted=p_adjusted,
        actions=tuple(actions),
        evidence=tuple(evidence),
        location=location,
        evidence_digest=evidence_digest,
    )


def findings_digest(findings: Sequence[Finding]) -> str:
    """SHA-256 of which findings there are and of the evidence of each, in any order.

    A sign-off is bound to it, and every rendering states it: two documents with the same digest
    speak of the same findings.
    """
    return digest_of(sorted([finding.id, finding.evidence_digest] for finding in findings))


WORST_FIRST: tuple[Verdict, ...] = ("fail", "warn", "inconclusive", "pass")
"""Verdicts in the order in which a reader wants to meet them."""


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """The findings by verdict, in their own order inside each."""
    return sorted(findings, key=lambda finding: WORST_FIRST.index(finding.verdict))


@final
class Checks(tuple[Finding, ...]):
    """The findings of a run: a tuple that a notebook shows as a table, the worst first."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        count = "1 finding" if len(self) == 1 else f"{len(self)} findings"
        return block(count, findings_table("The worst come first", worst_first(self)))


def findings_table(caption: str, findings: Sequence[Finding]) -> Element:
    """Findings as a table for a notebook."""
    return table(
        caption,
        ("verdict", "severity", "claim", "numbers", "id"),
        [
            (
                finding.verdict,
                finding.severity,
                finding.claim,
                ", ".join(f"{name} {number}" for name, number in finding.estimates.items()),
                finding.id,
            )
            for finding in findings
        ],
        rest="`run.findings_table()` holds all",
    )


class Findings(ResultModel):
    """The content of `findings.json`."""

    schema_version: int = 1
    """Version of this file's layout."""
    findings: tuple[Finding, ...]
    """Every check made, the passed ones included, in the order of the spec's audits."""
