"""JSON files of a run directory: versioned, strict, and blamed by name when they are damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from auditor.errors import ArtifactError

SCHEMA_VERSION = 1
"""Version of the layout that this package writes, and the newest that it reads."""

T = TypeVar("T")


def document_bytes(value: BaseModel) -> bytes:
    """Indented JSON in field order: made to be read, and equal for equal values."""
    body = value.model_dump(mode="json")
    return f"{json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def read_document(path: Path, adapter: TypeAdapter[T]) -> T:
    """Read one JSON file of a run.

    Raises:
        ArtifactError: the file is missing, damaged or written by a newer version; it is named.
    """
    content = read_file(path)
    try:
        body = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise damaged(path, str(error)) from error
    refuse_newer(path, body)
    try:
        return adapter.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise damaged(path, f"{where}: {first['msg']}" if where else first["msg"]) from error


def read_file(path: Path) -> bytes:
    """Content of a file that a run must have.

    Raises:
        ArtifactError: it is missing, or may not be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read: {error.strerror}",
            hint="A finished run has this file; restore the run directory from a copy.",
        ) from error


def read_text(path: Path) -> str:
    """`read_file` as UTF-8 text; same errors."""
    try:
        return read_file(path).decode()
    except UnicodeDecodeError as error:
        raise damaged(path, "not UTF-8 text") from error


def refuse_newer(path: Path, body: Any) -> None:
    found = body.get("schema_version") if isinstance(body, dict) else SCHEMA_VERSION
    if isinstance(found, int) and found > SCHEMA_VERSION:
        raise ArtifactError(
            f"{path} has layout version {found}; this auditor reads up to {SCHEMA_VERSION}",
            hint="Read the run with the newer auditor that wrote it.",
        )


def damaged(path: Path, why: str) -> ArtifactError:
    return ArtifactError(
        f"{path} is damaged: {why}",
        hint="`auditor verify RUN` lists every file that was changed since the run was sealed.",
    )
