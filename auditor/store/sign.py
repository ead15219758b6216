"""Signatures: a DSSE envelope around an in-toto statement about the files of a run, by Ed25519.

Formats: DSSE 1.0 (github.com/secure-systems-lab/dsse, protocol.md and envelope.md), in-toto
Statement v1 and its test-result predicate v0.1 (github.com/in-toto/attestation, spec/), keys as
PEM (PKCS #8 and SubjectPublicKeyInfo, RFC 8410). The statement's subjects are the files, each
with its SHA-256, so any tool that knows these formats can check them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from auditor.errors import InputError, MissingDependencyError
from auditor.results.base import Verdict, canonical_json
from auditor.results.finding import Finding

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"

RESULTS: dict[Verdict | None, str] = {
    "pass": "PASSED",
    "warn": "WARNED",
    "fail": "FAILED",
    # The format has no word for it, and nobody may take what was not decided for passed.
    "inconclusive": "FAILED",
    None: "FAILED",
}

SIGNATURE_LENGTH = 64
"""Bytes of an Ed25519 signature (RFC 8032)."""

MAX_KEY_BYTES = 1 << 16

MAKE_KEY = "Make a key with `openssl genpkey -algorithm ed25519 -out key.pem`"
MAKE_PUBLIC = "`openssl pkey -in key.pem -pubout -out key.pub.pem` makes it from the private one"


class Foreign(BaseModel):
    """A part of a published format: fields that it may gain later are ignored when read."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore")


class EnvelopeSignature(Foreign):
    """One signature of an envelope."""

    sig: str
    keyid: str = ""


class Envelope(Foreign):
    """A DSSE envelope."""

    payload: str
    payload_type: str = Field(alias="payloadType")
    signatures: tuple[EnvelopeSignature, ...]

    def body(self) -> bytes:
        """The signed bytes.

        Raises:
            ValueError: they are not base64.
        """
        return from_base64(self.payload)


class Subject(Foreign):
    """A file that a statement is about."""

    name: str
    digest: dict[str, str]


class Statement(Foreign):
    """An in-toto statement, as far as it is needed to hold files against it."""

    statement_type: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: tuple[Subject, ...]

    def digests(self) -> dict[str, str]:
        """File -> SHA-256."""
        return {subject.name: subject.digest.get("sha256", "") for subject in self.subject}


@final
@dataclass(frozen=True)
class PublicKey:
    """What a signature is checked with."""

    key: Ed25519PublicKey

    @property
    def keyid(self) -> str:
        """SHA-256 of the key as DER."""
        from cryptography.hazmat.primitives import serialization

        der = self.key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(der).hexdigest()

    def made(self, envelope: Envelope) -> bool:
        """Whether one of an envelope's signatures was made with this key, over this very body."""
        from cryptography.exceptions import InvalidSignature

        for signature in envelope.signatures:
            try:
                signed = pre_authentication(envelope.payload_type, envelope.body())
                self.key.verify(from_base64(signature.sig), signed)
            except (InvalidSignature, ValueError):
                continue
            return True
        return False


@final
@dataclass(frozen=True)
class Signer:
    """Whoever holds the private key."""

    key: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        """The key that others check with."""
        return PublicKey(self.key.public_key())

    def sign(self, statement: bytes) -> Envelope:
        """Put a statement into a signed envelope; equal statements give equal envelopes."""
        signature = self.key.sign(pre_authentication(PAYLOAD_TYPE, statement))
        return make_envelope(statement, keyid=self.public.keyid, signature=signature)


def make_envelope(statement: bytes, *, keyid: str, signature: bytes) -> Envelope:
    """The envelope of a statement and its signature."""
    return Envelope(
        payload=base64.b64encode(statement).decode(),
        payload_type=PAYLOAD_TYPE,
        signatures=(
            EnvelopeSignature(keyid=keyid, sig=base64.b64encode(signature).decode()),
        ),
    )  # fmt: skip


def make_statement(
    files: Mapping[str, str],
    *,
    verdict: Verdict | None,
    configuration: Mapping[str, str],
    findings: Sequence[Finding] = (),
) -> bytes:
    """An in-toto statement about files, in canonical JSON.

    Args:
        files: Name -> SHA-256.
        verdict: What the run found.
        configuration: Name -> SHA-256 of what it was run with.
        findings: Checks to name, by verdict; those that could not be decided have no list.
    """
    named: dict[Verdict, str] = {
        "pass": "passedTests",
        "warn": "warnedTests",
        "fail": "failedTests",
    }
    tests = {
        field: [finding.id for finding in findings if finding.verdict == wanted]
        for wanted, field in named.items()
    }
    body = {
        "_type": STATEMENT_TYPE,
        "subject": descriptors(files),
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": RESULTS[verdict],
            "configuration": descriptors(configuration),
            **(tests if findings else {}),
        },
    }
    return canonical_json(body).encode()


def descriptors(files: Mapping[str, str]) -> list[dict[str, object]]:
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(files.items())]


def pre_authentication(payload_type: str, body: bytes) -> bytes:
    """What is really signed: PAE of DSSE 1.0."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def from_base64(text: str) -> bytes:
    """Bytes in standard or URL-safe base64; DSSE asks readers to take both.

    Raises:
        ValueError: it is neither.
    """
    try:
        return base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(f"not base64: {error}") from error


def envelope_bytes(envelope: Envelope) -> bytes:
    """An envelope as a file."""
    return f"{canonical_json(envelope.model_dump(by_alias=True, mode='json'))}\n".encode()


def statement_of(envelope: Envelope) -> Statement | None:
    """What an envelope states about files; None where it states nothing of that kind."""
    if envelope.payload_type != PAYLOAD_TYPE:
        return None
    try:
        return Statement.model_validate_json(envelope.body())
    except (ValueError, ValidationError):
        return None


def signer_from(path: Path | None) -> Signer | None:
    """The signer whose key lies at a path, where one is given; errors of `load_signer`."""
    return None if path is None else load_signer(path)


def load_signer(path: Path) -> Signer:
    """Read a private key.

    Raises:
        MissingDependencyError: the package `cryptography` is not installed.
        InputError: the file cannot be read, or holds no unencrypted Ed25519 private key.
    """
    require_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = key_bytes(path, hint=f"{MAKE_KEY}.")
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError as error:  # cryptography's way to say that a password is needed
        raise InputError(
            f"the key {path} is encrypted",
            hint="Decrypt it first: `openssl pkey -in KEY.pem -out plain.pem`.",
        ) from error
    except Exception as error:  # ValueError, UnsupportedAlgorithm, and OpenSSL's own
        raise unusable(path, "no private key in PEM form") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise unusable(path, "a private key of another kind")
    return Signer(key)


def load_public_key(path: Path) -> PublicKey:
    """Read a public key.

    Raises:
        MissingDependencyError: the package `cryptography` is not installed.
        InputError: the file cannot be read, or holds no Ed25519 public key.
    """
    require_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = key_bytes(path, hint=f"{MAKE_PUBLIC}.")
    try:
        key = load_pem_public_key(content)
    except Exception as error:  # ValueError, UnsupportedAlgorithm, and OpenSSL's own
        raise unusable(path, "no public key in PEM form", hint=f"{MAKE_PUBLIC}.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise unusable(path, "a public key of another kind", hint=f"{MAKE_PUBLIC}.")
    return PublicKey(key)


def require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401 (asked for, not used)
    except ImportError as error:
        raise MissingDependencyError(
            "signatures need the package cryptography, which is not installed",
            hint="Install it with `pip install 'auditor[sign]'`.",
        ) from error


def key_bytes(path: Path, *, hint: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEY_BYTES)
    except OSError as error:
        raise InputError(f"the key {path} cannot be read: {error.strerror}", hint=hint) from error


def unusable(path: Path, what: str, *, hint: str = f"{MAKE_KEY}.") -> InputError:
    return InputError(f"{path} holds {what}; signatures use Ed25519", hint=hint)
