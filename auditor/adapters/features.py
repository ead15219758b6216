"""Features that were computed elsewhere, read by row: a table larger than memory is fine.

A `.npy` file is memory-mapped. Parquet keeps columns together, so reading a few rows would read
the whole file; the first read therefore copies it, row group by row group, into an unnamed
temporary file that is memory-mapped in turn. Nothing is ever unpickled.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from auditor.errors import ExecutionError, InputError
from auditor.inventory.features import DAMAGED, NPY, FeatureTable

NUMERIC = "biuf"
"""Kinds of numpy numbers: booleans, integers and floats."""

ROWS_AT_ONCE = 1024
BUFFER = 2**20
"""Bytes of a column that are read ahead; without a limit whole files are kept in memory."""


@final
class Features:
    """A table of numbers [N, F] on disk."""

    def __init__(self, table: FeatureTable) -> None:
        """Name the table; it is opened when rows are first asked for."""
        self._stock = table
        self._lock = threading.Lock()
        self._table: NDArray[Any] | None = None

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The features of some rows, float32 [B, F]; missing values are NaN.

        Raises:
            InputError: The file is missing, damaged, not a table of numbers, or was changed.
            ExecutionError: The temporary folder is full.
        """
        with self._lock:
            if self._table is None:
                self._table = self._opened()
            table = self._table
        # A float64 that float32 does not hold becomes infinite; the audit counts those.
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(table[rows], dtype=np.float32)

    def _opened(self) -> NDArray[Any]:
        path = self._stock.path
        table = mapped(path) if path.suffix.lower() in NPY else spilled(path)
        expected = (self._stock.num_rows, self._stock.num_features)
        if table.shape != expected:
            raise InputError(
                f"{path} held {expected[0]} x {expected[1]} numbers when the run was planned, and "
                f"holds {' x '.join(map(str, table.shape))} now",
                hint="run again, with nobody writing the file",
            )
        return table


def mapped(path: Path) -> NDArray[Any]:
    """A `.npy` file of numbers [N, F], memory-mapped.

    Raises:
        InputError: The file is missing, damaged, or holds something else.
    """
    try:
        table: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except DAMAGED as error:
        raise InputError(f"{path} cannot be read as features: {error}") from error
    if table.dtype.kind not in NUMERIC:
        raise InputError(f"{path} holds {table.dtype}, not numbers")
    return table


def spilled(path: Path) -> NDArray[np.float32]:
    """A Parquet table of numbers as float32 [N, F], memory-mapped in a temporary file.

    Raises:
        InputError: The file is missing or damaged, or a column holds no numbers.
        ExecutionError: The temporary folder is full.
    """
    try:
        with pyarrow.parquet.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False) as file:
            shape = (file.metadata.num_rows, file.metadata.num_columns)
            blocks = (numbers(batch) for batch in file.iter_batches(ROWS_AT_ONCE))
            return copied(blocks, path, shape)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as features: {error}") from error


def copied(
    blocks: Iterable[NDArray[np.float32]], path: Path, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """The blocks one below the other in an unnamed file, memory-mapped."""
    if not all(shape):
        return np.zeros(shape, dtype=np.float32)
    with TemporaryFile() as copy:
        for block in blocks:
            try:
                copy.write(block.tobytes())
                copy.flush()
            except OSError as error:
                raise ExecutionError(
                    f"the features of {path} could not be copied to {gettempdir()}: {error}",
                    hint="They need four bytes per number; TMPDIR names another folder.",
                ) from error
        return np.memmap(copy, dtype=np.float32, mode="r", shape=shape)


def numbers(batch: pa.RecordBatch) -> NDArray[np.float32]:
    """Rows of a table as float32 [R, F], NaN where a value is missing."""
    block = np.empty((batch.num_rows, batch.num_columns), dtype=np.float32)
    with np.errstate(over="ignore"):
        for index, column in enumerate(batch.columns):
            if pa.types.is_boolean(column.type):
                column = column.cast(pa.int8())
            block[:, index] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return block
