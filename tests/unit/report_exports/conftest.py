"""One small run with a finding of every sort: failed, borne, stale, light, open, passed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from auditor.errors import Location
from auditor.results.comparison import (
    ComparedFinding,
    ComparedSide,
    Comparison,
    RunSummary,
    State,
)
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, findings_digest, make_finding
from auditor.results.run_record import PolicyOutcome
from auditor.store.reader import Run, read_run
from tests.unit.report.conftest import TITLES, estimate, write_run

SOURCE = """version: 1
name: portraits
audits:
  relationships:
    kind: relationships
    layer: features.4
"""

RULE = Location(file="packaged:rules/portraits.yaml", line=7, column=1)
OWN_RULE = Location(file="specs/my rules.yaml", line=12, column=3)


def finding(code: str, verdict: str, *subjects: str, **changes: object) -> Finding:
    """One check of the audit `relationships`."""
    fields = {
        "audit": "relationships",
        "code": code,
        "verdict": verdict,
        "severity": "error",
        "claim": f"The model confuses {' and '.join(subjects)}",
        "subjects": subjects,
        "estimates": {"deviation": estimate(0.4, 0.05, 300)},
        "actions": ("Collect images in which the two come apart",) if verdict == "fail" else (),
        "evidence": ("audits/relationships/result.json",),
    }
    return make_finding(**{**fields, **changes})


def make_findings() -> tuple[Finding, ...]:
    cosine, drop = estimate(0.61, 0.02, 300), estimate(0.24, 0.05, 180, "newcombe")
    absent = Estimate.absent("the model did not learn winking", num_samples=12)
    number = Estimate(value=1.5e-9, method="Benjamini-Hochberg", num_samples=190)
    learnt = {"balanced_accuracy": estimate(0.58, 0.015, 2000, "wilson")}
    return (
        finding(
            "BROKEN_RULE", "fail", "smiling", "lipstick", p_adjusted=number, location=RULE,
            estimates={"cosine": cosine, "deviation": estimate(0.59, 0.02, 300)},
        ),
        finding(
            "FAILURE_MODE", "fail", "smiling", "lipstick", location=RULE,
            estimates={"drop": drop, "drop_of_other_combination": estimate(0.31, 0.04, 90)},
        ),
        finding("BROKEN_RULE", "fail", "glasses", "hat", location=OWN_RULE),
        finding("BROKEN_RULE", "fail", "beard", "hat", location=RULE),
        finding("BROKEN_RULE", "pass", "beard", "glasses", location=RULE),
        finding(
            "BROKEN_RULE", "inconclusive", "smiling", "winking", location=RULE,
            estimates={"deviation": absent}, evidence=(),
        ),
        finding("NOT_LEARNT", "warn", "winking", severity="warning", estimates=learnt),
        finding("NOT_LEARNT", "fail", "hat", severity="note", estimates=learnt),
    )  # fmt: skip


def make_review(findings: tuple[Finding, ...]) -> bytes:
    """One risk is borne, one decision rests on other evidence, one confirms."""
    borne, stale, confirmed = findings[1], findings[2], findings[0]
    return f"""version: 1
findings:
  {borne.id}:
    decision: accepted_risk
    evidence_digest: {borne.evidence_digest}
    reviewer: Jana Doe
    date: 2025-03-02
    expires: 2030-01-01
    comment: Only sorts the catalogue.
  {stale.id}:
    decision: false_alarm
    evidence_digest: {"a" * 64}
    reviewer: Jana Doe
    date: 2025-02-02
  {confirmed.id}:
    decision: confirmed
    evidence_digest: {confirmed.evidence_digest}
    reviewer: Jana Doe
    date: 2025-03-02
""".encode()


def summary_of(run_id: str, findings: tuple[Finding, ...]) -> RunSummary:
    return RunSummary(
        run_id=run_id,
        name="portraits",
        title="Portraits",
        date="2025-02-01T00:00:00Z",
        model="Portraits network",
        spec_digest="f" * 64,
        findings_digest=findings_digest(findings),
    )


def make_comparison(findings: tuple[Finding, ...]) -> Comparison:
    """The fourth finding was there before; the first is worse, the third new."""
    states: tuple[State, ...] = (
        "worse", "unchanged", "new", "unchanged", "fixed", "not_comparable", "better", "new",
    )  # fmt: skip
    return Comparison(
        before=summary_of("20250201T000000Z-ffffffff", ()),
        after=summary_of("20250301T140510Z-aaaaaaaa", findings),
        findings=tuple(
            ComparedFinding(
                audit=one.audit,
                check=one.code.lower(),
                code=one.code,
                subjects=one.subjects,
                claim=one.claim,
                state=state,
                after=ComparedSide(
                    id=one.id,
                    verdict=one.verdict,
                    severity=one.severity,
                    evidence_digest=one.evidence_digest,
                ),
            )
            for one, state in zip(findings, states, strict=True)
        ),
    )


@pytest.fixture(scope="session")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run without review and without baseline; its names do not depend on its spec's digest."""
    findings = make_findings()
    few = {name: TITLES[name] for name in ("smiling", "lipstick", "glasses", "hat", "beard")}
    folder = write_run(
        tmp_path_factory.mktemp("runs"), titles=few, findings=list(findings), num_examples=0
    )
    run = read_run(folder)
    gate = PolicyOutcome(
        name="fail_on",
        target="no open finding of severity error",
        value="3 open findings of severity error",
        verdict="fail",
    )
    decided = PolicyOutcome(
        name="min_decided",
        target="at least 80% of the rules come to a decision",
        value="171 of 190 rules (90%) came to a decision",
        verdict="pass",
    )
    provenance = run.record.provenance.model_copy(update={"spec_digest": "a" * 64})
    host = run.record.host.model_copy(
        update={"package_digests": {"torch": "9" * 64}, "packages": {"torch": "2.11.0+cpu"}}
    )
    record = run.record.model_copy(
        update={
            "run_id": "20250301T140510Z-aaaaaaaa",
            "provenance": provenance,
            "policy": (gate, decided),
            "host": host,
        }
    )
    return replace(run, record=record, source=SOURCE)


@pytest.fixture(scope="session")
def run(plain_run: Run) -> Run:
    """The run, reviewed and held against a baseline."""
    findings = tuple(plain_run.findings)
    return replace(plain_run, review=make_review(findings), comparison=make_comparison(findings))


@pytest.fixture(scope="session")
def run_saying(plain_run: Run) -> Callable[[str], Run]:
    """The run with a text in every place that a stranger could fill in."""

    def make(text: str) -> Run:
        old = plain_run.findings[0]
        said = old.model_copy(update={"claim": text, "actions": (text,), "subjects": (text,)})
        spec = plain_run.spec.model_copy(
            update={"title": text, "purpose": text, "owner": text, "out_of_scope": text}
        )
        policy = tuple(
            outcome.model_copy(update={"target": text, "value": text})
            for outcome in plain_run.record.policy
        )
        audits = tuple(
            audit.model_copy(update={"title": text}) for audit in plain_run.record.audits
        )
        provenance = plain_run.record.provenance.model_copy(update={"command": text})
        record = plain_run.record.model_copy(
            update={"title": text, "policy": policy, "audits": audits, "provenance": provenance}
        )
        return replace(
            plain_run, spec=spec, record=record, findings=(said, *plain_run.findings[1:])
        )

    return make
