"""`run.json` while a run goes on: started, then ended or broken."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from auditor.catalog import AuditSpec
from auditor.compose.composed import Composed
from auditor.judge.policy import Judgement, audit_verdict
from auditor.results.base import Verdict
from auditor.results.finding import Finding
from auditor.results.outcome import Outcome
from auditor.results.run_record import AuditRecord, Host, Interval, Provenance, RunRecord

NOT_CHOSEN = "left out with --only"


def now() -> str:
    """The time as records write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def day_of(record: RunRecord) -> date:
    """The day on which a run began; review decisions expire by it."""
    return datetime.fromisoformat(record.times.started).date()


def started(
    composed: Composed,
    run_id: str,
    *,
    host: Host,
    provenance: Provenance,
    earlier: RunRecord | None,
) -> RunRecord:
    """The record of a run that begins, or goes on: it began when its first attempt did."""
    began = earlier.times.started if earlier is not None else now()
    return RunRecord(
        run_id=run_id,
        name=composed.spec.name,
        title=composed.spec.title or composed.spec.name,
        status="started",
        times=Interval(started=began),
        host=host,
        provenance=provenance,
        key=(earlier.key if earlier is not None else None) or secrets.token_hex(16),
    )


def broken(record: RunRecord, error: Exception) -> RunRecord:
    """The record of a run that ended in an error."""
    times = record.times.model_copy(update={"ended": now()})
    failure = f"{type(error).__name__}: {error}"
    return record.model_copy(update={"status": "failed", "times": times, "failure": failure})


def ended(record: RunRecord, audits: Sequence[AuditRecord], judgement: Judgement) -> RunRecord:
    """The record of a run that came to its end; it failed if one of its audits did."""
    failed = [audit.id for audit in audits if audit.status == "failed"]
    return record.model_copy(
        update={
            "status": "failed" if failed else "ok",
            "failure": f"failed audits: {', '.join(failed)}" if failed else None,
            "verdict": judgement.verdict,
            "exit_code": judgement.exit_code,
            "times": record.times.model_copy(update={"ended": now()}),
            "audits": tuple(audits),
            "policy": judgement.outcomes,
            "judged_on": day_of(record).isoformat(),
        }
    )


def audit_records(
    spec: AuditSpec, outcomes: Mapping[str, Outcome], failed: Mapping[str, str]
) -> tuple[AuditRecord, ...]:
    """How each audit ended, in the order of the spec."""
    return tuple(
        audit_record(audit, spec, outcomes.get(audit), failed.get(audit)) for audit in spec.audits
    )


def audit_record(
    audit: str, spec: AuditSpec, outcome: Outcome | None, failure: str | None
) -> AuditRecord:
    """How one audit ended."""
    kind, title = spec.audits[audit].kind, spec.audits[audit].title
    if failure is not None:
        return AuditRecord(id=audit, kind=kind, title=title, status="failed", reason=failure)
    if outcome is None:
        return AuditRecord(id=audit, kind=kind, title=title, status="skipped", reason=NOT_CHOSEN)
    return AuditRecord(
        id=audit,
        kind=kind,
        title=title,
        status="ok",
        verdict=audit_verdict(outcome.findings),
        num_findings=counted(outcome.findings),
    )


def counted(findings: Sequence[Finding]) -> dict[str, int]:
    """Number of findings by verdict."""
    verdicts: tuple[Verdict, ...] = ("pass", "warn", "fail", "inconclusive")
    counts = {each: sum(finding.verdict == each for finding in findings) for each in verdicts}
    return {verdict: count for verdict, count in counts.items() if count}
