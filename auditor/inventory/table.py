"""Reading tables: CSV and Parquet, by column and in pieces, the same way for everyone."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from auditor.errors import InputError
from auditor.inventory.digest import existing_file
from auditor.results.base import canonical_json

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


def num_rows(path: Path) -> int:
    """Number of rows of a table; embedded images are not read for it.

    Raises:
        InputError: when the file is missing or damaged.
    """
    if not _is_parquet(path):
        first = column_names(path)[:1]
        return int(read_columns(path, first, text=first).num_rows)
    try:
        return int(pyarrow.parquet.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def read_columns(path: Path, names: Sequence[str], *, text: Collection[str] = ()) -> pa.Table:
    """Some columns of a table, whole, in file order.

    The type of a CSV column is what all its values allow, but columns named in `text` are taken
    word for word: `007` stays `007`.

    Raises:
        InputError: when the file is missing or damaged.
    """
    try:
        if _is_parquet(path):
            return pyarrow.parquet.read_table(path, columns=list(names))
        words = {name: pa.string() for name in text}
        options = pyarrow.csv.ConvertOptions(include_columns=list(names), column_types=words)
        return pyarrow.csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def columns_digest(path: Path, names: Collection[str]) -> str:
    """SHA-256 of some columns of a table; one process reads a file once for it.

    Raises:
        InputError: when the file is missing or damaged.
    """
    found = existing_file(path).stat()
    return _columns_digest(path, tuple(sorted(set(names))), found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=64)
def _columns_digest(path: Path, names: tuple[str, ...], _size: int, _mtime_ns: int) -> str:
    digest = hashlib.sha256(canonical_json(names).encode())
    try:
        for batch in _batches(path, names):
            digest.update(batch.serialize())
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    return digest.hexdigest()


def _batches(path: Path, names: tuple[str, ...]) -> Iterable[pa.RecordBatch]:
    """Pieces of a table, byte for byte; those of a Parquet file end where its row groups do."""
    if _is_parquet(path):
        file = pyarrow.parquet.ParquetFile(path, buffer_size=2**20, pre_buffer=False)
        return file.iter_batches(batch_size=1024, columns=list(names))  # type: ignore[no-any-return]
    raw = pyarrow.csv.ConvertOptions(
        include_columns=list(names), column_types=dict.fromkeys(names, pa.binary())
    )
    table = pyarrow.csv.read_csv(path, convert_options=raw)
    return table.combine_chunks().to_batches()  # type: ignore[no-any-return]


def embedded_sizes(path: Path, name: str) -> NDArray[np.int64]:
    """Size of each embedded image in bytes, 0 where there is none; rows are read in pieces.

    Raises:
        InputError: when the column holds neither bytes nor structs with a field `bytes`.
    """
    if not _is_parquet(path):
        raise InputError(f"{path}: only Parquet files hold embedded images (column {name!r})")
    file = pyarrow.parquet.ParquetFile(path, buffer_size=2**20, pre_buffer=False)
    sizes = [np.zeros(0, dtype=np.int64)]
    for batch in file.iter_batches(batch_size=1024, columns=[name]):
        lengths = pyarrow.compute.binary_length(image_bytes(batch.column(0), path, name))
        sizes.append(lengths.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64))
    return np.concatenate(sizes)


def image_bytes(column: pa.Array, path: Path, name: str) -> pa.Array:
    """The encoded images of an image column; null where there is none.

    Raises:
        InputError: when the column holds neither bytes nor structs with a field `bytes`.
    """
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
