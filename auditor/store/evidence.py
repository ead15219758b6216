"""`evidence.json`: the digests of what a run measured, and of what it measured it with.

It lists spec, findings and everything that the audits left behind, and nothing that a second run
would change: no date, no name of a run, no page. Two runs of the same spec, data and code
therefore have the same `evidence.json`, byte for byte, and one line tells whether they agree. A
PDF carries a copy, so that what is attached inside it can be checked without the run directory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from auditor.results.base import ResultModel
from auditor.store.documents import document_bytes
from auditor.store.layout import RunPaths
from auditor.store.manifest import FileEntry, covered_files, file_entry

EVIDENCE_NAME = "evidence.json"


class Evidence(ResultModel):
    """The content of `evidence.json`."""

    schema_version: int = 1
    """Version of this layout."""
    files: dict[str, FileEntry]
    """Path relative to the run directory -> what the file is."""
    filtered_from: str | None = None
    """SHA-256 of the run's own `evidence.json`, where this one speaks for a report that shows
    less than the run holds; None otherwise."""


def is_evidence(name: str) -> bool:
    """Whether a file of a run directory is evidence: neither page, nor figure, nor dated."""
    if name.startswith("audits/"):
        return name.split("/")[2:3] != ["figures"]  # figures are drawn by the report
    return name == "findings.json" or name.startswith("spec/")


def run_evidence(paths: RunPaths) -> Evidence:
    """Weigh the evidence of a run directory.

    Raises:
        ArtifactError: a link lies among it.
    """
    names = filter(is_evidence, covered_files(paths))
    return Evidence(files={name: file_entry(paths.root / name) for name in names})


def filtered_evidence(documents: Mapping[str, bytes], *, whole: Evidence) -> Evidence:
    """The evidence of a report that shows less: the documents as shown there, and their origin.

    Args:
        documents: Path in the run directory -> content as shown.
        whole: The evidence of the run.
    """
    return Evidence(
        files={name: entry_of(content) for name, content in sorted(documents.items())},
        filtered_from=sha256_of(document_bytes(whole)),
    )


def entry_of(content: bytes) -> FileEntry:
    """What a file with this content is."""
    return FileEntry(sha256=sha256_of(content), size=len(content))


def sha256_of(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
