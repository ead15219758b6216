"""The seal of a PDF: a small document attached inside it that states the digest of all the rest.

The document is stored unpacked, so that its place can be found in the bytes. The digest is taken
over the whole file with that place filled with blanks: it cannot cover itself, and everything
else is covered, pages and structure included. Nothing follows the end of the file, which PDF/A
forbids. Where the run is signed, the seal carries the signature of that digest.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from auditor.results.base import canonical_json, digest_of
from auditor.store.evidence import sha256_of
from auditor.store.sign import SIGNATURE_LENGTH, Envelope, Signer, make_envelope

SEAL_NAME = "seal.json"
MARK = b'{"auditor_seal":1,'
END = b"\nendstream"
MAX_SEAL_BYTES = 1 << 20

StatementFor = Callable[[str], bytes]
"""From the digest of a PDF to the statement that is to be signed."""


@dataclass(frozen=True)
class Seal:
    """What a PDF's seal says.

    Attributes:
        digest: Digest that the PDF should have.
        holds: Whether it has it, and the seal itself is as it was written.
        envelope: The signature of the digest, where there is one.
    """

    digest: str
    holds: bool
    envelope: Envelope | None


def blank_seal(signer: Signer | None, statement_for: StatementFor) -> bytes:
    """What stands in for the seal while the PDF is written; just as long."""
    nothing = "0" * 64
    if signer is None:
        return seal_document(nothing, None)
    envelope = make_envelope(
        statement_for(nothing), keyid=signer.public.keyid, signature=bytes(SIGNATURE_LENGTH)
    )
    return seal_document(nothing, envelope)


def fill_seal(content: bytes, signer: Signer | None, statement_for: StatementFor) -> bytes:
    """Put the seal into a PDF that was written with a blank one.

    Raises:
        ValueError: it holds none.
    """
    place = find_seal(content)
    if place is None:
        raise ValueError("the PDF was written without room for its seal")
    digest = digest_around(content, place)
    envelope = signer.sign(statement_for(digest)) if signer is not None else None
    document = seal_document(digest, envelope)
    if len(document) != place.stop - place.start:
        raise ValueError("the seal does not fit the room that was left for it")
    return content[: place.start] + document + content[place.stop :]


def read_seal(content: bytes) -> Seal | None:
    """The seal of a PDF, checked; None where there is none, or more than one."""
    place = find_seal(content)
    if place is None:
        return None
    document = content[place.start : place.stop]
    try:
        body = from_json(document, allow_inf_nan=False)
        stated = str(body["sha256"])
        envelope = None if body["signature"] is None else Envelope.model_validate(body["signature"])
        as_written = canonical_json(body).encode() == document and is_self_consistent(body)
    except (ValueError, KeyError, TypeError, ValidationError):
        return Seal(digest="", holds=False, envelope=None)
    return Seal(
        digest=stated,
        holds=as_written and digest_around(content, place) == stated,
        envelope=envelope,
    )


def has_seal(content: bytes) -> bool:
    """Whether a file carries anything that looks like a seal."""
    return MARK in content


def find_seal(content: bytes) -> slice | None:
    """Where the seal lies; None where there is none, or more than one."""
    starts = [match.start() for match in re.finditer(re.escape(MARK), content)]
    if len(starts) != 1:
        return None
    stop = content.find(END, starts[0], starts[0] + MAX_SEAL_BYTES)
    return None if stop < 0 else slice(starts[0], stop)


def digest_around(content: bytes, place: slice) -> str:
    """SHA-256 of a PDF with its seal blanked out."""
    blank = b" " * (place.stop - place.start)
    return sha256_of(content[: place.start] + blank + content[place.stop :])


def seal_document(digest: str, envelope: Envelope | None) -> bytes:
    body: dict[str, Any] = {
        "auditor_seal": 1,  # first in the order of names: `MARK` begins with it
        "sha256": digest,
        "signature": envelope and envelope.model_dump(by_alias=True, mode="json"),
    }
    return canonical_json({**body, "self": digest_of(body)}).encode()


def is_self_consistent(body: dict[str, Any]) -> bool:
    """Whether the seal states its own digest rightly: it is the one part that nothing covers."""
    return body.get("self") == digest_of({k: v for k, v in body.items() if k != "self"})
