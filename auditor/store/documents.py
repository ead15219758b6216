"""Files of a run directory: JSON that is versioned, strict, and blamed by name when damaged.

A run directory may come from a stranger: only regular files of bounded size are read.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from auditor.errors import ArtifactError
from auditor.results.base import canonical_json
from auditor.store.upgrade import SCHEMA_VERSION, UPGRADES, Upgrades, oldest, upgraded

MOST_BYTES = 1 << 31
"""Larger files are refused unread: no table, array file or image of a run comes near it."""

MOST_TEXT = 1 << 28
"""The same for JSON and text, which take many times their size once they are read."""

T = TypeVar("T")


def document_bytes(value: BaseModel) -> bytes:
    """Indented JSON in field order: made to be read, and equal for equal values."""
    body = value.model_dump(mode="json")
    return f"{json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def read_document(
    path: Path,
    adapter: TypeAdapter[T],
    *,
    version: int = SCHEMA_VERSION,
    upgrades: Upgrades = UPGRADES,
) -> T:
    """Read one JSON file of a run, in the layout of this version or an older one.

    Args:
        path: The file.
        adapter: What it holds.
        version: Version of a file that states none.
        upgrades: What leads from older versions to this one.

    Raises:
        ArtifactError: the file is missing, damaged, or of a version that cannot be read; it is
            named.
    """
    content = read_file(path, most=MOST_TEXT)
    body = parsed(path, content)
    version = stated_version(body, version)
    refuse_unknown(path, version, upgrades)
    try:
        if version != SCHEMA_VERSION:
            content = canonical_json(upgraded(path.name, body, version, upgrades)).encode()
        return adapter.validate_json(content)
    except ValidationError as error:
        raise damaged(path, first_problem(error)) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # An upgrade knows the layout it leads on from; what is not in it was never written so.
        raise damaged(path, f"not what version {version} wrote: {error!r}") from error


def read_version(path: Path) -> int:
    """The layout version that a JSON file states; same errors as `read_document`."""
    return stated_version(parsed(path, read_file(path, most=MOST_TEXT)), SCHEMA_VERSION)


def parsed(path: Path, content: bytes) -> Any:
    try:
        return from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise damaged(path, str(error)) from error


def read_file(path: Path, *, most: int = MOST_BYTES) -> bytes:
    """Content of a file that a run must have.

    Raises:
        ArtifactError: it is missing, may not be read, is no regular file or holds too much.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise damaged(path, "not a regular file")
            if found.st_size > most:
                raise damaged(path, f"larger than {most >> 20:,} MiB, which no run writes")
            return file.read()
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read: {error.strerror}",
            hint="A finished run holds this file itself; restore the run directory from a copy.",
        ) from error


def read_text(path: Path) -> str:
    """`read_file` as UTF-8 text; same errors."""
    try:
        return read_file(path, most=MOST_TEXT).decode()
    except UnicodeDecodeError as error:
        raise damaged(path, "not UTF-8 text") from error


def stated_version(body: Any, otherwise: int) -> int:
    found = body.get("schema_version") if isinstance(body, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else otherwise


def refuse_unknown(path: Path, version: int, upgrades: Upgrades) -> None:
    first = oldest(upgrades)
    if version > SCHEMA_VERSION:
        raise ArtifactError(
            f"{path} has layout version {version}; this auditor reads up to {SCHEMA_VERSION}",
            hint="Read the run with the newer auditor that wrote it.",
        )
    if version < first:
        raise ArtifactError(
            f"{path} has layout version {version}; this auditor reads from {first} on",
            hint="Read the run with the auditor that wrote it, or run its spec again.",
        )


def first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def damaged(path: Path, why: str) -> ArtifactError:
    return ArtifactError(
        f"{path} is damaged: {why}",
        hint="`auditor verify RUN` lists every file that was changed since the run was sealed.",
    )
