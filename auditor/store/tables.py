"""Tables as Parquet bytes and arrays as safetensors bytes: equal content gives equal bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors.numpy import save


def table_bytes(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """A Parquet file of columns of one length.

    Raises:
        ValueError: columns differ in length, or one holds NaN or an infinity; what could not be
            measured is None.
    """
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_floating(column.type) and not is_finite(column):
            raise ValueError(f"column {name!r} holds NaN or an infinity; absent values are None")
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def is_finite(column: pa.ChunkedArray) -> bool:
    # `all` skips nulls, which are the honest way to say "not measured"; no rows are fine as well.
    return pc.all(pc.is_finite(column)).as_py() is not False


def array_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A safetensors file of named arrays, which may not hold NaN or an infinity.

    Raises:
        ValueError: an array holds one.
    """
    for name, array in arrays.items():
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise ValueError(f"array {name!r} holds NaN or an infinity")
    return bytes(save({name: np.asarray(array, order="C") for name, array in arrays.items()}))
