"""Record and findings as one JSON document, for programs that read nothing else of a run."""

from __future__ import annotations

from auditor.report.exports.rows import Row, make_rows
from auditor.results.base import ResultModel
from auditor.results.comparison import State
from auditor.results.finding import Finding, findings_digest
from auditor.results.run_record import RunRecord
from auditor.store.documents import document_bytes
from auditor.store.reader import Run


class ReportedFinding(ResultModel):
    """A finding, and how it stands."""

    finding: Finding
    """The finding."""
    metric: str
    """Name of the estimate that decides it; empty where it has none."""
    breaks_policy: bool
    """Whether it breaks the severity gate of the policy."""
    standing: str
    """How it stands after review: `open`, `closed`, `expired`, `stale`."""
    decision: str | None
    """What somebody decided about it."""
    baseline: State | None
    """What became of it since the baseline; None where there is none."""


class ReportDocument(ResultModel):
    """The content of `report.json`."""

    schema_version: int = 1
    """Version of this file's layout."""
    findings_digest: str
    """SHA-256 over ids and evidence of all findings."""
    record: RunRecord
    """What was run, when, where, from which inputs, and how it ended."""
    findings: tuple[ReportedFinding, ...]
    """Every check made, the passed ones included."""


def document(run: Run) -> bytes:
    """The run as one JSON document; equal runs give equal bytes.

    Raises:
        ArtifactError: the review file of the run is damaged.
    """
    return document_bytes(
        ReportDocument(
            findings_digest=findings_digest(run.findings),
            record=run.record,
            findings=tuple(reported(row) for row in make_rows(run)),
        )
    )


def reported(row: Row) -> ReportedFinding:
    return ReportedFinding(
        finding=row.finding,
        metric=row.metric,
        breaks_policy=row.breaks,
        standing=row.standing,
        decision=row.decision.decision if row.decision else None,
        baseline=row.compared.state if row.compared else None,
    )
