"""Tables of what regions show: label numbers of index masks, and boxes. Torch-free.

The plan and a run must number concepts alike, so both take them from here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from auditor.context import Concept
from auditor.errors import InputError
from auditor.inventory.table import column_names, read_columns
from auditor.near import suggest
from auditor.spec.dataset import ManifestDataset

MAX_NUMBER = 2**24 - 1
"""The largest value of a pixel of three bytes."""

COUNT = re.compile(r"\(\d*\)$")
"""Stands behind a category in Broden's label table: `material(36);object(3)`."""


class Box(NamedTuple):
    """A rectangle in pixels: its left upper corner and its sides; (0, 0) is the image's corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Label:
    """What one value of a pixel stands for.

    Attributes:
        number: The value.
        name: What it shows.
        categories: Categories that the table names for it.
    """

    number: int
    name: str
    categories: tuple[str, ...]


@dataclass(frozen=True)
class BoxRow:
    """One row of a table of boxes.

    Attributes:
        row: How an error names the row.
        image: Id of the image.
        concept: What the box shows.
        box: Where it is.
    """

    row: str
    image: str
    concept: Concept
    box: Box


@dataclass(frozen=True)
class RegionSources:
    """Where the regions of a manifest's images come from.

    Attributes:
        concepts: What they show: labels of the masks, then boxes, then columns, each once.
        labels: Value in the mask images to the position of its concept.
        boxes: Id of an image to its boxes, each with the position of its concept; None where the
            spec names no table of boxes.
        columns: 0/1 column to the position of its concept.
    """

    concepts: tuple[Concept, ...]
    labels: Mapping[int, int]
    boxes: Mapping[str, Sequence[tuple[int, BoxRow]]] | None
    columns: Mapping[str, int]


def region_sources(spec: ManifestDataset, names: Sequence[str]) -> RegionSources:
    """Read the tables of a manifest's regions.

    Args:
        spec: The manifest.
        names: Columns of its tables.

    Raises:
        InputError: A table is missing or damaged, or a column that it needs does not exist.
    """
    tables = spec.regions
    if tables is None:
        return RegionSources((), {}, None, {})
    positions: dict[Concept, int] = {}
    labels: dict[int, int] = {}
    boxes: dict[str, list[tuple[int, BoxRow]]] | None = None
    if tables.labels is not None:
        need_column(spec.columns.mask, names, "`dataset.columns.mask` names the masks' column.")
        for label in read_labels(Path(tables.labels)):
            if len(label.categories) > 1:
                raise InputError(
                    f"{tables.labels}: label {label.number} has several categories",
                    hint="Only index masks in Broden's layout tell categories of one label apart.",
                )
            concept = Concept(label.name, next(iter(label.categories), None))
            labels[label.number] = positions.setdefault(concept, len(positions))
    if tables.boxes is not None:
        boxes = {}
        for box in read_boxes(Path(tables.boxes)):
            place = positions.setdefault(box.concept, len(positions))
            boxes.setdefault(box.image, []).append((place, box))
    columns = {name: positions.setdefault(Concept(name), len(positions)) for name in tables.columns}
    for name in tables.columns:
        need_column(name, names, "`dataset.regions.columns` names columns of the manifest.")
    return RegionSources(tuple(positions), labels, boxes, columns)


def need_column(name: str, names: Sequence[str], where: str) -> None:
    """Refuse a column that a manifest lacks.

    Raises:
        InputError: naming near columns.
    """
    if name not in names:
        raise InputError(
            f"the manifest has no column {name!r}",
            hint=f"{where} {suggest(name, names, 'column', most=3).capitalize()}",
        )


def read_labels(path: Path) -> tuple[Label, ...]:
    """The table of label numbers: `number`, `name` and optionally `category`.

    Raises:
        InputError: The table is missing or damaged; a number is none, or stands there twice; a
            name is empty, or stands twice in one category.
    """
    columns = text_columns(path, ("number", "name"), ("category",))
    numbers: dict[int, int] = {}
    named: dict[tuple[str, str], int] = {}
    found = []
    for row, (number, name, category) in enumerate(
        zip(columns["number"], columns["name"], columns["category"], strict=True), start=1
    ):
        where = f"{path}, row {row}"
        if not number.isdecimal() or int(number[:12]) > MAX_NUMBER:
            raise InputError(
                f"{where}: {number!r} is no label number",
                hint=f"Label numbers are whole numbers from 0 to {MAX_NUMBER:,}.",
            )
        if not name:
            raise InputError(f"{where}: label {number} has no name")
        value = int(number)
        if numbers.setdefault(value, row) != row:
            raise InputError(f"{where}: row {numbers[value]} has the number {number} already")
        label = Label(value, name, categories_of(category))
        for each in label.categories or ("",):
            if named.setdefault((name, each), row) != row:
                raise InputError(
                    f"{where}: row {named[name, each]} has the name {name!r} already",
                    hint="Each name stands for one concept: give the two labels names of their own "
                    "or categories of their own.",
                )
        found.append(label)
    return tuple(found)


def categories_of(text: str) -> tuple[str, ...]:
    """Categories of a label, without Broden's counts: `material(36);object(3)`."""
    names = (COUNT.sub("", each.strip()).strip() for each in text.split(";"))
    return tuple(dict.fromkeys(filter(None, names)))


def read_boxes(path: Path) -> tuple[BoxRow, ...]:
    """The table of boxes: `id`, `concept`, `x`, `y`, `width`, `height`, optionally `category`.

    Raises:
        InputError: The table is missing or damaged, a concept is empty, or a box is none.
    """
    sides = ("x", "y", "width", "height")
    columns = text_columns(path, ("id", "concept", *sides), ("category",))
    found = []
    for row, image in enumerate(columns["id"]):
        where = f"{path}, row {row + 1} (id {image!r})"
        name = columns["concept"][row]
        if not name:
            raise InputError(f"{where}: the box has no concept")
        box = box_of([columns[side][row] for side in sides], where)
        found.append(BoxRow(where, image, Concept(name, columns["category"][row] or None), box))
    return tuple(found)


def box_of(values: Sequence[object], where: str) -> Box:
    """Four numbers as a box.

    Raises:
        InputError: They are no finite numbers, or a side is negative.
    """
    try:
        numbers = [float(value) for value in values if isinstance(value, str | int | float)]
    except (ValueError, OverflowError):
        numbers = []
    if len(numbers) != 4 or len(values) != 4 or not all(map(math.isfinite, numbers)):
        raise InputError(
            f"{where}: {shown(values)} is no box",
            hint="A box is x, y, width, height in pixels: the left upper corner, then the sides.",
        )
    if min(numbers[2:]) < 0:
        raise InputError(f"{where}: the box {shown(values)} has a negative side")
    return Box(*numbers)


def text_columns(
    path: Path, needed: Sequence[str], optional: Sequence[str]
) -> dict[str, list[str]]:
    """Columns of a table word for word, without blanks around; missing values are empty texts.

    Raises:
        InputError: The table is missing or damaged, or lacks a needed column.
    """
    there = column_names(path)
    for name in needed:
        if name not in there:
            raise InputError(
                f"{path} has no column {name!r}", hint=suggest(name, there, "column", most=3)
            )
    names = [name for name in (*needed, *optional) if name in there]
    table = read_columns(path, names, text=names)
    texts = {name: words(table.column(name)) for name in names}
    return {name: texts.get(name, [""] * table.num_rows) for name in (*needed, *optional)}


def words(column: pa.ChunkedArray) -> list[str]:
    """A column as texts without blanks around; a missing one is empty."""
    return [(word or "").strip() for word in column.cast(pa.string()).to_pylist()]


def shown(values: Iterable[object]) -> str:
    """Values for an error message, cut off where they are many or long."""
    texts = [str(value) for _, value in zip(range(6), values, strict=False)]
    return f"({', '.join(text if len(text) <= 20 else text[:20] + '…' for text in texts)})"
