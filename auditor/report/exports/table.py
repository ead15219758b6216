"""One row per finding: as CSV for spreadsheets, as Parquet for notebooks.

Both have the columns of `COLUMNS`: the number that decides a finding, how it stands after review,
what became of it since the baseline. All other numbers follow in the CSV as three columns per
metric (`drop`, `drop.low`, `drop.high`), in the Parquet file as the column `estimates`, a list.
"""

from __future__ import annotations

import csv
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from auditor.report.exports.rows import Row, make_rows
from auditor.report.exports.text import cell
from auditor.results.finding import findings_digest
from auditor.store.reader import Run
from auditor.store.tables import ESTIMATE

TEXTS = pa.list_(pa.string())

COLUMNS = pa.schema(
    [
        ("run", pa.string()),
        ("id", pa.string()),
        ("audit", pa.string()),
        ("code", pa.string()),
        ("title", pa.string()),
        ("verdict", pa.string()),
        ("severity", pa.string()),
        ("breaks_policy", pa.bool_()),
        ("claim", pa.string()),
        ("subjects", TEXTS),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("level", pa.float64()),
        ("method", pa.string()),
        ("num_samples", pa.int64()),
        ("reason", pa.string()),
        ("p_adjusted", pa.float64()),
        ("standing", pa.string()),
        ("decision", pa.string()),
        ("reviewer", pa.string()),
        ("reviewed", pa.date32()),
        ("expires", pa.date32()),
        ("comment", pa.string()),
        ("baseline", pa.string()),
        ("actions", TEXTS),
        ("evidence", TEXTS),
        ("spec_file", pa.string()),
        ("spec_line", pa.int64()),
        ("spec_column", pa.int64()),
        ("evidence_digest", pa.string()),
    ]
)

SEPARATOR = "; "
"""Between the entries of a list in one cell of a CSV file."""


def parquet(run: Run) -> bytes:
    """The findings as a Parquet file; digests and versions stand in its metadata.

    Raises:
        ArtifactError: the review file of the run is damaged.
    """
    provenance = run.record.provenance
    schema = COLUMNS.append(pa.field("estimates", pa.list_(ESTIMATE))).with_metadata(
        {
            "auditor.run": run.record.run_id,
            "auditor.version": provenance.auditor_version,
            "auditor.spec_digest": provenance.spec_digest,
            "auditor.findings_digest": findings_digest(run.findings),
        }
    )
    rows = [
        {
            **values(run, row),
            "estimates": [
                {"metric": name, **estimate.model_dump()}
                for name, estimate in row.finding.estimates.items()
            ],
        }
        for row in make_rows(run)
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def comma_separated(run: Run) -> bytes:
    """The findings as CSV (RFC 4180, UTF-8); no cell begins a formula.

    Raises:
        ArtifactError: the review file of the run is damaged.
    """
    rows = make_rows(run)
    metrics = sorted({name for row in rows for name in row.finding.estimates})
    spread = [f"{name}{end}" for name in metrics for end in ("", ".low", ".high")]
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow([*COLUMNS.names, *(cell(name) for name in spread)])
    for row in rows:
        found = values(run, row)
        numbers = [
            number
            for estimate in map(row.finding.estimates.get, metrics)
            for number in (
                (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)
            )
        ]
        writer.writerow([as_cell(value) for value in (*found.values(), *numbers)])
    return sink.getvalue().encode()


def as_cell(value: Any) -> str:
    """A value as text: nothing for None, numbers in full precision, text that is no formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return cell(SEPARATOR.join(value) if isinstance(value, list) else str(value))


def values(run: Run, row: Row) -> dict[str, Any]:
    """The values of a row, in the order of `COLUMNS`."""
    finding, estimate, decision = row.finding, row.estimate, row.decision
    place = finding.location
    return {
        "run": run.record.run_id,
        "id": finding.id,
        "audit": finding.audit,
        "code": finding.code,
        "title": row.code.title if row.code else None,
        "verdict": finding.verdict,
        "severity": finding.severity,
        "breaks_policy": row.breaks,
        "claim": finding.claim,
        "subjects": list(finding.subjects),
        "metric": row.metric or None,
        "value": estimate.value if estimate else None,
        "low": estimate.low if estimate else None,
        "high": estimate.high if estimate else None,
        "level": estimate.level if estimate else None,
        "method": estimate.method if estimate else None,
        "num_samples": estimate.num_samples if estimate else None,
        "reason": estimate.reason if estimate else None,
        "p_adjusted": finding.p_adjusted.value if finding.p_adjusted else None,
        "standing": row.standing,
        "decision": decision.decision if decision else None,
        "reviewer": decision.reviewer if decision else None,
        "reviewed": decision.date if decision else None,
        "expires": decision.expires if decision else None,
        "comment": decision.comment if decision else None,
        "baseline": row.compared.state if row.compared else None,
        "actions": list(finding.actions),
        "evidence": list(finding.evidence),
        "spec_file": place.file if place else None,
        "spec_line": place.line if place else None,
        "spec_column": place.column if place else None,
        "evidence_digest": finding.evidence_digest,
    }
