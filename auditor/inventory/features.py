"""What a table of features says of itself without torch: rows, columns, names. No value is read.

An `.npy` file is never unpickled: only its header is parsed (numpy.lib.format, which reads it as a
literal), and arrays of Python objects are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from auditor.errors import InputError
from auditor.inventory.digest import existing_file, file_digest
from auditor.inventory.table import PARQUET
from auditor.spec.extractor import FeaturesExtractor

NPY = (".npy",)
DAMAGED = (
    ValueError,
    OSError,
    EOFError,
    SyntaxError,
    TypeError,
    OverflowError,
    MemoryError,
    RecursionError,
    TokenError,
)
"""What numpy raises for a file that is no array, or whose header was made to break its parser."""

SHOWN = 5
"""Columns that a message names before it stops."""


@dataclass(frozen=True)
class FeatureTable:
    """The features of one split.

    Attributes:
        path: The file.
        num_rows: Images.
        num_features: Features.
        names: Names of the columns, where the file has them.
        digest: SHA-256 of its bytes.
        num_bytes: Its size.
    """

    path: Path
    num_rows: int
    num_features: int
    names: tuple[str, ...] | None
    digest: str
    num_bytes: int


def take_features(spec: FeaturesExtractor) -> Mapping[str, FeatureTable]:
    """Stock of the features of every split that has a file, by split.

    Raises:
        InputError: when a file is missing, damaged, or holds anything but a table of numbers.
    """
    return {split: take_table(Path(file)) for split, file in spec.files.items()}


def take_table(path: Path) -> FeatureTable:
    """Stock of one table: `.npy` [N, F], or Parquet with one column per feature.

    Raises:
        InputError: when it is missing, damaged, or holds anything but numbers.
    """
    suffix = existing_file(path).suffix.lower()
    if suffix not in (*NPY, *PARQUET):
        raise InputError(
            f"{path} is neither .npy nor Parquet",
            hint="The suffix tells the format: .npy, .parquet or .pq.",
        )
    num_rows, num_features, names = npy_shape(path) if suffix in NPY else parquet_shape(path)
    if not num_features:
        raise InputError(f"{path} holds no feature", hint="One column per feature is needed.")
    return FeatureTable(path, num_rows, num_features, names, file_digest(path), path.stat().st_size)


def npy_shape(path: Path) -> tuple[int, int, None]:
    """Rows and columns of an `.npy` file, from its header and its size."""
    try:
        # Mapping checks that the file is as long as its header says, and reads none of it.
        table = np.lib.format.open_memmap(path, mode="r")
    except DAMAGED as error:
        raise InputError(
            f"{path} cannot be read as an array of numbers: {error}",
            hint="Save it with numpy.save; arrays of Python objects are never opened.",
        ) from error
    if table.dtype.kind not in "fiub":
        raise InputError(
            f"{path} holds {table.dtype}, not numbers",
            hint="Features are integers or floating point numbers.",
        )
    if table.ndim != 2:
        sides = " x ".join(str(side) for side in table.shape) or "one number"
        raise InputError(
            f"{path} holds an array of {table.ndim} dimensions ({sides})",
            hint="Features are a table: one row per image, one column per feature.",
        )
    return int(table.shape[0]), int(table.shape[1]), None


def parquet_shape(path: Path) -> tuple[int, int, tuple[str, ...]]:
    """Rows and columns of a Parquet file, and the names of its columns."""
    try:
        metadata = pyarrow.parquet.read_metadata(path)
        schema = metadata.schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as a table: {error}") from error
    others = [f"{field.name!r} ({field.type})" for field in schema if not is_number(field.type)]
    if others:
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        raise InputError(
            f"{path} has columns that hold no numbers: {', '.join(others[:SHOWN])}{more}",
            hint="Every column is a feature: leave ids, labels and texts out of the file.",
        )
    return metadata.num_rows, len(schema), tuple(schema.names)


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type can be a feature."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )
