"""Reading image files that a table or a listing names, and nothing outside the dataset's root."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from auditor.adapters.datasets.image import decode, decode_index, upright_size
from auditor.adapters.datasets.protocol import Unreadable
from auditor.errors import InputError
from auditor.inventory.manifest import stays_inside

MAX_BYTES = 2**30
"""No image file is larger; a larger one is not read into memory."""
OUTSIDE_HINT = (
    "Paths stay inside the dataset's root, also through symbolic links. Set `dataset.root` to a "
    "folder that holds all images, or put the images there."
)


def check_inside(path: str, row: str) -> None:
    """Refuse a path that leaves its root by being absolute or by `..`, before anything is read.

    Raises:
        InputError: naming the row and the path.
    """
    if not stays_inside(path) or "\0" in path:
        raise outside(path, row)


def read_image(root: Path, path: str, row: str) -> Tensor | Unreadable:
    """Read and decode `root/path`: uint8 [3, H, W] RGB, or why not.

    Args:
        root: The dataset's root folder.
        path: Path relative to it.
        row: How an error names the row.

    Raises:
        InputError: The path leads outside the root, symbolic links included. Nothing is read then.
    """
    data = read_inside(root, path, row)
    return data if isinstance(data, Unreadable) else decode(data)


def read_index(root: Path, path: str, row: str) -> NDArray[np.int32] | Unreadable:
    """Read and decode the index mask `root/path`: int32 [H, W], or why not; see `read_image`.

    Raises:
        InputError: The path leads outside the root, symbolic links included. Nothing is read then.
    """
    data = read_inside(root, path, row)
    found = data if isinstance(data, Unreadable) else decode_index(data)
    return Unreadable(f"mask {path}: {found.reason}") if isinstance(found, Unreadable) else found


def read_size(root: Path, path: str, row: str) -> tuple[int, int] | Unreadable:
    """Rows and columns of the upright image `root/path`, or why not; see `read_image`.

    Raises:
        InputError: The path leads outside the root, symbolic links included. Nothing is read then.
    """
    data = read_inside(root, path, row)
    return data if isinstance(data, Unreadable) else upright_size(data)


def read_inside(root: Path, path: str, row: str) -> bytes | Unreadable:
    """The bytes of `root/path`, or why not.

    Raises:
        InputError: The path leads outside the root, symbolic links included. Nothing is read then.
    """
    check_inside(path, row)
    if not path:
        return Unreadable("the row names no image file")
    real_root = os.path.realpath(root)
    real = Path(os.path.realpath(root / path))
    if not real.is_relative_to(real_root):
        raise outside(path, row)
    try:
        return read_file(real)
    except OSError as error:
        return Unreadable(f"the file cannot be read: {error.strerror}")


def read_file(path: Path) -> bytes | Unreadable:
    status = path.stat()
    # Opening a named pipe would wait for a writer that never comes.
    if not stat.S_ISREG(status.st_mode):
        return Unreadable("not a regular file")
    if status.st_size > MAX_BYTES:
        return Unreadable(f"the file is larger than {MAX_BYTES:,} bytes")
    return path.read_bytes()


def outside(path: str, row: str) -> InputError:
    return InputError(
        f"{row}: the path {path!r} leads outside the dataset's root", hint=OUTSIDE_HINT
    )
