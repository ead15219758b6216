"""Table columns as numpy arrays: numbers, booleans or text, with one idea of "missing"."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auditor.errors import PlanError


def as_numpy(column: pa.ChunkedArray, name: str) -> NDArray[Any]:
    """A column as int64, float64, bool or an object array of `str`.

    Missing numbers are NaN (integers and booleans with gaps become float64), missing texts are
    empty, dates become text.

    Raises:
        PlanError: The column holds neither numbers nor text.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_numpy(column.cast(kind.value_type), name)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        if column.null_count:
            return floats(column.cast(pa.int64()))
        whole: NDArray[Any] = column.to_numpy()
        return whole.astype(np.bool_ if pa.types.is_boolean(kind) else np.int64)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return floats(column)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise PlanError(f"column {name!r} holds {kind}, not numbers or text")
    return words(column)


def words(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column as text, whatever it holds: an object array of `str`, empty where missing."""
    texts: NDArray[Any] = column.cast(pa.string()).fill_null("").to_numpy()
    return texts.astype(object)


def floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Numbers, NaN where missing."""
    numbers: NDArray[Any] = column.cast(pa.float64()).to_numpy()
    return numbers.astype(np.float64)
