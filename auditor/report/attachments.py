"""What a PDF carries: spec, findings and results, the evidence for them, the run's record.

A report for everybody carries the files of the run as they are; one that shows less carries what
it shows, and says from which evidence it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.report.images import ImageMode
from auditor.results.finding import Findings
from auditor.store.documents import document_bytes, read_file
from auditor.store.evidence import (
    EVIDENCE_NAME,
    filtered_evidence,
    run_evidence,
    sha256_of,
)
from auditor.store.reader import Run
from auditor.store.seal import SEAL_NAME, StatementFor, blank_seal
from auditor.store.sign import Signer, make_statement
from auditor.store.verify_pdf import RECORD_NAME, SIGNED_PDF, attachment_name

SPEC = "spec/resolved.yaml"
FINDINGS = "findings.json"


@dataclass(frozen=True)
class Attachment:
    """One file inside the PDF; `relationship` is its AFRelationship (PDF/A-3, ISO 19005-3)."""

    name: str
    content: bytes
    description: str
    relationship: str


@dataclass(frozen=True)
class Attached:
    """Everything inside one PDF.

    Attributes:
        files: The attachments, by name, as the name tree of a PDF has to be sorted.
        statement_for: What is to be signed about the PDF, once its digest is known.
    """

    files: tuple[Attachment, ...]
    statement_for: StatementFor


def make_attachments(run: Run, images: ImageMode, signer: Signer | None) -> Attached:
    """What the PDF of a run carries, its blank seal included.

    Args:
        run: The run as this report shows it.
        images: How much of it is shown.
        signer: Who signs the PDF, where anybody does.

    Raises:
        ArtifactError: a file of the run cannot be read.
    """
    whole = images == "full"
    documents = stored(run) if whole else shown(run)
    evidence = run_evidence(run.paths)
    if not whole:
        evidence = filtered_evidence(documents, whole=evidence)

    def statement_for(digest: str) -> bytes:
        stated = {SIGNED_PDF: digest, EVIDENCE_NAME: sha256_of(document_bytes(evidence))}
        spec = evidence.files[SPEC].sha256
        return make_statement(stated, verdict=run.record.verdict, configuration={SPEC: spec})

    files = [
        *named(documents),
        Attachment(
            EVIDENCE_NAME, document_bytes(evidence), "SHA-256 of spec, findings and results", "Data"
        ),
        Attachment(
            RECORD_NAME, document_bytes(run.record), "What was run, and how it ended", "Data"
        ),
        Attachment(
            SEAL_NAME,
            blank_seal(signer, statement_for),
            "SHA-256 of this PDF, for `auditor verify`",
            "Supplement",
        ),
    ]
    return Attached(tuple(sorted(files, key=lambda file: file.name)), statement_for)


def stored(run: Run) -> dict[str, bytes]:
    """The documents as they lie in the run directory."""
    paths = [run.paths.resolved, run.paths.findings]
    paths += [run.paths.audit(audit).result for audit in run.results]
    return {run.paths.relative(path): read_file(path) for path in paths}


def shown(run: Run) -> dict[str, bytes]:
    """The documents as the report shows them."""
    results = {
        run.paths.relative(run.paths.audit(audit).result): document_bytes(result)
        for audit, result in run.results.items()
    }
    findings = document_bytes(Findings(findings=tuple(run.findings)))
    return {SPEC: run.resolved.encode(), FINDINGS: findings, **results}


def named(documents: Mapping[str, bytes]) -> list[Attachment]:
    found = []
    for path, content in documents.items():
        match path:
            case "spec/resolved.yaml":
                about, relationship = "The audit spec with every default filled in", "Source"
            case "findings.json":
                about, relationship = "Every check made, the passed ones included", "Data"
            case _:
                about, relationship = f"Result of audit {path.split('/')[1]}", "Data"
        found.append(Attachment(attachment_name(path) or path, content, about, relationship))
    return found
