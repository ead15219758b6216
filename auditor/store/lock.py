"""One writer per run directory: an advisory lock that dies with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.errors import ExecutionError
from auditor.store.atomic import as_execution_error, make_folder


@contextmanager
def held_lock(path: Path) -> Iterator[None]:
    """Hold the lock file for as long as the block runs; the kernel frees it if we are killed.

    Raises:
        ExecutionError: another process holds it, and the message says which.
    """
    make_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise as_execution_error(error, path) from error
    try:
        take(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        raise ExecutionError(
            f"process {holder or '(unknown)'} is writing the run {path.parent.parent}",
            hint="Wait until it ends, stop it, or start a separate run with --fresh.",
        ) from error
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise as_execution_error(error, path) from error
