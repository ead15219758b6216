"""Do the pages of a run say what its results say? Each report is held against the results.

A page states which findings it shows and with which verdict; a PDF carries them. The digests of
the manifest tell whether a file was changed; this tells whether files that are all as they were
sealed belong together, such as a PDF that was not rendered again after a review.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from auditor.errors import ArtifactError
from auditor.results.finding import Findings, findings_digest
from auditor.results.run_record import RunRecord
from auditor.store.attached import Attachments, read_guarded
from auditor.store.documents import read_document, read_file
from auditor.store.evidence import EVIDENCE_NAME, sha256_of
from auditor.store.find import read_record
from auditor.store.layout import RunPaths
from auditor.store.verify_pdf import MAX_PDF_BYTES, RECORD_NAME, evidence_of

MAX_HTML_BYTES = 256 << 20

META = re.compile(rb'<meta name="auditor-(findings|verdict)" content="([0-9a-z]*)">')

FINDINGS: TypeAdapter[Findings] = TypeAdapter(Findings)


@dataclass(frozen=True)
class Agreement:
    """Whether one page of a run says what the results say; `why` is empty where it does."""

    file: str
    state: Literal["agrees", "differs", "unknown"]
    why: str = ""


@dataclass(frozen=True)
class Results:
    """What the pages should say."""

    findings: str
    verdict: str
    evidence: str | None
    """Digest of `evidence.json`; None for a run that has none yet."""


def compare_reports(
    run: Path, *, read: Callable[[bytes], Attachments] = read_guarded
) -> tuple[Agreement, ...]:
    """Hold every HTML and PDF report of a run against its results.

    Args:
        run: The run directory.
        read: How attachments are read.

    Returns:
        One entry per page, by name; all `unknown` where the results themselves cannot be read.
    """
    paths = RunPaths(run)
    pages = [path for path in report_pages(paths) if path.suffix in (".html", ".pdf")]
    try:
        results = read_results(paths)
    except ArtifactError:
        why = "the results themselves cannot be read"
        return tuple(Agreement(paths.relative(page), "unknown", why) for page in pages)
    return tuple(compare(paths, page, results, read) for page in pages)


def report_pages(paths: RunPaths) -> Iterator[Path]:
    if paths.report.is_dir():
        yield from sorted(path for path in paths.report.iterdir() if path.is_file())


def read_results(paths: RunPaths) -> Results:
    """What the results say.

    Raises:
        ArtifactError: one of the files cannot be read.
    """
    return Results(
        findings=findings_digest(read_document(paths.findings, FINDINGS).findings),
        verdict=read_record(paths.root).verdict or "none",
        evidence=sha256_of(read_file(paths.evidence)) if paths.evidence.is_file() else None,
    )


def compare(
    paths: RunPaths, page: Path, results: Results, read: Callable[[bytes], Attachments]
) -> Agreement:
    name = paths.relative(page)
    try:
        if page.suffix == ".html":
            stated = stated_in_html(read_file(page, most=MAX_HTML_BYTES))
        else:
            stated = stated_in_pdf(read(read_file(page, most=MAX_PDF_BYTES)), results)
    except (ArtifactError, ValidationError) as error:
        return Agreement(name, "unknown", str(error).splitlines()[0])
    if not stated:
        return Agreement(name, "unknown", "it does not say which results it was made from")
    should = {"findings": results.findings, "verdict": results.verdict, "evidence": "same"}
    wrong = [what for what, value in stated.items() if value != should[what]]
    if wrong:
        return Agreement(name, "differs", f"it was made from other {' and '.join(sorted(wrong))}")
    return Agreement(name, "agrees")


def stated_in_html(content: bytes) -> dict[str, str]:
    """What a page says in its head about findings and verdict."""
    return {what.decode(): value.decode() for what, value in META.findall(content)}


def stated_in_pdf(attached: Attachments, results: Results) -> dict[str, str]:
    """What a PDF carries: findings, verdict and evidence, or the filtered form of the latter.

    Raises:
        ValidationError: an attachment is not what its name says.
    """
    files = attached.files
    stated = {}
    if "findings.json" in files:
        shown = FINDINGS.validate_json(files["findings.json"]).findings
        stated["findings"] = findings_digest(shown)
    if RECORD_NAME in files:
        stated["verdict"] = RunRecord.model_validate_json(files[RECORD_NAME]).verdict or "none"
    evidence = evidence_of(attached)
    if evidence is not None and results.evidence is not None:
        origin = evidence.filtered_from or sha256_of(files[EVIDENCE_NAME])
        stated["evidence"] = "same" if origin == results.evidence else "other"
    return stated
