"""Content digests of files, and of folders full of files; and the error where there is none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from auditor.errors import InputError

DATA_ROOT_HINT = (
    "Paths are relative to the current directory; `data_root=DIR` moves every path that the spec "
    "writes as ${data_root}/…"
)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes.

    One process reads a file once, as long as its size and time stamp stay the same.

    Raises:
        InputError: when the file is missing or cannot be read.
    """
    found = existing_file(path).stat()
    return _digest(path, found.st_size, found.st_mtime_ns)


def listing_digest(entries: Iterable[tuple[str, int | None]]) -> str:
    """SHA-256 over file names and sizes, in the order given.

    This stands for the content of many image files without reading them. It sees files that are
    added, removed, renamed or changed in size; it does not see an edit that keeps the size.
    """
    digest = hashlib.sha256()
    for name, size in entries:
        digest.update(f"{name}\0{'missing' if size is None else size}\n".encode())
    return digest.hexdigest()


def existing_file(path: Path) -> Path:
    """The path itself.

    Raises:
        InputError: when there is no file there.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file", hint=DATA_ROOT_HINT)
    if not path.is_file():
        raise InputError(f"there is no file {path}", hint=DATA_ROOT_HINT)
    return path


def existing_folder(path: Path) -> Path:
    """The path itself.

    Raises:
        InputError: when there is no folder there.
    """
    if not path.is_dir():
        raise InputError(f"there is no folder {path}", hint=DATA_ROOT_HINT)
    return path


@lru_cache(maxsize=256)
def _digest(path: Path, _size: int, _mtime_ns: int) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
