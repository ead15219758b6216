"""Stock of index masks with a label table, in the layout of Broden, and what a run reads of them.

The layout is the one of Bau et al., "Network Dissection" (CVPR 2017), as the README of its data
describes it: `index.csv`, `label.csv` and `images/`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from auditor.context import Concept
from auditor.errors import InputError
from auditor.inventory.coco import file_sizes
from auditor.inventory.digest import existing_file, existing_folder, file_digest, listing_digest
from auditor.inventory.imagefolder import ONLY_SPLIT
from auditor.inventory.manifest import column_stock, stays_inside
from auditor.inventory.regions import Label, read_labels, text_columns
from auditor.inventory.stock import DatasetInventory, SplitInventory
from auditor.inventory.table import column_names, read_columns
from auditor.near import listing
from auditor.results.base import digest_of
from auditor.spec.dataset import IndexMasksDataset

OUTSIDE_HINT = "Paths in index.csv are relative to the folder `images` beside it."


@dataclass(frozen=True)
class Entry:
    """What one category says of one image: masks, and labels of the whole image."""

    masks: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class IndexRow:
    """One image.

    Attributes:
        row: How an error names it.
        image: Path below the folder of images; also the sample id.
        size: Rows and columns of the image; None where the index does not tell.
        mask_size: Rows and columns of its masks; None where the index does not tell.
        entries: Category to what it says; categories that say nothing are left out.
    """

    row: str
    image: str
    size: tuple[int, int] | None
    mask_size: tuple[int, int] | None
    entries: Mapping[str, Entry]


@dataclass(frozen=True)
class Index:
    """A folder of index masks.

    Attributes:
        folder: Folder of the images and masks.
        table: The index.
        labels: File of the label table.
        columns: Names of the columns of the index.
        concepts: Labels by category: in the order of the spec's categories, then of the table.
        positions: Category and label number to the position of the concept.
        splits: Split to positions of its rows, in file order.
        rows: The images, in file order.
    """

    folder: Path
    table: Path
    labels: Path
    columns: tuple[str, ...]
    concepts: tuple[Concept, ...]
    positions: Mapping[tuple[str, int], int]
    splits: Mapping[str, tuple[int, ...]]
    rows: tuple[IndexRow, ...]


def read_index(spec: IndexMasksDataset) -> Index:
    """Read the index and the label table; no image is opened. One process reads them once.

    A label belongs to the categories that the table names for it, as Broden's does; where the
    table names none, to each category of the index.

    Raises:
        InputError: A table or folder is missing or damaged, a label number is not in the table, or
            a path leaves the folder.
    """
    root = Path(spec.root)
    files = (existing_file(root / "index.csv"), existing_file(root / "label.csv"))
    stamps = tuple((file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    existing_folder(root / "images")
    return _read(root, spec.categories, stamps)


@lru_cache(maxsize=8)
def _read(root: Path, wanted: tuple[str, ...], _stamps: tuple[tuple[int, int], ...]) -> Index:
    table, labels = root / "index.csv", root / "label.csv"
    columns = column_names(table)
    categories = tuple(name for name in dict.fromkeys(wanted) if name in columns)
    if not categories:
        raise InputError(
            f"{table} has none of the categories {', '.join(wanted)}",
            hint=f"`dataset.categories` names them; {listing(columns, 'column')}.",
        )
    concepts: list[Concept] = []
    positions: dict[tuple[str, int], int] = {}
    known = read_labels(labels)
    for category in categories:
        for label in known:
            if category in (label.categories or categories):
                positions[category, label.number] = len(concepts)
                concepts.append(Concept(label.name, category))
    texts = text_columns(table, ("image",), ("split", "ih", "iw", "sh", "sw", *categories))
    rows = tuple(
        index_row(f"{table}, row {row + 1}", {name: texts[name][row] for name in texts}, positions)
        for row in range(len(texts["image"]))
    )
    check_labels(known, labels)
    return Index(
        folder=root / "images",
        table=table,
        labels=labels,
        columns=columns,
        concepts=tuple(concepts),
        positions=positions,
        splits=splits_of(texts["split"], table, "split" in columns),
        rows=rows,
    )


def check_labels(labels: Sequence[Label], path: Path) -> None:
    """Refuse an empty table, which no mask can mean anything by."""
    if not labels:
        raise InputError(f"{path} lists no label")


def splits_of(values: Sequence[str], table: Path, named: bool) -> dict[str, tuple[int, ...]]:
    """Rows by split; an index without that column is one split, called `all`."""
    if not named:
        return {ONLY_SPLIT: tuple(range(len(values)))}
    found: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        if not value:
            raise InputError(f"{table}, row {row + 1} has no split")
        found.setdefault(value, []).append(row)
    return {name: tuple(rows) for name, rows in found.items()}


def index_row(
    where: str, texts: Mapping[str, str], positions: Mapping[tuple[str, int], int]
) -> IndexRow:
    """One row of the index."""
    image = texts["image"]
    if not image:
        raise InputError(f"{where} names no image")
    where = f"{where} ({image!r})"
    check_inside(image, where)
    size, mask_size = (size_of(texts, names, where) for names in (("ih", "iw"), ("sh", "sw")))
    if mask_size is not None and size is None:
        raise InputError(f"{where} has `sh` and `sw`, but not `ih` and `iw`")
    entries = {}
    for name, text in texts.items():
        if name not in ("image", "split", "ih", "iw", "sh", "sw") and text:
            entries[name] = entry_of(name, text, where, positions)
    return IndexRow(where, image, size, mask_size, entries)


def entry_of(
    category: str, text: str, where: str, positions: Mapping[tuple[str, int], int]
) -> Entry:
    """A cell: mask files and label numbers, divided by `;`."""
    masks, labels = [], []
    for part in filter(None, (each.strip() for each in text.split(";"))):
        if not part.isdecimal():
            check_inside(part, where)
            masks.append(part)
        elif (category, int(part[:12])) in positions:
            labels.append(int(part[:12]))
        else:
            raise InputError(
                f"{where}: label.csv lists no label {part} in the category {category!r}",
                hint="Numbers in index.csv are label numbers; paths of masks are no plain numbers.",
            )
    return Entry(tuple(masks), tuple(dict.fromkeys(labels)))


def check_inside(path: str, where: str) -> None:
    if not stays_inside(path) or "\0" in path:
        raise InputError(f"{where}: the path {path!r} leads outside the folder", hint=OUTSIDE_HINT)


def size_of(texts: Mapping[str, str], names: tuple[str, str], where: str) -> tuple[int, int] | None:
    """Rows and columns; None where both cells are empty."""
    values = tuple(texts[name] for name in names)
    if not any(values):
        return None
    if not all(value.isdecimal() and 0 < int(value[:12]) < 2**31 for value in values):
        raise InputError(f"{where}: `{names[0]}` and `{names[1]}` are {' and '.join(values)}")
    return int(values[0]), int(values[1])


def take_index_masks(spec: IndexMasksDataset, look_into: Collection[str] = ()) -> DatasetInventory:
    """Stock of a folder of index masks.

    A split's digest covers the bytes of both tables and, for images and masks, their paths and
    sizes: see `inventory.digest.listing_digest` for what that can see.

    Raises:
        InputError: as `read_index` says.
    """
    index = read_index(spec)
    tables = [file_digest(index.table), file_digest(index.labels)]
    looked = [name for name in index.columns if name in look_into]
    columns = read_columns(index.table, looked)
    splits = {}
    for name, rows in index.splits.items():
        found = [index.rows[row] for row in rows]
        images = file_sizes(index.folder, [row.image for row in found])
        masks = file_sizes(
            index.folder,
            [path for row in found for entry in row.entries.values() for path in entry.masks],
        )
        chosen = columns.take(np.array(rows, dtype=np.int64))
        splits[name] = SplitInventory(
            num_rows=len(found),
            num_bytes=sum(size or 0 for _, size in images),
            digest=digest_of([*tables, name, listing_digest(images), listing_digest(masks)]),
            columns={each: column_stock(chosen.column(each), each) for each in looked},
        )
    return DatasetInventory(splits, index.columns, spec.classes, index.concepts)
