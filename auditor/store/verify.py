"""Is a run still what was sealed? Every file is hashed again and held against the manifest.

Digests show accidents: a file that was damaged, lost or edited. Whoever alters a run on purpose
can make its digests anew; only a signature shows that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from auditor.errors import ArtifactError
from auditor.store.documents import read_document, read_file, refuse_unknown
from auditor.store.evidence import EVIDENCE_NAME, Evidence, is_evidence
from auditor.store.find import read_record
from auditor.store.layout import RunPaths
from auditor.store.manifest import (
    FileEntry,
    Manifest,
    covered_files,
    file_entry,
    manifest_bytes,
    self_digest,
)
from auditor.store.sign import PublicKey
from auditor.store.signature import SignatureCheck, check_run_signature
from auditor.store.upgrade import UPGRADES

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 256 << 20

EVIDENCE: TypeAdapter[Evidence] = TypeAdapter(Evidence)


@dataclass(frozen=True)
class Verification:
    """What became of a sealed run, or of a sealed PDF.

    Attributes:
        digest: Digest that the manifest, or the PDF's seal, states; None where there is none.
        num_files: Files that it speaks for.
        history: Digests of earlier manifests of this run, oldest first.
        changed: Files whose content is not what was sealed.
        missing: Files that are gone.
        added: Files that were not there.
        signature: What its signature is worth; None where too little is left to tell.
        notes: What else a reader should know, in sentences.
    """

    digest: str | None
    num_files: int
    history: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]
    signature: SignatureCheck | None = None
    notes: tuple[str, ...] = ()

    @property
    def unaltered(self) -> bool:
        """Whether every file is what was sealed."""
        return not (self.changed or self.missing or self.added)

    @property
    def intact(self) -> bool:
        """Whether every file is what was sealed, and what was signed where that is asked for."""
        return self.unaltered and self.signature is not None and self.signature.holds


def verify_run(run: Path, *, public_key: PublicKey | None = None) -> Verification:
    """Hash every file of a run again.

    Args:
        run: The run directory.
        public_key: Key that it must have been signed with; None asks for no signature.

    Raises:
        ArtifactError: it is no run directory, the run has not been sealed yet, or a newer
            version sealed it.
    """
    paths = RunPaths(run)
    if not paths.manifest.is_file():
        return without_manifest(paths)
    manifest = sealed_manifest(paths)
    if manifest is None:
        note = f"{MANIFEST} is not what was sealed, so the other files cannot be held against it."
        return Verification(None, 0, (), (MANIFEST,), (), (), notes=(note,))
    sealed = manifest.files
    present = tuple(covered_files(paths))
    changed = {
        name for name in present if name in sealed and not is_same(paths.root / name, sealed[name])
    }
    digests = {
        name: sealed[name].sha256 if name in sealed and name not in changed else ""
        for name in present
    }
    forged = () if EVIDENCE_NAME in changed else unlike_evidence(paths, manifest)
    return Verification(
        digest=manifest.digest,
        num_files=len(sealed),
        history=manifest.history,
        changed=tuple(sorted(changed.union(forged))),
        missing=tuple(sorted(set(sealed) - set(present))),
        added=tuple(name for name in present if name not in sealed),
        signature=check_run_signature(paths, digests, public_key),
    )


def without_manifest(paths: RunPaths) -> Verification:
    record = read_record(paths.root)
    if record.status != "ok":
        raise ArtifactError(
            f"the run {paths.root} is not finished (status {record.status}) and was never sealed",
            hint="Run its spec again to finish it.",
        )
    return Verification(None, 0, (), (), (MANIFEST,), ())


def sealed_manifest(paths: RunPaths) -> Manifest | None:
    """The manifest, if it is byte for byte what was sealed.

    Raises:
        ArtifactError: a newer version wrote it.
    """
    try:
        content = read_file(paths.manifest, most=MAX_MANIFEST_BYTES)
        body = from_json(content, allow_inf_nan=False)
        if body["digest"] != self_digest(content):
            return None
        # Only what states its own digest rightly may say that it comes from a newer version.
        refuse_unknown(paths.manifest, body["schema_version"], UPGRADES)
        manifest = Manifest.model_validate(body)
    except (ValueError, TypeError, LookupError, ValidationError):
        return None
    except ArtifactError:
        if paths.manifest.is_symlink():
            return None
        raise
    return manifest if manifest_bytes(manifest) == content else None


def unlike_evidence(paths: RunPaths, manifest: Manifest) -> list[str]:
    """Files that the manifest knows otherwise than `evidence.json`: somebody made one of them anew.

    An older run has no `evidence.json`, and its manifest names none.
    """
    if EVIDENCE_NAME not in manifest.files or not paths.evidence.is_file():
        return []
    try:
        stated = read_document(paths.evidence, EVIDENCE).files
    except ArtifactError:
        return [EVIDENCE_NAME]
    sealed = {name: entry for name, entry in manifest.files.items() if is_evidence(name)}
    return [name for name in stated.keys() | sealed if stated.get(name) != sealed.get(name)]


def is_same(path: Path, sealed: FileEntry) -> bool:
    # A link is never what was sealed, wherever it leads; and what has grown is not read at all.
    regular = not path.is_symlink() and path.is_file()
    return regular and path.stat().st_size == sealed.size and file_entry(path) == sealed


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
