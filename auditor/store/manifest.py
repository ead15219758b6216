"""`manifest.json`: what every other file of a run weighs and what its content hashes to.

Canonical JSON (sorted keys, no spaces) with a digest of itself, written last. A run directory that
has one is finished. Each time a report is made again, the digest of the manifest before joins
`history`, so that an archived digest can be found again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import from_json

from auditor.errors import ArtifactError
from auditor.results.base import ResultModel, canonical_json, digest_of
from auditor.store.layout import RunPaths

CHUNK = 1 << 20


class FileEntry(ResultModel):
    """One file of the run."""

    sha256: str
    """SHA-256 of its content, in hexadecimal."""
    size: int
    """Its length in bytes."""


class Manifest(ResultModel):
    """The content of `manifest.json`."""

    schema_version: int = 1
    """Version of this layout."""
    run_id: str
    """Name of the run directory."""
    files: dict[str, FileEntry]
    """Path relative to the run directory -> what the file is."""
    history: tuple[str, ...] = ()
    """Digests of the manifests that this one replaced, oldest first."""
    digest: str
    """SHA-256 of the canonical JSON of everything above."""


def make_manifest(paths: RunPaths, *, history: tuple[str, ...] = ()) -> Manifest:
    """Weigh every file of a run except `states/` and the manifest itself."""
    files = {name: file_entry(paths.root / name) for name in covered_files(paths)}
    body = {
        "schema_version": 1,
        "run_id": paths.root.name,
        "files": {name: entry.model_dump() for name, entry in files.items()},
        "history": list(history),
    }
    return Manifest(run_id=paths.root.name, files=files, history=history, digest=digest_of(body))


def covered_files(paths: RunPaths) -> Iterator[str]:
    """Relative paths of the files that a manifest speaks for, in order.

    A link or a device is listed like a file: `file_entry` refuses it, `verify` names it.
    """
    for path in sorted(paths.root.rglob("*")):
        inside_states = path.is_relative_to(paths.states)
        if inside_states or path == paths.manifest or (path.is_dir() and not path.is_symlink()):
            continue
        yield paths.relative(path)


def file_entry(path: Path) -> FileEntry:
    """Size and digest of a regular file.

    Raises:
        ArtifactError: it is a link or no file: a run directory holds its files itself.
    """
    if path.is_symlink() or not path.is_file():
        raise ArtifactError(
            f"{path} is not a regular file",
            hint="A run directory holds its files itself; replace the link by the file.",
        )
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return FileEntry(sha256=digest.hexdigest(), size=size)


def manifest_bytes(manifest: Manifest) -> bytes:
    return f"{canonical_json(manifest.model_dump(mode='json'))}\n".encode()


def self_digest(content: bytes) -> str:
    """The digest that a manifest with this content should state.

    Raises:
        ValueError: the content is no JSON object.
    """
    body = from_json(content, allow_inf_nan=False)
    if not isinstance(body, dict):
        raise ValueError("not a JSON object")
    return digest_of({name: value for name, value in body.items() if name != "digest"})


def read_manifest(paths: RunPaths) -> Manifest:
    """The manifest as it stands, whether or not it still agrees with the files.

    Raises:
        ArtifactError: there is none, or it is damaged.
    """
    try:
        return Manifest.model_validate_json(paths.manifest.read_bytes())
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{paths.root} has no manifest.json: the run has not ended",
            hint="Run its spec again to finish it.",
        ) from error
    except ValidationError as error:
        raise ArtifactError(f"{paths.manifest} is damaged and cannot be read") from error
