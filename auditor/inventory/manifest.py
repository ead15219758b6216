"""Stock of a manifest: one table for all splits, or one table per split."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from auditor.errors import InputError
from auditor.inventory.digest import file_digest, listing_digest
from auditor.inventory.imagefolder import ONLY_SPLIT
from auditor.inventory.regions import region_sources
from auditor.inventory.stock import ColumnInventory, DatasetInventory, SplitInventory
from auditor.inventory.table import (
    column_names,
    columns_digest,
    embedded_sizes,
    read_columns,
)
from auditor.inventory.values import MAX_VALUES, known_values
from auditor.results.base import digest_of
from auditor.spec.dataset import ManifestDataset


@dataclass(frozen=True)
class Table:
    """One table file: the columns that matter here, and the sizes of its embedded images."""

    path: Path
    names: tuple[str, ...]
    columns: pa.Table
    embedded: NDArray[np.int64] | None


@dataclass(frozen=True)
class Part:
    """The rows of one split, in file order."""

    table: Table
    rows: NDArray[np.int64]


def take_manifest(spec: ManifestDataset, look_into: Collection[str]) -> DatasetInventory:
    """Stock of a manifest.

    A split's digest covers the bytes of its table, the name of the split and, where the table
    names image files, their paths and sizes (see `inventory.digest.listing_digest` for what that
    can see). Embedded images are bytes of the table, so every change of them is seen. An image
    file that is missing is listed as missing; reading it quarantines the row. Where the spec names
    regions, the digest also covers the bytes of their tables and the listing of the masks.

    Raises:
        InputError: when a table is missing, damaged, has no image column, or has rows without a
            split.
    """
    parts = _parts(spec, look_into)
    names = dict.fromkeys(name for part in parts.values() for name in part.table.names)
    common = shared_columns([part.table.names for part in parts.values()])
    concepts = region_sources(spec, common).concepts
    splits = {name: _take_part(name, part, spec, look_into) for name, part in parts.items()}
    return DatasetInventory(splits, tuple(names), spec.classes, concepts)


def shared_columns(tables: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Columns that every table has, in the order of the first."""
    first = tables[0] if tables else ()
    return tuple(name for name in first if all(name in names for names in tables))


def _parts(spec: ManifestDataset, look_into: Collection[str]) -> dict[str, Part]:
    """The rows of each split; one table without its split column is one split, called `all`."""
    if spec.files is not None:
        tables = {name: _load(Path(path), spec, look_into) for name, path in spec.files.items()}
        return {
            name: Part(table, np.arange(table.columns.num_rows)) for name, table in tables.items()
        }
    table = _load(Path(spec.path or ""), spec, look_into)
    if spec.columns.split not in table.names:
        return {ONLY_SPLIT: Part(table, np.arange(table.columns.num_rows))}
    values = np.asarray(_words(table.columns.column(spec.columns.split)), dtype=object)
    if "" in values:
        raise InputError(
            f"{table.path}: {np.count_nonzero(values == '')} rows have no value in the column "
            f"{spec.columns.split!r}, so they belong to no split"
        )
    return {name: Part(table, np.flatnonzero(values == name)) for name in dict.fromkeys(values)}


def _load(path: Path, spec: ManifestDataset, look_into: Collection[str]) -> Table:
    words = {spec.columns.path, spec.columns.label, spec.columns.split}.difference(look_into)
    names = column_names(path)
    if not {spec.columns.path, spec.columns.image} & set(names):
        raise InputError(
            f"{path} has neither the image column {spec.columns.image!r} nor the path column "
            f"{spec.columns.path!r}; it has {', '.join(names)}",
            hint="Name them under `dataset.columns`.",
        )
    embeds = spec.columns.image in names and spec.columns.image != spec.columns.path
    return Table(
        path=path,
        names=names,
        columns=read_columns(
            path,
            [name for name in names if name in words or name in look_into],
            text=words.intersection(names),
        ),
        embedded=embedded_sizes(path, spec.columns.image) if embeds else None,
    )


def _take_part(
    name: str, part: Part, spec: ManifestDataset, look_into: Collection[str]
) -> SplitInventory:
    table = part.table
    columns = table.columns.take(part.rows)
    if table.embedded is None:
        entries = _image_sizes(_root(table, spec), _words(columns.column(spec.columns.path)))
        listing, num_bytes = listing_digest(entries), sum(size or 0 for _, size in entries)
    else:
        listing, num_bytes = None, int(table.embedded[part.rows].sum())
    content = {"split": name, "images": listing} | _region_digests(part, spec)
    others = [column for column in table.names if column != spec.columns.prediction]
    return SplitInventory(
        num_rows=len(part.rows),
        num_bytes=num_bytes,
        digest=digest_of(content | {"table": file_digest(table.path)}),
        without_predictions=digest_of(content | {"table": columns_digest(table.path, others)})
        if spec.columns.prediction in table.names
        else None,
        columns={
            column: column_stock(columns.column(column), column)
            for column in look_into
            if column in table.names
        },
        labels=_labels(columns, spec) if spec.columns.label in table.names else None,
    )


def _region_digests(part: Part, spec: ManifestDataset) -> dict[str, str]:
    """What stands for the regions of a split, where the spec names any."""
    if spec.regions is None:
        return {}
    tables = {"labels": spec.regions.labels, "boxes": spec.regions.boxes}
    found = {name: file_digest(Path(path)) for name, path in tables.items() if path is not None}
    if spec.regions.labels is not None:
        column = read_columns(part.table.path, [spec.columns.mask], text=[spec.columns.mask])
        paths = _words(column.column(spec.columns.mask).take(part.rows))
        found["masks"] = listing_digest(_image_sizes(_root(part.table, spec), paths))
    return found


def _root(table: Table, spec: ManifestDataset) -> Path:
    return Path(spec.root) if spec.root is not None else table.path.parent


def _image_sizes(root: Path, paths: Sequence[str]) -> list[tuple[str, int | None]]:
    """Sizes of files inside the root; what lies outside or is missing has none."""
    found: list[tuple[str, int | None]] = []
    for path in paths:
        file = root / path
        there = path != "" and stays_inside(path) and file.is_file()
        found.append((path, file.stat().st_size if there else None))
    return found


def _words(column: pa.ChunkedArray) -> list[str]:
    """A column as texts; a missing one is empty."""
    return [word or "" for word in column.cast(pa.string()).to_pylist()]


def stays_inside(path: str) -> bool:
    """Whether a relative path cannot leave its root by `..` or by being absolute."""
    pure = PurePosixPath(path.replace("\\", "/"))
    return not pure.is_absolute() and ".." not in pure.parts


def column_stock(column: pa.ChunkedArray, name: str) -> ColumnInventory:
    """Distinct values and extremes of a column; null, NaN and empty text do not count.

    Raises:
        InputError: the column holds lists or structures.
    """
    kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise InputError(f"column {name!r} holds {column.type}, not numbers or text")
    if pa.types.is_null(column.type):
        return ColumnInventory(0, values=())
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    values = column.drop_null()
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    if pa.types.is_floating(values.type):
        values = values.filter(pa.compute.is_finite(values))
    if pa.types.is_string(values.type):
        values = values.filter(pa.compute.not_equal(values, ""))
    distinct = values.unique()
    texts = None if len(distinct) > MAX_VALUES else known_values(plain(distinct, values.type))
    numeric = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if not numeric or not len(values):
        return ColumnInventory(len(distinct), values=texts)
    extremes = pa.compute.min_max(values).as_py()
    low, high = float(extremes["min"]), float(extremes["max"])
    return ColumnInventory(len(distinct), low, high, texts)


def plain(distinct: pa.Array, kind: pa.DataType) -> list[object]:
    """Different values of a column: numbers as such, the rest as text."""
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        distinct = distinct.cast(pa.string())
    found: list[object] = distinct.to_pylist()
    return found


def _labels(table: pa.Table, spec: ManifestDataset) -> tuple[str, ...]:
    """Names of the classes that occur, in the order of the classes; indices become names."""
    classes = spec.classes or ()
    found = set(_words(table.column(spec.columns.label))) - {""}
    if not found <= set(classes):
        found = {
            classes[int(word)] if word.isdecimal() and int(word) < len(classes) else word
            for word in found
        }
    order = {name: position for position, name in enumerate(classes)}
    return tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))
