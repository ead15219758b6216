"""Regions of a manifest's images: index masks, boxes and 0/1 columns, joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from auditor.adapters.datasets.folder import read_index
from auditor.adapters.datasets.outline import paint_box
from auditor.adapters.datasets.parts import Part
from auditor.adapters.datasets.protocol import Regions, Unreadable
from auditor.adapters.datasets.regions import as_regions, empty_masks, values_in
from auditor.errors import InputError
from auditor.inventory.manifest import shared_columns
from auditor.inventory.regions import RegionSources, region_sources
from auditor.spec.dataset import ManifestDataset


@final
class ManifestRegions:
    """What the regions of a manifest's images show.

    An image counts as annotated where every declared source speaks of it: it has a mask, and a
    value in each column. A table of boxes speaks of every image.
    """

    def __init__(self, spec: ManifestDataset, parts: Mapping[str, Part]) -> None:
        """Read the tables of regions.

        Raises:
            InputError: A table is missing or damaged, a column that it needs does not exist or
                holds other values than 0 and 1, a box is for an unknown image, or a path leaves the
                root.
        """
        names = shared_columns([part.table.names for part in parts.values()])
        self._sources = region_sources(spec, names)
        self.concepts = self._sources.concepts
        check_boxes(self._sources, parts)
        if self._sources.labels:
            for part in parts.values():
                part.check_paths(part.mask_paths)
        self._shown = {
            split: {concept: truths(part, name) for name, concept in self._sources.columns.items()}
            for split, part in parts.items()
        }

    def of(self, split: str, part: Part, row: int) -> Regions | Unreadable | None:
        """Regions of one image, at the size of its mask or else of the image itself.

        Raises:
            InputError: The path of the mask or of the image leaves the root.
        """
        shown = {concept: column[row] for concept, column in self._shown[split].items()}
        if any(np.isnan(value) for value in shown.values()):
            return None
        whole = [concept for concept, value in shown.items() if value]
        boxes = (self._sources.boxes or {}).get(part.ids[row], ())
        index: NDArray[np.int32] | None = None
        if self._sources.labels:
            path = part.mask_paths[row]
            if not path:
                return None
            found = read_index(part.table.root, path, part.name_of(row))
            if isinstance(found, Unreadable):
                return found
            index = found
        size = part.size(row) if index is None else (index.shape[0], index.shape[1])
        if isinstance(size, Unreadable):
            return size
        labels = self._labels_in(index)
        masks = empty_masks((*labels.values(), *(concept for concept, _ in boxes), *whole), size)
        if isinstance(masks, Unreadable):
            return masks
        for value, concept in labels.items():
            masks[concept] |= index == value
        for concept, box in boxes:
            paint_box(masks[concept], box.box)
        for concept in whole:
            masks[concept][:] = True
        return as_regions(masks, size)

    def _labels_in(self, index: NDArray[np.int32] | None) -> dict[int, int]:
        """Listed values of a mask to their concepts."""
        if index is None:
            return {}
        labels = self._sources.labels
        return {value: labels[value] for value in values_in(index) if value in labels}


def check_boxes(sources: RegionSources, parts: Mapping[str, Part]) -> None:
    """Refuse boxes of images that the manifest does not list.

    Raises:
        InputError: naming the first such row.
    """
    ids = {one for part in parts.values() for one in part.ids}
    for image, boxes in (sources.boxes or {}).items():
        if image not in ids:
            raise InputError(
                f"{boxes[0][1].row}: the manifest has no image with this id",
                hint="The column `id` of the boxes holds the manifest's ids, letter for letter.",
            )


def truths(part: Part, name: str) -> NDArray[np.float64]:
    """A 0/1 column of a split as numbers, NaN where it says nothing.

    Raises:
        InputError: It holds anything else.
    """
    column: NDArray[Any] = part.table.column(name)[part.rows]
    values = column.astype(np.float64) if column.dtype != object else np.full(len(column), 2.0)
    if not (np.isnan(values) | (values == 0) | (values == 1)).all():
        raise InputError(
            f"{part.table.path}, column {name!r} holds other values than 0 and 1",
            hint="`dataset.regions.columns` names 0/1 columns; leave a cell empty where it is "
            "not known.",
        )
    return values
