"""Reading tables: CSV and Parquet, by column and in pieces, the same way for everyone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from auditor.errors import InputError
from auditor.inventory.digest import existing_file

PARQUET = (".parquet", ".pq")
CSV = (".csv",)


def column_names(path: Path) -> tuple[str, ...]:
    """Names of a table's columns.

    Raises:
        InputError: when the file is missing, empty, or neither CSV nor Parquet.
    """
    try:
        if _is_parquet(path):
            return tuple(pyarrow.parquet.read_schema(path).names)
        with pyarrow.csv.open_csv(path) as reader:
            return tuple(reader.schema.names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def read_columns(path: Path, names: Sequence[str]) -> pa.Table:
    """Some columns of a table, whole, in file order.

    Raises:
        InputError: when the file is missing or damaged.
    """
    try:
        if _is_parquet(path):
            return pyarrow.parquet.read_table(path, columns=list(names))
        options = pyarrow.csv.ConvertOptions(include_columns=list(names))
        return pyarrow.csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def embedded_sizes(path: Path, name: str) -> NDArray[np.int64]:
    """Size of each embedded image in bytes, 0 where there is none; rows are read in pieces.

    Raises:
        InputError: when the column holds neither bytes nor structs with a field `bytes`.
    """
    if not _is_parquet(path):
        raise InputError(f"{path}: only Parquet files hold embedded images (column {name!r})")
    file = pyarrow.parquet.ParquetFile(path)
    sizes = [np.zeros(0, dtype=np.int64)]
    for batch in file.iter_batches(batch_size=1024, columns=[name]):
        lengths = pyarrow.compute.binary_length(_image_bytes(batch.column(0), path, name))
        sizes.append(lengths.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64))
    return np.concatenate(sizes)


def _image_bytes(column: pa.Array, path: Path, name: str) -> pa.Array:
    kind = column.type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        column = pa.compute.struct_field(column, "bytes")
        kind = column.type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise InputError(
            f"{path}: the image column {name!r} holds {kind}, not bytes",
            hint="Embed images as bytes or as a struct of `bytes` and `path`, or name files.",
        )
    return column


def _is_parquet(path: Path) -> bool:
    suffix = existing_file(path).suffix.lower()
    if suffix not in (*PARQUET, *CSV):
        raise InputError(
            f"{path} is neither CSV nor Parquet",
            hint="The suffix tells the format: .csv, .parquet or .pq.",
        )
    return suffix in PARQUET


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} cannot be read as a table: {error}")
