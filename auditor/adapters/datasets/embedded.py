"""Images that lie inside a Parquet table, read in any order with bounded memory.

Parquet reads whole row groups, so a shuffled scan would decompress the file once per batch. The
first read therefore copies the encoded images, in pieces, into an unnamed temporary file; from
then on each image is one seek and one read.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import IO, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from auditor.errors import ExecutionError, InputError
from auditor.inventory.table import image_bytes

ROWS_AT_ONCE = 64
BUFFER = 2**20
"""Bytes of a column that are read ahead; without a limit whole files are kept in memory."""


@final
class EmbeddedImages:
    """The image column of one Parquet file."""

    def __init__(self, path: Path, column: str) -> None:
        self._path = path
        self._column = column
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._starts = np.zeros(0, dtype=np.int64)
        self._sizes = np.zeros(0, dtype=np.int64)

    def read(self, row: int) -> bytes | None:
        """The encoded image of a row of the table; None where the row holds none.

        Raises:
            InputError: The table is damaged, or its image column holds no bytes.
            ExecutionError: The temporary folder is full.
        """
        with self._lock:
            if self._file is None:
                self._file = self._copied()
            size = int(self._sizes[row])
            if size < 0:
                return None
            self._file.seek(int(self._starts[row]))
            return self._file.read(size)

    def _copied(self) -> IO[bytes]:
        sizes = [np.zeros(0, dtype=np.int64)]
        try:
            with ExitStack() as on_failure:
                copy = on_failure.enter_context(TemporaryFile())
                sizes += [append(images, copy) for images in pieces(self._path, self._column)]
                on_failure.pop_all()
        except OSError as error:
            raise ExecutionError(
                f"the images of {self._path} could not be copied to {gettempdir()}: {error}",
                hint="They need as much room as the table itself; TMPDIR names another folder.",
            ) from error
        self._sizes = np.concatenate(sizes)
        ends = np.cumsum(np.maximum(self._sizes, 0))
        self._starts = ends - np.maximum(self._sizes, 0)
        weakref.finalize(self, copy.close)
        return copy


def pieces(path: Path, column: str) -> Iterator[pa.Array]:
    """The encoded images in file order, a few at a time; at most two row groups are in memory."""
    try:
        with pyarrow.parquet.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False) as table:
            for batch in table.iter_batches(ROWS_AT_ONCE, columns=[column], use_threads=False):
                yield image_bytes(batch.column(0), path, column)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as a table: {error}") from error


def append(images: pa.Array, file: IO[bytes]) -> NDArray[np.int64]:
    """Write the images one behind the other; their sizes, -1 where there is none."""
    sizes = np.full(len(images), -1, dtype=np.int64)
    for position, image in enumerate(images):
        if image.is_valid:
            sizes[position] = file.write(image.as_buffer())
    return sizes
