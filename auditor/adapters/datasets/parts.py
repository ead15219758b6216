"""Rows of a manifest by split, and the images that its tables name or hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from auditor.adapters.datasets.embedded import EmbeddedImages
from auditor.adapters.datasets.folder import check_inside, read_image, read_size
from auditor.adapters.datasets.image import decode, upright_size
from auditor.adapters.datasets.protocol import Unreadable
from auditor.adapters.datasets.values import as_numpy, words
from auditor.errors import InputError, PlanError
from auditor.inventory.imagefolder import ONLY_SPLIT
from auditor.inventory.table import column_names, num_rows, read_columns
from auditor.near import suggest
from auditor.spec.dataset import Columns, ManifestDataset


def parts_of(spec: ManifestDataset) -> dict[str, Part]:
    """The rows of each split; one table without its split column is one split, called `all`."""
    if spec.files is not None:
        tables = {name: Table.of(Path(path), spec) for name, path in spec.files.items()}
        return {
            name: Part(table, np.arange(table.num_rows), f"{name}-")
            for name, table in tables.items()
        }
    table = Table.of(Path(str(spec.path)), spec)
    if spec.columns.split not in table.names:
        return {ONLY_SPLIT: Part(table, np.arange(table.num_rows), "")}
    values = table.text(spec.columns.split)
    if "" in values:
        raise InputError(f"{table.path}: some rows have no {spec.columns.split!r}")
    return {name: Part(table, np.flatnonzero(values == name), "") for name in dict.fromkeys(values)}


@dataclass(frozen=True)
class Table:
    """One table file."""

    path: Path
    names: tuple[str, ...]
    num_rows: int
    columns: Columns
    root: Path
    embedded: EmbeddedImages | None

    @staticmethod
    def of(path: Path, spec: ManifestDataset) -> Table:
        names = column_names(path)
        image = spec.columns.image
        embeds = image in names and image != spec.columns.path
        return Table(
            path=path,
            names=names,
            num_rows=num_rows(path),
            columns=spec.columns,
            root=path.parent if spec.root is None else Path(spec.root),
            embedded=EmbeddedImages(path, image) if embeds else None,
        )

    def text(self, name: str) -> NDArray[Any]:
        """A column taken word for word."""
        return words(read_columns(self.path, [name], text=[name]).column(name))

    def column(self, name: str) -> NDArray[Any]:
        if name not in self.names:
            raise PlanError(
                f"{self.path} has no column {name!r}",
                hint=suggest(name, self.names, "column", most=3),
            )
        if name in (self.columns.id, self.columns.path, self.columns.mask):
            return self.text(name)
        return as_numpy(read_columns(self.path, [name]).column(name), name)


@dataclass(frozen=True)
class Part:
    """The rows of one split."""

    table: Table
    rows: NDArray[np.int64]
    """Positions in the table."""
    prefix: str
    """Stands before row numbers, so that they are unique over several tables."""

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The id column, else the path column, else row numbers from 0."""
        columns = self.table.columns
        for name in (columns.id, columns.path):
            if name in self.table.names:
                return tuple(self.table.text(name)[self.rows])
        return tuple(f"{self.prefix}{row}" for row in self.rows)

    @cached_property
    def paths(self) -> tuple[str, ...] | None:
        """Path of each image below the root."""
        name = self.table.columns.path
        return tuple(self.table.text(name)[self.rows]) if name in self.table.names else None

    @cached_property
    def mask_paths(self) -> tuple[str, ...]:
        """Path of each mask below the root, empty where there is none."""
        name = self.table.columns.mask
        if name not in self.table.names:
            return ("",) * len(self.rows)
        return tuple(self.table.text(name)[self.rows])

    def check_paths(self, paths: Sequence[str]) -> None:
        """Refuse paths that leave the root, before anything is read.

        Args:
            paths: One per row, of images or of masks.

        Raises:
            InputError: naming the row and the path.
        """
        for row, path in enumerate(paths):
            check_inside(path, self.name_of(row))

    def name_of(self, row: int) -> str:
        """The row as an error names it; rows of a table count from 1, its header aside."""
        return f"{self.table.path}, row {self.rows[row] + 1} (id {self.ids[row]!r})"

    def read(self, row: int) -> Tensor | Unreadable:
        """The image of a row."""
        data = self._embedded(row)
        if data is not None:
            return decode(data)
        if self.paths is None:
            return Unreadable("the row holds no image")
        return read_image(self.table.root, self.paths[row], self.name_of(row))

    def size(self, row: int) -> tuple[int, int] | Unreadable:
        """Rows and columns of the image of a row, upright."""
        data = self._embedded(row)
        if data is not None:
            return upright_size(data)
        if self.paths is None:
            return Unreadable("the row holds no image")
        return read_size(self.table.root, self.paths[row], self.name_of(row))

    def _embedded(self, row: int) -> bytes | None:
        """The encoded image that the table itself holds; None where it names a file."""
        embedded = self.table.embedded
        return None if embedded is None else embedded.read(int(self.rows[row]))
