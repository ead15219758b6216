"""A table of images: CSV or Parquet, with paths of image files or with embedded images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from auditor.adapters.datasets.annotated import ManifestRegions
from auditor.adapters.datasets.labels import class_indices
from auditor.adapters.datasets.parts import parts_of
from auditor.adapters.datasets.protocol import Regions, Unreadable
from auditor.adapters.datasets.rows import check_unique, no_regions, only_clean, split_of
from auditor.needs import View
from auditor.spec.dataset import ManifestDataset


@final
class Manifest:
    """See `auditor.adapters.datasets.protocol.Dataset`."""

    def __init__(self, spec: ManifestDataset) -> None:
        """Read ids and paths of every row.

        Raises:
            InputError: A table is missing or damaged, ids repeat, a path leaves the root, or a
                table of regions does not fit the manifest.
        """
        self.classes = spec.classes
        self._parts = parts_of(spec)
        for part in self._parts.values():
            part.check_paths(part.paths or ())
        check_unique({name: part.ids for name, part in self._parts.items()})
        self._regions = ManifestRegions(spec, self._parts) if spec.regions is not None else None
        self.concepts = self._regions.concepts if self._regions is not None else ()

    def splits(self) -> tuple[str, ...]:
        return tuple(self._parts)

    def ids(self, split: str) -> Sequence[str]:
        return split_of(self._parts, split).ids

    def column_names(self, split: str) -> tuple[str, ...]:
        return split_of(self._parts, split).table.names

    def column(self, split: str, name: str) -> NDArray[Any]:
        part = split_of(self._parts, split)
        return part.table.column(name)[part.rows]

    def labels(self, split: str) -> NDArray[np.int64] | None:
        return self._classes_in(split, split_of(self._parts, split).table.columns.label, "label")

    def predictions(self, split: str) -> NDArray[np.int64] | None:
        column = split_of(self._parts, split).table.columns.prediction
        return self._classes_in(split, column, "prediction")

    def _classes_in(self, split: str, column: str, noun: str) -> NDArray[np.int64] | None:
        part = split_of(self._parts, split)
        if column not in part.table.names:
            return None
        texts = tuple(part.table.text(column)[part.rows])
        where = f"{part.table.path}, column {column!r}"
        return class_indices(texts, self.classes, where, noun=noun)

    def read(self, split: str, rows: Sequence[int], view: View) -> list[Tensor | Unreadable]:
        only_clean(view, "a manifest")
        part = split_of(self._parts, split)
        return [part.read(row) for row in rows]

    def regions(
        self, split: str, rows: Sequence[int], view: View
    ) -> list[Regions | Unreadable | None]:
        """Masks, boxes and columns joined; see `ManifestRegions`."""
        only_clean(view, "a manifest")
        part = split_of(self._parts, split)
        if self._regions is None:
            raise no_regions("this manifest")
        return [self._regions.of(split, part, row) for row in rows]
