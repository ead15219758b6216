"""Files that are there whole or not at all: written beside their place, flushed, then renamed.

A reader, and a run that resumes after a kill, can therefore take any file under its own name for
complete. What a kill leaves behind is called `*.partial` and is removed by the next writer.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from pathlib import Path

from auditor.errors import ExecutionError

PARTIAL = ".partial"

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def write_bytes(path: Path, data: bytes, *, flushed: bool = True) -> None:
    """Write a file so that nobody ever sees half of it.

    Args:
        path: Where to; folders above it are made.
        data: All of it.
        flushed: Wait until the disk has it. A killed process loses nothing either way; without
            it a power cut can, which is fine for what carries a checksum and can be made again.

    Raises:
        ExecutionError: no permission, no space, or a folder that is not one; the file that was
            there before is untouched, and nothing half-written is left.
    """
    make_folder(path.parent)
    partial = path.with_name(f".{secrets.token_hex(6)}{PARTIAL}")
    try:
        if flushed:
            write_flushed(partial, data)
        else:
            partial.write_bytes(data)
        partial.replace(path)
        if flushed:
            flush_folder(path.parent)
    except OSError as error:
        raise as_execution_error(error, path) from error
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of UTF-8 text; same errors."""
    write_bytes(path, text.encode())


def make_folder(path: Path) -> None:
    """Make a folder and those above it.

    Raises:
        ExecutionError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise as_execution_error(error, path) from error


def remove_tree(path: Path) -> None:
    """Remove a folder with everything in it, if it is there.

    Raises:
        ExecutionError: something in it cannot be removed.
    """
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise as_execution_error(error, path) from error


def remove_partial_files(folder: Path) -> None:
    """Remove what killed writers left anywhere below a folder; only under that folder's lock.

    Raises:
        ExecutionError: a leftover cannot be removed.
    """
    for leftover in folder.rglob(f".*{PARTIAL}"):
        try:
            leftover.unlink(missing_ok=True)
        except OSError as error:
            raise as_execution_error(error, leftover) from error


def write_flushed(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def as_execution_error(error: OSError, path: Path) -> ExecutionError:
    """The same failure in words, with the next move."""
    why = error.strerror or type(error).__name__
    if error.errno in FULL:
        hint = "Free some space, or choose another folder with --out; then run again to resume."
        return ExecutionError(f"there is no room to write {path}: {why}", hint=hint)
    if error.errno in FORBIDDEN:
        hint = "Choose a folder you may write to with --out, or change its permissions."
        return ExecutionError(f"there is no permission to write {path}: {why}", hint=hint)
    hint = "Check that every part of the path is a folder, or choose another one with --out."
    return ExecutionError(f"{path} cannot be written: {why}", hint=hint)
