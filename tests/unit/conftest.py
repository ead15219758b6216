"""A small finished run, made of real parts, for whoever reads, judges or shows one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from auditor.audits.relationships.result import RelationshipsResult
from auditor.compose.composed import Composed
from auditor.compose.load import load_spec
from auditor.judge.policy import judge
from auditor.judge.review import load_reviews
from auditor.plan.make import make_plan
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, make_finding
from auditor.results.outcome import Outcome
from auditor.results.run_record import AuditRecord, Host, Interval, Provenance, RunRecord
from auditor.store.writer import RunWriter, open_run, reopen_run

SPEC = """\
version: 1
name: tiny
title: Tiny audit
dataset: {source: portraits, splits: {train: {count: 64}, test: {count: 32, start: 1000}}}
model: {source: builtin, name: portraits_net, num_outputs: 3}
attributes:
  smiling: {output: 0, column: smiling}
  lipstick: {output: 1, column: lipstick}
  hat: {output: 2, column: hat}
rules:
  mouth: {between: [lipstick, smiling], expect: unrelated, why: Make-up is no expression.}
  head: {between: [hat, smiling], expect: unrelated}
audits:
  relationships: {kind: relationships, layer: features.0}
review: reviews/tiny.yaml
"""


@pytest.fixture
def composed(here: Path) -> Composed:
    """A composed spec named `tiny`."""
    (here / "audit.yaml").write_text(SPEC)
    return load_spec("audit.yaml", ["engine.device=cpu"])


@pytest.fixture
def findings() -> tuple[Finding, ...]:
    """One broken rule and one that holds."""
    return (
        finding("fail", ("lipstick", "smiling"), value=0.6),
        finding("pass", ("hat", "smiling"), value=0.01),
    )


@pytest.fixture
def outcome(findings: tuple[Finding, ...]) -> Outcome:
    """What an audit hands to the store, with a table, arrays and an image."""
    return Outcome(
        result=result(),
        findings=findings,
        tables={"cosines": {"sample": ["a", "b"], "cosine": [0.5, None]}},
        arrays={"matrix": {"mean": np.eye(3), "count": np.arange(3)}},
        images={"0001.jpg": b"\xff\xd8 not really"},
    )


@pytest.fixture
def make_run(composed: Composed, outcome: Outcome) -> Callable[..., Path]:
    """Write a run up to the manifest; `sealed=False` stops before it."""

    def make(*, out: Path = Path("reports"), sealed: bool = True, fresh: bool = True) -> Path:
        with open_run(composed, out=out, fresh=fresh) as writer:
            fill(writer, composed, outcome)
        if sealed:
            with reopen_run(writer.paths.root) as again:
                again.seal()
        return writer.paths.root

    return make


def fill(writer: RunWriter, composed: Composed, outcome: Outcome) -> None:
    """What the engine does with a writer."""
    writer.start(record(writer.run_id, composed), composed, make_plan(composed))
    writer.write_outcome("relationships", outcome)
    writer.write_findings(outcome.findings)
    reviews, content = load_reviews(composed.spec.review, on=date(2026, 3, 1))
    writer.write_review(content)
    audits = (
        AuditRecord(
            id="relationships",
            kind="relationships",
            title="Attribute relationships",
            status="ok",
            verdict="fail",
        ),
    )
    judgement = judge(
        composed.spec, audits, outcome.findings, num_rules=2, num_decided=2, reviews=reviews
    )
    started = record(writer.run_id, composed)
    writer.write_record(
        started.model_copy(
            update={
                "status": "ok",
                "audits": audits,
                "verdict": judgement.verdict,
                "exit_code": judgement.exit_code,
                "policy": judgement.outcomes,
            }
        )
    )


def record(run_id: str, composed: Composed) -> RunRecord:
    return RunRecord(
        run_id=run_id,
        name=composed.spec.name,
        title=composed.spec.title,
        status="started",
        times=Interval(started="2026-03-01T12:00:00Z"),
        host=Host(platform="Linux", python="3.11", device="CPU", num_threads=1, packages={}),
        provenance=Provenance(
            spec_digest=composed.digest,
            plan_digest="0" * 64,
            auditor_version="0.1.0",
            command="auditor run audit.yaml",
            overrides=composed.overrides,
        ),
    )


def finding(verdict: str, subjects: tuple[str, ...], *, value: float) -> Finding:
    return make_finding(
        audit="relationships",
        code="BROKEN_RULE",
        verdict=verdict,
        severity="error",
        claim=f"{subjects[0]} and {subjects[1]} are tied to each other.",
        subjects=subjects,
        estimates={
            "cosine": Estimate(value=value, low=value - 0.05, high=value + 0.05, level=0.95)
        },
    )


def result() -> RelationshipsResult:
    return RelationshipsResult(
        layer="features.0",
        num_units=8,
        num_images=64,
        num_available=64,
        num_confirming=32,
        stopped="all_images",
        cut=0.2,
        zone=0.02,
        alpha=0.05,
        mask="none",
        mask_sizes={},
        attributes=(),
        relations=(),
        pairs=(),
        estimator_agreement=Estimate.absent("too few rules"),
        top_drops=(),
        num_rules=2,
        num_decided=2,
    )
