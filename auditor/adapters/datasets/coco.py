"""Images with annotations in the layout of COCO: panoptic masks, polygons, run lengths, boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from auditor.adapters.datasets.folder import read_image, read_index
from auditor.adapters.datasets.outline import (
    DamagedOutlineError,
    Mask,
    paint_box,
    paint_outline,
)
from auditor.adapters.datasets.protocol import Regions, Unreadable
from auditor.adapters.datasets.regions import as_regions, empty_masks, values_in
from auditor.adapters.datasets.rows import no_column, only_clean, split_of
from auditor.inventory.coco import CocoPart, category_values, read_coco
from auditor.inventory.coco_json import Photo, Region
from auditor.needs import View
from auditor.spec.dataset import CocoDataset


@final
class CocoImages:
    """See `auditor.adapters.datasets.protocol.Dataset`. Ids are COCO's image ids.

    Every category is a concept and a column: 1 where the annotation lists it, a crowd included.
    """

    def __init__(self, spec: CocoDataset) -> None:
        """Read the annotations of every split.

        Raises:
            InputError: as `auditor.inventory.coco.read_coco` says.
        """
        found = read_coco(spec)
        self.classes = spec.classes
        self.concepts = found.concepts
        self._spec = spec
        self._columns = found.columns
        self._parts = found.parts
        self._positions = {name: place for place, name in enumerate(found.columns)}

    def splits(self) -> tuple[str, ...]:
        return tuple(self._parts)

    def ids(self, split: str) -> Sequence[str]:
        return split_of(self._parts, split).ids

    def column_names(self, split: str) -> tuple[str, ...]:
        return self._columns

    def column(self, split: str, name: str) -> NDArray[Any]:
        if name not in self._positions:
            raise no_column(name, self._columns)
        return category_values(split_of(self._parts, split), name)

    def labels(self, split: str) -> NDArray[np.int64] | None:
        return None

    def predictions(self, split: str) -> NDArray[np.int64] | None:
        return None

    def read(self, split: str, rows: Sequence[int], view: View) -> list[Tensor | Unreadable]:
        only_clean(view, "COCO")
        part = split_of(self._parts, split)
        return [
            read_image(part.images, part.photos[row].file_name, place_of(part, row)) for row in rows
        ]

    def regions(
        self, split: str, rows: Sequence[int], view: View
    ) -> list[Regions | Unreadable | None]:
        """Masks at the annotated size of the image.

        None is an image that a panoptic file lists and does not annotate. A panoptic PNG file of
        another size, or with an id that its annotation does not list, is unreadable.
        """
        only_clean(view, "COCO")
        part = split_of(self._parts, split)
        return [self._regions_of(part, row) for row in rows]

    def _regions_of(self, part: CocoPart, row: int) -> Regions | Unreadable | None:
        photo = part.photos[row]
        if photo.regions is None:
            return None
        shown = [
            region
            for region in photo.regions
            if not (region.crowd and self._spec.crowds == "exclude")
        ]
        size = (photo.height, photo.width)
        masks = empty_masks((self._positions[region.category] for region in shown), size)
        if isinstance(masks, Unreadable):
            return masks
        by_name = {region.category: masks[self._positions[region.category]] for region in shown}
        match self._spec.regions:
            case "image":
                for mask in masks.values():
                    mask[:] = True
            case "boxes":
                for region in shown:
                    if region.box is not None:
                        paint_box(by_name[region.category], region.box)
            case "masks" if part.panoptic is not None:
                where = place_of(part, row)
                problem = paint_segments(by_name, photo, shown, part.panoptic, where)
                if problem is not None:
                    return problem
            case "masks":
                for region in shown:
                    try:
                        if region.outline is not None:
                            paint_outline(by_name[region.category], region.outline)
                    except DamagedOutlineError as error:
                        return Unreadable(f"{region.place}: {error}")
        return as_regions(masks, size)


def paint_segments(
    masks: Mapping[str, Mask],
    photo: Photo,
    shown: Sequence[Region],
    folder: Path,
    where: str,
) -> Unreadable | None:
    """Set the pixels of each segment as its PNG file has them; the problem, where there is one."""
    index = read_index(folder, photo.png or "", where)
    if isinstance(index, Unreadable):
        return index
    if index.shape != (photo.height, photo.width):
        return Unreadable(
            f"mask {photo.png} has {index.shape[1]}×{index.shape[0]} pixels, its image has "
            f"{photo.width}×{photo.height}"
        )
    listed = {region.segment for region in photo.regions or ()}
    unlisted = [value for value in values_in(index) if value and value not in listed]
    if unlisted:
        return Unreadable(
            f"mask {photo.png} holds the segment {unlisted[0]}, which its annotation does not list"
        )
    for region in shown:
        masks[region.category] |= index == region.segment
    return None


def place_of(part: CocoPart, row: int) -> str:
    """The image as an error names it."""
    return f"{part.path}, image {part.photos[row].id}"
