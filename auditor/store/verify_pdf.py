"""Is a PDF still the report that was sealed? It needs nothing but the PDF.

The seal tells whether any byte of the file was changed; the evidence attached inside it tells
which attachment. An attachment is named after its file in the run directory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from auditor.errors import ArtifactError
from auditor.store.attached import Attachments, read_guarded
from auditor.store.documents import read_file
from auditor.store.evidence import EVIDENCE_NAME, Evidence, entry_of, sha256_of
from auditor.store.seal import SEAL_NAME, has_seal, read_seal
from auditor.store.sign import PublicKey, envelope_bytes
from auditor.store.signature import check_envelope
from auditor.store.verify import Verification

MAX_PDF_BYTES = 256 << 20

PDF_MAGIC = b"%PDF-"
MAGIC_WITHIN = 1024
"""A reader looks for the magic number within so many bytes."""

RECORD_NAME = "run.json"
"""Attached as well, and dated: the seal alone speaks for it."""

UNLISTED = frozenset({EVIDENCE_NAME, SEAL_NAME, RECORD_NAME})

SIGNED_PDF = "report.pdf with its seal blanked out"
"""Subject of the statement that a PDF's seal carries."""


@dataclass(frozen=True)
class Named:
    """What became of the attachments, by name."""

    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]
    num_files: int
    notes: tuple[str, ...]


def attachment_name(path: str) -> str | None:
    """The name under which a file of a run is attached; None for files that are not."""
    match path.split("/"):
        case ["findings.json"] | ["spec", "resolved.yaml"]:
            return path.rpartition("/")[2]
        case ["audits", audit, "result.json"]:
            return f"{audit}.result.json"
        case _:
            return None


def verify_pdf(
    path: Path,
    *,
    public_key: PublicKey | None = None,
    read: Callable[[bytes], Attachments] = read_guarded,
) -> Verification:
    """Hold a PDF against its own seal, and its attachments against the evidence among them.

    Args:
        path: The PDF.
        public_key: Key that it must have been signed with; None asks for no signature.
        read: How attachments are read.

    Raises:
        ArtifactError: it cannot be read, or is no report of this package.
    """
    content = read_file(path, most=MAX_PDF_BYTES)
    if PDF_MAGIC not in content[:MAGIC_WITHIN] and not has_seal(content):
        raise not_a_report(path, "is no PDF")
    attached = read(content)
    seal = read_seal(content)
    if not has_seal(content) and not {EVIDENCE_NAME, SEAL_NAME} & attached.names:
        raise not_a_report(path, "carries neither a seal nor evidence")
    named = check_attachments(attached)
    changed, missing, notes = list(named.changed), list(named.missing), list(named.notes)
    if attached.problem:
        notes.append(f"What is attached could not be read to its end: {attached.problem}.")
    if seal is None and SEAL_NAME not in attached.names:
        missing.append(SEAL_NAME)  # else the file was written anew around it
    if seal is None or not seal.holds:
        changed.insert(0, path.name)
        if not (named.changed or named.missing or named.added or attached.problem):
            notes.append("What is attached is as it was; the file around it is not.")
    return Verification(
        digest=seal.digest if seal else None,
        num_files=named.num_files,
        history=(),
        changed=tuple(changed),
        missing=tuple(dict.fromkeys(missing)),
        added=named.added,
        signature=check_envelope(
            envelope_bytes(seal.envelope) if seal and seal.envelope else None,
            {
                SIGNED_PDF: seal.digest if seal and seal.holds else "",
                EVIDENCE_NAME: sha256_of(attached.files.get(EVIDENCE_NAME, b"")),
            },
            public_key,
        ),
        notes=tuple(notes),
    )


def check_attachments(attached: Attachments) -> Named:
    """Hold attachments against the evidence among them."""
    present = attached.names
    evidence = evidence_of(attached)
    if evidence is None:
        return Named(
            changed=tuple(sorted({*attached.damaged, *({EVIDENCE_NAME} & present)})),
            missing=tuple({EVIDENCE_NAME} - present),
            added=(),
            num_files=0,
            notes=(f"Without {EVIDENCE_NAME} nobody can tell what was attached.",),
        )
    listed = {
        name: entry
        for path, entry in evidence.files.items()
        if (name := attachment_name(path)) is not None
    }
    changed = [
        name
        for name, entry in listed.items()
        if name in attached.files and entry_of(attached.files[name]) != entry
    ]
    notes = []
    if elsewhere := len(evidence.files) - len(listed):
        notes.append(f"{elsewhere} more files of the evidence lie in the run directory alone.")
    if evidence.filtered_from:
        notes.append("This report shows less than the run holds, and was made so.")
    return Named(
        changed=tuple(sorted({*changed, *attached.damaged})),
        missing=tuple(sorted((listed.keys() | UNLISTED) - present)),
        added=tuple(sorted(present - listed.keys() - UNLISTED)),
        num_files=len(listed),
        notes=tuple(notes),
    )


def evidence_of(attached: Attachments) -> Evidence | None:
    """The evidence among the attachments; None where it is missing or damaged."""
    content = attached.files.get(EVIDENCE_NAME)
    if content is None:
        return None
    try:
        return Evidence.model_validate_json(content)
    except ValidationError:
        return None


def not_a_report(path: Path, why: str) -> ArtifactError:
    return ArtifactError(
        f"{path} {why}, so it is not a report of auditor",
        hint="Give a run directory, or a report.pdf as `auditor run` wrote it.",
    )
