"""The signature of a run directory: `signature.dsse.json` names every file but the manifest.

It is made before the manifest, which covers it: without any key, a damaged signature is seen like
any damaged file. With the public key, the manifest is not needed to see a forgery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

from pydantic import TypeAdapter, ValidationError

from auditor.errors import ArtifactError
from auditor.results.finding import Findings
from auditor.store.documents import read_document, read_file
from auditor.store.evidence import EVIDENCE_NAME, is_evidence
from auditor.store.find import read_record
from auditor.store.layout import RunPaths
from auditor.store.manifest import covered_files, file_entry
from auditor.store.sign import (
    Envelope,
    PublicKey,
    Signer,
    envelope_bytes,
    make_statement,
    statement_of,
)

SIGNATURE_NAME = "signature.dsse.json"
MAX_SIGNATURE_BYTES = 64 << 20

FINDINGS: TypeAdapter[Findings] = TypeAdapter(Findings)


@final
@dataclass(frozen=True)
class SignatureCheck:
    """What a signature is worth.

    Attributes:
        state: Whether there is one, and whether the key that was given made it; `unchecked`
            where no key was given.
        demanded: Whether a key was given, so that everything has to be signed with it.
        keyid: Which key it claims to be made with: a hint, not a proof.
        uncovered: Files that are not what was signed, or were not signed at all.
    """

    state: Literal["absent", "unchecked", "valid", "invalid"]
    demanded: bool
    keyid: str = ""
    uncovered: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the evidence.

        Pages that were rendered again after a signature was made are a forgery only to somebody
        who asks for the signature; evidence that is not what was signed is one to everybody.
        """
        match self.state:
            case "absent":
                return not self.demanded
            case "invalid":
                return False
            case "unchecked":
                return not any(map(is_signed_evidence, self.uncovered))
            case "valid":
                return not self.uncovered


def is_signed_evidence(name: str) -> bool:
    return name == EVIDENCE_NAME or is_evidence(name)


def check_envelope(
    content: bytes | None, digests: Mapping[str, str], public_key: PublicKey | None
) -> SignatureCheck:
    """Hold files against a signed statement.

    Args:
        content: The envelope as a file; None where there is none.
        digests: File -> SHA-256 as it is now.
        public_key: The key that it should have been made with, where one is given.
    """
    demanded = public_key is not None
    if content is None:
        return SignatureCheck("absent", demanded)
    try:
        envelope = Envelope.model_validate_json(content)
    except ValidationError:
        return SignatureCheck("invalid", demanded)
    keyid = next((signature.keyid for signature in envelope.signatures), "")
    statement = statement_of(envelope)
    if statement is None or (public_key is not None and not public_key.made(envelope)):
        return SignatureCheck("invalid", demanded, keyid)
    signed = statement.digests()
    uncovered = {name for name in signed.keys() | digests if signed.get(name) != digests.get(name)}
    return SignatureCheck(
        "valid" if demanded else "unchecked", demanded, keyid, tuple(sorted(uncovered))
    )


def check_run_signature(
    paths: RunPaths, digests: Mapping[str, str], public_key: PublicKey | None
) -> SignatureCheck:
    """Hold the files of a run against its signature.

    Args:
        paths: The run directory.
        digests: File -> SHA-256 as it is now, of every file but the manifest.
        public_key: The key that it should have been made with, where one is given.
    """
    if not paths.signature.is_file():
        return check_envelope(None, {}, public_key)
    try:
        content = read_file(paths.signature, most=MAX_SIGNATURE_BYTES)
    except ArtifactError:
        return SignatureCheck("invalid", public_key is not None)
    others = {name: digest for name, digest in digests.items() if name != SIGNATURE_NAME}
    return check_envelope(content, others, public_key)


def sign_run(paths: RunPaths, signer: Signer) -> bytes:
    """The signature of a run directory as it is now; only under its lock.

    Raises:
        ArtifactError: its evidence is not what this very key has signed before, or a file of it
            cannot be read.
    """
    digests = {
        name: file_entry(paths.root / name).sha256
        for name in covered_files(paths)
        if name != SIGNATURE_NAME
    }
    earlier = check_run_signature(paths, digests, signer.public)
    forged = [name for name in earlier.uncovered if is_signed_evidence(name)]
    if earlier.state == "valid" and forged:
        raise ArtifactError(
            f"the run {paths.root} will not be signed again: {', '.join(forged[:5])} is not what "
            "was signed with this key before",
            hint="Restore the run from a copy, or run its spec again.",
        )
    statement = make_statement(
        digests,
        verdict=read_record(paths.root).verdict,
        configuration={"spec/resolved.yaml": digests["spec/resolved.yaml"]},
        findings=read_document(paths.findings, FINDINGS).findings,
    )
    return envelope_bytes(signer.sign(statement))
