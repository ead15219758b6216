"""Is a run still what was sealed? Every file is hashed again and held against the manifest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from auditor.errors import ArtifactError
from auditor.store.documents import damaged, read_file
from auditor.store.find import read_record
from auditor.store.layout import RunPaths
from auditor.store.manifest import (
    FileEntry,
    covered_files,
    file_entry,
    read_manifest,
    self_digest,
)

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Verification:
    """What became of a sealed run.

    Attributes:
        digest: Digest that the manifest states of itself; None where there is no manifest.
        num_files: Files that the manifest speaks for.
        history: Digests of earlier manifests of this run, oldest first.
        changed: Files whose content is not what was sealed.
        missing: Files that are gone.
        added: Files that the manifest does not know.
    """

    digest: str | None
    num_files: int
    history: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def intact(self) -> bool:
        return not (self.changed or self.missing or self.added)


def verify_run(run: Path) -> Verification:
    """Hash every file of a run again.

    Raises:
        ArtifactError: it is no run directory, the run has not been sealed yet, or its manifest
            cannot even be read.
    """
    paths = RunPaths(run)
    if not paths.manifest.is_file():
        return without_manifest(paths)
    manifest = read_manifest(paths)
    try:
        stated_rightly = self_digest(read_file(paths.manifest)) == manifest.digest
    except ValueError as error:
        raise damaged(paths.manifest, str(error)) from error
    present = tuple(covered_files(paths))
    changed = [
        name
        for name in present
        if name in manifest.files and not is_same(paths.root / name, manifest.files[name])
    ]
    return Verification(
        digest=manifest.digest,
        num_files=len(manifest.files),
        history=manifest.history,
        changed=(*changed, *(() if stated_rightly else (MANIFEST,))),
        missing=tuple(sorted(set(manifest.files) - set(present))),
        added=tuple(name for name in present if name not in manifest.files),
    )


def without_manifest(paths: RunPaths) -> Verification:
    record = read_record(paths.root)
    if record.status != "ok":
        raise ArtifactError(
            f"the run {paths.root} is not finished (status {record.status}) and was never sealed",
            hint="Run its spec again to finish it.",
        )
    return Verification(
        digest=None, num_files=0, history=(), changed=(), missing=(MANIFEST,), added=()
    )


def is_same(path: Path, sealed: FileEntry) -> bool:
    # A link is never what was sealed, wherever it leads.
    return not path.is_symlink() and path.is_file() and file_entry(path) == sealed


def refuse_altered(run: Path, *, rewritten: Iterable[str]) -> None:
    """Refuse to seal anew what was altered since the last time.

    Args:
        run: The run directory.
        rewritten: Path prefixes that the caller is about to write again.

    Raises:
        ArtifactError: any other file is not what was sealed; some are named.
    """
    found = verify_run(run)
    prefixes = tuple(rewritten)
    altered = [
        name
        for name in (*found.changed, *found.missing, *found.added)
        if not name.startswith(prefixes)
    ]
    if altered:
        shown = ", ".join(altered[:5]) + (", …" if len(altered) > 5 else "")
        raise ArtifactError(
            f"the run {run} was altered since it was sealed: {shown}",
            hint="A report is made only from an intact run: restore it from a copy, or run again.",
        )
