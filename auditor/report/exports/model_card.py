"""A section of a model card, with metadata as model hubs read it.

The front matter is Hugging Face's `model-index` (huggingface/hub-docs, modelcard.md): per audit one
result with its task, its data and its metrics. The text below goes into the card as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from auditor.judge.question import splits_of
from auditor.report.exports.rows import Row, make_rows
from auditor.report.exports.summary import LONGEST, findings_table, policy_table, verdict_words
from auditor.report.exports.text import code, markdown, one_line, table_row
from auditor.report.page import HEADLINES, general_limits, tally_sentence
from auditor.results.base import Verdict
from auditor.results.finding import findings_digest
from auditor.results.run_record import AuditRecord
from auditor.store.reader import Run
from auditor.wording import clipped, date, sentence

LISTED = 20
"""Findings that the card lists."""

TASK = "image-classification"
"""The hub's name of what an audited network does."""

TALLIES: tuple[tuple[Verdict, str], ...] = (
    ("fail", "Checks that failed"),
    ("warn", "Checks with a warning"),
    ("inconclusive", "Checks that could not be decided"),
    ("pass", "Checks that passed"),
)


def model_card(run: Run) -> bytes:
    """The run as a section of a model card; equal runs give equal bytes.

    Raises:
        ArtifactError: the review file of the run is damaged.
    """
    front = yaml.safe_dump(metadata(run), sort_keys=False, allow_unicode=True, width=100)
    text_below = "\n".join(lines(run)).strip()
    return f"---\n{front}---\n\n{text_below}\n".encode()


def metadata(run: Run) -> dict[str, Any]:
    """The front matter: values that another program reads."""
    rows = make_rows(run)
    return {
        "tags": ["model-audit", TASK],
        "model-index": [
            {
                "name": model_name(run),
                "results": [
                    audit_result(run, audit, [row for row in rows if row.finding.audit == audit.id])
                    for audit in run.record.audits
                    if audit.status == "ok"
                ],
            }
        ],
    }


def model_name(run: Run) -> str:
    spec = run.spec
    return one_line(spec.model.title or spec.title or spec.name)


def audit_result(run: Run, audit: AuditRecord, rows: list[Row]) -> dict[str, Any]:
    """One audit as an evaluation: how many checks ended how, and the numbers that failed."""
    dataset, splits = run.spec.dataset, splits_of(run.spec.audits[audit.id])
    digests = {one.role: one.digest for one in run.record.provenance.inputs}
    revisions = [digests.get(f"dataset {split}") for split in splits]
    metrics = [
        {
            "type": f"num_{verdict}",
            "name": name,
            "value": sum(row.finding.verdict == verdict for row in rows),
        }
        for verdict, name in TALLIES
    ]
    metrics += [
        {
            "type": one_line(row.metric),
            "name": one_line(f"{row.metric} of {' and '.join(row.finding.subjects)}"),
            "value": row.estimate.value,
        }
        for row in rows
        if row.finding.verdict == "fail" and row.estimate and row.estimate.value is not None
    ][:LISTED]
    return {
        "task": {"type": TASK, "name": one_line(audit.title)},
        "dataset": {
            "type": dataset.source,
            "name": one_line(dataset.title or dataset.source),
            "split": one_line("+".join(splits)),
            "revision": "+".join(one_line(revision) for revision in revisions if revision),
        },
        "metrics": metrics,
    }


def lines(run: Run) -> Iterator[str]:
    record, spec, rows = run.record, run.spec, make_rows(run)
    yield f"## Audit: {verdict_words(record.verdict)}"
    yield f"\n{HEADLINES[record.verdict]} {tally_sentence(run.findings)}"
    facts = (
        ("Model", model_name(run)),
        ("Data", spec.dataset.title or spec.dataset.source),
        ("Intended use", spec.purpose),
        ("Out of scope", spec.out_of_scope),
        ("Owner", spec.owner),
        ("Date", date(record.times.ended or record.times.started)),
    )
    yield ""
    for name, value in facts:
        if value:
            yield f"- **{name}:** {text(value)}"
    yield "\n### Policy\n"
    yield from policy_table(run)
    yield "\n### What was tested\n"
    yield table_row("Audit", "Failed", "Warned", "Undecided", "Passed")
    yield table_row("---", "--:", "--:", "--:", "--:")
    for audit in record.audits:
        own = [row.finding.verdict for row in rows if row.finding.audit == audit.id]
        tally = [str(own.count(verdict)) for verdict, _ in TALLIES]
        yield table_row(text(audit.title), *(tally if audit.status == "ok" else [audit.status] * 4))
    failed = [row for row in rows if row.finding.verdict == "fail"]
    if failed:
        yield f"\n### Findings ({len(failed)})\n"
        yield from findings_table(failed[:LISTED])
        if len(failed) > LISTED:
            yield f"\n{len(failed) - LISTED} more stand in the report."
    yield "\n### Limits\n"
    for limit in general_limits(run):
        yield f"- {text(sentence(limit))}"
    yield "\n### How to reproduce it\n"
    yield from reproduction(run)


def reproduction(run: Run) -> Iterator[str]:
    """The digests that tie the card to its run."""
    record = run.record
    yield f"- Command: {code(record.provenance.command)}"
    yield f"- Run: {code(record.run_id)}, auditor {code(record.provenance.auditor_version)}"
    yield f"- Spec, SHA-256: {code(record.provenance.spec_digest)}"
    yield f"- Findings, SHA-256: {code(findings_digest(run.findings))}"
    for one in record.provenance.inputs:
        if one.digest:
            yield f"- {text(one.role)}, SHA-256: {code(one.digest)}"


def text(value: str) -> str:
    return markdown(clipped(value, LONGEST))
