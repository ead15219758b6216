"""Index masks with a label table, in the layout of Broden: several categories per image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from auditor.adapters.datasets.folder import read_image, read_index, read_size
from auditor.adapters.datasets.protocol import Regions, Unreadable
from auditor.adapters.datasets.regions import as_regions, empty_masks, enlarge, values_in
from auditor.adapters.datasets.rows import check_unique, no_column, only_clean, split_of
from auditor.adapters.datasets.values import as_numpy
from auditor.inventory import index_masks
from auditor.inventory.index_masks import IndexRow
from auditor.inventory.table import read_columns
from auditor.needs import View
from auditor.spec.dataset import IndexMasksDataset


@final
class IndexMasks:
    """See `auditor.adapters.datasets.protocol.Dataset`. Ids are the paths of the images."""

    def __init__(self, spec: IndexMasksDataset) -> None:
        """Read the index and the label table.

        Raises:
            InputError: as `auditor.inventory.index_masks.read_index` says, or an image is listed
                twice.
        """
        index = index_masks.read_index(spec)
        self.classes = spec.classes
        self.concepts = index.concepts
        self._index = index
        self._rows = {
            split: tuple(index.rows[row] for row in rows) for split, rows in index.splits.items()
        }
        self._ids = {split: tuple(row.image for row in rows) for split, rows in self._rows.items()}
        check_unique(self._ids)

    def splits(self) -> tuple[str, ...]:
        return tuple(self._rows)

    def ids(self, split: str) -> Sequence[str]:
        return split_of(self._ids, split)

    def column_names(self, split: str) -> tuple[str, ...]:
        return self._index.columns

    def column(self, split: str, name: str) -> NDArray[Any]:
        if name not in self._index.columns:
            raise no_column(name, self._index.columns)
        rows = split_of(self._index.splits, split)
        table = read_columns(self._index.table, [name])
        return as_numpy(table.column(name), name)[np.array(rows, dtype=np.int64)]

    def labels(self, split: str) -> NDArray[np.int64] | None:
        return None

    def predictions(self, split: str) -> NDArray[np.int64] | None:
        return None

    def read(self, split: str, rows: Sequence[int], view: View) -> list[Tensor | Unreadable]:
        only_clean(view, "an index of masks")
        found = split_of(self._rows, split)
        return [read_image(self._index.folder, found[row].image, found[row].row) for row in rows]

    def regions(
        self, split: str, rows: Sequence[int], view: View
    ) -> list[Regions | Unreadable | None]:
        """Masks at the size of the image; None for an image that no category says anything of.

        Masks that the index declares smaller than the image are enlarged, each pixel taking the
        value at the place of its centre. Masks of any other size are unreadable.
        """
        only_clean(view, "an index of masks")
        found = split_of(self._rows, split)
        return [self._regions_of(found[row]) for row in rows]

    def _regions_of(self, row: IndexRow) -> Regions | Unreadable | None:
        if not row.entries:
            return None
        layers: list[tuple[str, NDArray[np.int32]]] = []
        for category, entry in row.entries.items():
            for path in entry.masks:
                layer = read_index(self._index.folder, path, row.row)
                if isinstance(layer, Unreadable):
                    return layer
                layers.append((category, layer))
        size = self._size_of(row, [layer for _, layer in layers])
        if isinstance(size, Unreadable):
            return size
        painted: dict[int, NDArray[np.bool_]] = {}
        for category, layer in layers:
            for value in values_in(layer):
                concept = self._index.positions.get((category, value))
                if concept is not None:
                    mask = layer == value
                    painted[concept] = painted.get(concept, mask) | mask
                elif value:
                    return Unreadable(
                        f"a mask of the category {category!r} holds {value}, which label.csv does "
                        "not list there"
                    )
        whole = {
            self._index.positions[category, label]
            for category, entry in row.entries.items()
            for label in entry.labels
        }
        masks = empty_masks((*painted, *whole), size)
        if isinstance(masks, Unreadable):
            return masks
        for concept, mask in painted.items():
            masks[concept][:] = enlarge(mask, size)
        for concept in whole:
            masks[concept][:] = True
        return as_regions(masks, size)

    def _size_of(
        self, row: IndexRow, layers: Sequence[NDArray[np.int32]]
    ) -> tuple[int, int] | Unreadable:
        """Rows and columns of the regions, if all masks have the size that the index declares."""
        expected = row.mask_size or row.size or (layers[0].shape if layers else None)
        for layer in layers:
            if layer.shape != expected:
                return Unreadable(
                    f"a mask has {layer.shape[1]}×{layer.shape[0]} pixels and not the size that "
                    "index.csv declares or that the other masks have"
                )
        if row.size is not None:
            return row.size
        if layers:
            return layers[0].shape[0], layers[0].shape[1]
        return read_size(self._index.folder, row.image, row.row)
