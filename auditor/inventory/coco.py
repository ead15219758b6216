"""Stock of images with annotations in the layout of COCO, and what a run reads of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auditor.context import Concept
from auditor.errors import InputError
from auditor.inventory.coco_json import CocoFile, Photo, Region, read_coco_file
from auditor.inventory.digest import existing_folder, file_digest, listing_digest
from auditor.inventory.stock import ColumnInventory, DatasetInventory, SplitInventory
from auditor.inventory.values import known_values
from auditor.results.base import digest_of
from auditor.spec.dataset import CocoDataset, CocoSplit


@dataclass(frozen=True)
class CocoPart:
    """One split.

    Attributes:
        ids: Sample id per image, unique over the dataset.
        photos: The images.
        path: The annotation file.
        images: Folder of the images.
        panoptic: Folder of the panoptic PNG files, where the file is panoptic.
    """

    ids: tuple[str, ...]
    photos: tuple[Photo, ...]
    path: Path
    images: Path
    panoptic: Path | None


@dataclass(frozen=True)
class Coco:
    """A dataset of COCO's layout; its concepts are the categories, each name once."""

    concepts: tuple[Concept, ...]
    parts: Mapping[str, CocoPart]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: one per category."""
        return tuple(concept.name for concept in self.concepts)


def read_coco(spec: CocoDataset) -> Coco:
    """Read the annotations of every split; no image is opened.

    Image ids become sample ids. Where two splits share an id, every id carries the name of its
    split: `val/17`.

    Raises:
        InputError: A file or folder is missing or damaged, or does not have the regions that the
            spec asks for.
    """
    files = {name: read_coco_file(Path(split.annotations)) for name, split in spec.splits.items()}
    names = dict.fromkeys(name for file in files.values() for name in file.categories)
    counted = [photo.id for file in files.values() for photo in file.photos]
    prefixed = len(set(counted)) < len(counted)
    parts = {}
    for name, file in files.items():
        split = spec.splits[name]
        check_forms(file, split, spec)
        parts[name] = CocoPart(
            ids=tuple(f"{name}/{photo.id}" if prefixed else photo.id for photo in file.photos),
            photos=file.photos,
            path=file.path,
            images=existing_folder(Path(split.images)),
            panoptic=panoptic_folder(split) if file.panoptic else None,
        )
    return Coco(tuple(Concept(name) for name in names), parts)


def panoptic_folder(split: CocoSplit) -> Path | None:
    return None if split.panoptic is None else existing_folder(Path(split.panoptic))


def check_forms(file: CocoFile, split: CocoSplit, spec: CocoDataset) -> None:
    """Refuse annotations without the form of region that the spec asks for.

    Raises:
        InputError: naming the first such region.
    """
    if split.panoptic is not None and not file.panoptic:
        raise InputError(
            f"{file.path} has no panoptic annotation",
            hint="Leave `panoptic` out, or name the JSON file that has `segments_info`.",
        )
    if spec.regions == "masks" and file.panoptic and split.panoptic is None:
        raise InputError(
            f"{file.path} is a panoptic annotation, and its PNG files have no folder",
            hint="Name their folder under `panoptic`, or set `regions` to `boxes` or `image`.",
        )
    if spec.regions == "image":
        return
    for photo in file.photos:
        for region in photo.regions or ():
            if not has_form(region, spec):
                lacking = "`segmentation`" if spec.regions == "masks" else "`bbox`"
                raise InputError(
                    f"{file.path}, {region.place}: it has no {lacking}",
                    hint="`dataset.regions` chooses between `masks`, `boxes` and `image`.",
                )


def has_form(region: Region, spec: CocoDataset) -> bool:
    """Whether a region says where it is, as far as the spec wants to know."""
    if spec.regions == "boxes":
        return region.box is not None
    return region.outline is not None or region.segment is not None


def category_values(part: CocoPart, name: str) -> NDArray[np.float64] | NDArray[np.int64]:
    """1 for the images whose annotation lists a category, 0 for the others.

    A crowd counts too. An image that nobody annotated is NaN; without such images the values are
    integers.
    """
    values = np.array(
        [
            np.nan
            if photo.regions is None
            else float(any(region.category == name for region in photo.regions))
            for photo in part.photos
        ],
        dtype=np.float64,
    )
    return values if np.isnan(values).any() else values.astype(np.int64)


def take_coco(spec: CocoDataset, look_into: Collection[str] = ()) -> DatasetInventory:
    """Stock of a dataset in the layout of COCO.

    A split's digest covers the bytes of its annotation file and, for images and panoptic PNG
    files, their paths and sizes: see `inventory.digest.listing_digest` for what that can see.

    Raises:
        InputError: A file or folder is missing or damaged, or does not have the regions that the
            spec asks for.
    """
    found = read_coco(spec)
    splits = {name: take_part(name, part, look_into, found) for name, part in found.parts.items()}
    return DatasetInventory(splits, found.columns, spec.classes, found.concepts)


def take_part(name: str, part: CocoPart, look_into: Collection[str], found: Coco) -> SplitInventory:
    images = file_sizes(part.images, [photo.file_name for photo in part.photos])
    names = [photo.png for photo in part.photos if photo.png is not None]
    masks = None if part.panoptic is None else listing_digest(file_sizes(part.panoptic, names))
    listed = listing_digest(images)
    table = file_digest(part.path)
    return SplitInventory(
        num_rows=len(part.photos),
        num_bytes=sum(size or 0 for _, size in images),
        digest=digest_of({"annotations": table, "split": name, "images": listed, "masks": masks}),
        columns={
            column: zeros_and_ones(category_values(part, column))
            for column in look_into
            if column in found.columns
        },
    )


def zeros_and_ones(values: NDArray[np.float64] | NDArray[np.int64]) -> ColumnInventory:
    """Stock of a column of 0, 1 and NaN."""
    present = sorted({float(value) for value in values if not np.isnan(value)})
    low, high = (present[0], present[-1]) if present else (None, None)
    return ColumnInventory(len(present), low, high, known_values(present))


def file_sizes(folder: Path, paths: Collection[str]) -> list[tuple[str, int | None]]:
    """Path and size of files below a folder; what is missing has no size."""
    found: list[tuple[str, int | None]] = []
    for path in paths:
        file = folder / path
        found.append((path, file.stat().st_size if file.is_file() else None))
    return found
