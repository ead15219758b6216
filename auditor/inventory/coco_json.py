"""One annotation file in the layout of COCO, checked and made compact. Torch-free.

Sources: cocodataset.org/#format-data for object detection and panoptic segmentation. Nothing of
the file is run or looked up; what is damaged is an `InputError` that names the annotation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from auditor.errors import InputError
from auditor.inventory.digest import existing_file
from auditor.inventory.manifest import stays_inside
from auditor.inventory.regions import MAX_NUMBER, Box, box_of

MAX_BYTES = 2**31
"""No annotation file is larger; COCO's own have up to 0.5 · 10^9 bytes."""

FAR = 1e6
"""Corners of outlines lie no further from the image than this, in pixels."""

LAYOUT_HINT = "The layout is described at cocodataset.org/#format-data."


@dataclass(frozen=True)
class RunLengths:
    """Runs of pixels in and out of a region, column by column, beginning outside.

    Attributes:
        height: Rows of the image.
        width: Columns of the image.
        counts: Lengths of the runs, or COCO's compressed text of them.
    """

    height: int
    width: int
    counts: str | tuple[int, ...]


Outline = tuple[NDArray[np.float64], ...] | RunLengths
"""Polygons [n, 2] of column and row, whose union is the region; or run lengths."""


@dataclass(frozen=True)
class Region:
    """One annotated region.

    Attributes:
        place: How an error names it.
        category: Name of its category.
        crowd: Whether it is a group that was not taken apart.
        box: Bounding box; None where the file has none.
        outline: Its pixels; None where the file has none, or where a PNG file has them.
        segment: Its number in the panoptic PNG file; None in an instances file.
    """

    place: str
    category: str
    crowd: bool
    box: Box | None
    outline: Outline | None
    segment: int | None


@dataclass(frozen=True)
class Photo:
    """One image and its annotation.

    Attributes:
        id: The image's id in the file.
        file_name: Path below the folder of images.
        height: Rows of pixels.
        width: Columns of pixels.
        regions: Its regions, in the order of the file; None where the file has no annotation.
        png: Path of the panoptic PNG file below its folder; None in an instances file.
    """

    id: str
    file_name: str
    height: int
    width: int
    regions: tuple[Region, ...] | None
    png: str | None


@dataclass(frozen=True)
class CocoFile:
    """One annotation file.

    Attributes:
        path: The file.
        panoptic: Whether its regions are segments of PNG files.
        categories: Names, in the order of the file.
        photos: Its images, in the order of the file.
    """

    path: Path
    panoptic: bool
    categories: tuple[str, ...]
    photos: tuple[Photo, ...]


def read_coco_file(path: Path) -> CocoFile:
    """Read an annotation file; one process reads it once while size and time stamp stay.

    Raises:
        InputError: It is missing or is not in the layout of COCO.
    """
    found = existing_file(path).stat()
    return _read(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, size: int, _mtime_ns: int) -> CocoFile:
    content = load_json(path, size)
    file = str(path)
    if not isinstance(content, dict):
        damaged(file, "it is not one object with `images`, `annotations` and `categories`")
    categories = read_categories(file, entries(content, "categories", file))
    annotations = entries(content, "annotations", file)
    panoptic = any("segments_info" in annotation for annotation in annotations)
    sizes = read_images(file, entries(content, "images", file))
    if panoptic:
        photos = panoptic_photos(file, annotations, sizes, categories)
    else:
        photos = instance_photos(file, annotations, sizes, categories)
    return CocoFile(path, panoptic, tuple(categories.values()), photos)


def load_json(path: Path, size: int) -> Any:
    """The document in a file.

    Raises:
        InputError: It is too large, nested without end, or no JSON.
    """
    if size > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES:,} bytes")
    try:
        return json.loads(path.read_bytes(), parse_constant=not_a_number)
    except (ValueError, RecursionError, MemoryError, OSError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from error


def not_a_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def read_categories(file: str, categories: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Category id to name, in the order of the file."""
    found: dict[str, str] = {}
    named: dict[str, str] = {}
    for position, category in enumerate(categories):
        where = f"{file}, category {position + 1}"
        key, name = identifier(category, "id", where), text_of(category, "name", where)
        if key in found:
            raise InputError(f"{where}: the category id {key} stands there twice")
        if name in named:
            raise InputError(
                f"{where}: the categories {named[name]} and {key} are both called {name!r}",
                hint="Each name stands for one concept: give one of the two another name.",
            )
        found[key], named[name] = name, key
    return found


def read_images(file: str, images: Sequence[dict[str, Any]]) -> dict[str, Photo]:
    """Image id to an image without annotation, in the order of the file."""
    found: dict[str, Photo] = {}
    for position, image in enumerate(images):
        key = identifier(image, "id", f"{file}, image {position + 1}")
        where = f"{file}, image {key}"
        if key in found:
            raise InputError(f"{where}: the image id stands there twice")
        height, width = (side_of(image, side, where) for side in ("height", "width"))
        found[key] = Photo(key, path_of(image, where), height, width, None, None)
    return found


def instance_photos(
    file: str,
    annotations: Sequence[dict[str, Any]],
    images: Mapping[str, Photo],
    categories: Mapping[str, str],
) -> tuple[Photo, ...]:
    """Images of an instances file; one without regions is annotated too: nothing is on it."""
    regions: dict[str, list[Region]] = {key: [] for key in images}
    for position, annotation in enumerate(annotations):
        name = annotation.get("id", f"number {position + 1}")
        place = f"annotation {name}"
        where = f"{file}, {place}"
        photo = images[known(annotation, "image_id", images, where, "image")]
        outline = outline_of(annotation.get("segmentation"), photo, where)
        regions[photo.id].append(region_of(annotation, categories, place, where, outline, None))
    return tuple(
        Photo(each.id, each.file_name, each.height, each.width, tuple(regions[key]), None)
        for key, each in images.items()
    )


def panoptic_photos(
    file: str,
    annotations: Sequence[dict[str, Any]],
    images: Mapping[str, Photo],
    categories: Mapping[str, str],
) -> tuple[Photo, ...]:
    """Images of a panoptic file; an image that no annotation speaks of has no regions (None)."""
    found = dict(images)
    for position, annotation in enumerate(annotations):
        key = known(
            annotation, "image_id", images, f"{file}, annotation number {position + 1}", "image"
        )
        place = f"the annotation of image {key}"
        where = f"{file}, {place}"
        photo = found[key]
        if photo.regions is not None:
            raise InputError(f"{where} stands there twice")
        segments: dict[int, Region] = {}
        for segment in entries(annotation, "segments_info", where):
            number = segment.get("id")
            if type(number) is not int or not 0 < number <= MAX_NUMBER:
                damaged(where, f"{number!r} is no segment id (0 is for pixels without a segment)")
            if number in segments:
                damaged(where, f"the segment id {number} stands there twice")
            part = f"segment {number} of image {key}"
            segments[number] = region_of(segment, categories, part, f"{file}, {part}", None, number)
        found[key] = Photo(
            photo.id,
            photo.file_name,
            photo.height,
            photo.width,
            tuple(segments.values()),
            path_of(annotation, where),
        )
    return tuple(found.values())


def region_of(
    entry: Mapping[str, Any],
    categories: Mapping[str, str],
    place: str,
    where: str,
    outline: Outline | None,
    segment: int | None,
) -> Region:
    """What instances and segments have in common."""
    category = categories[known(entry, "category_id", categories, where, "category")]
    crowd = entry.get("iscrowd", 0)
    if crowd not in (0, 1):
        damaged(where, f"`iscrowd` is {crowd!r}, not 0 or 1")
    box = entry.get("bbox")
    if box is not None:
        if not isinstance(box, list):
            damaged(where, "`bbox` is no list of four numbers")
        box = box_of(box, where)
    return Region(place, category, bool(crowd), box, outline, segment)


def outline_of(value: object, photo: Photo, where: str) -> Outline | None:
    """The pixels of an instance: polygons or run lengths; None where there are none.

    A polygon of fewer than three corners is kept: it has no inside.
    """
    if value is None or value == []:
        return None
    if isinstance(value, dict):
        return run_lengths_of(value, photo, where)
    if not isinstance(value, list):
        damaged(where, "`segmentation` is neither a list of polygons nor run lengths")
    return tuple(polygon_of(polygon, where) for polygon in value)


def polygon_of(value: object, where: str) -> NDArray[np.float64]:
    """Corners [n, 2] of a polygon: column and row."""
    if not isinstance(value, list) or not all(type(one) in (int, float) for one in value):
        damaged(where, "a polygon is no list of numbers")
    if len(value) % 2:
        damaged(where, f"a polygon has {len(value)} coordinates, not pairs of x and y")
    try:
        corners = np.array(value, dtype=np.float64).reshape(-1, 2)
    except OverflowError:
        damaged(where, "a polygon has a corner that is not near the image")
    if not (np.abs(corners) <= FAR).all():
        damaged(where, "a polygon has a corner that is not near the image")
    return corners


def run_lengths_of(value: Mapping[str, Any], photo: Photo, where: str) -> RunLengths:
    """Run lengths for an image of the right size; reading them shows whether they add up."""
    if value.get("size") != [photo.height, photo.width]:
        damaged(
            where,
            f"its run lengths are for the size {value.get('size')!r}, the image has "
            f"[{photo.height}, {photo.width}]",
        )
    counts = value.get("counts")
    if isinstance(counts, list):
        if not all(type(count) is int and 0 <= count < 2**63 for count in counts):
            damaged(where, "`counts` holds something else than lengths")
        return RunLengths(photo.height, photo.width, tuple(counts))
    if not isinstance(counts, str):
        damaged(where, "`counts` is neither a list nor a text")
    return RunLengths(photo.height, photo.width, counts)


def entries(owner: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    """A list of objects."""
    found = owner.get(key)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        damaged(where, f"`{key}` is no list of objects")
    return found


def identifier(entry: Mapping[str, Any], key: str, where: str) -> str:
    """An id as text; COCO's are numbers."""
    value = entry.get(key)
    if type(value) is not int and not (isinstance(value, str) and value):
        damaged(where, f"`{key}` is {value!r}, no id" if key in entry else f"it has no `{key}`")
    return str(value)


def known(
    entry: Mapping[str, Any], key: str, ids: Mapping[str, object], where: str, noun: str
) -> str:
    """An id that the same file declares."""
    value = identifier(entry, key, where)
    if value not in ids:
        raise InputError(f"{where}: the file has no {noun} {value}", hint=LAYOUT_HINT)
    return value


def text_of(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        damaged(
            where, f"`{key}` is {value!r}, not a text" if key in entry else f"it has no `{key}`"
        )
    return value.strip()


def path_of(entry: Mapping[str, Any], where: str) -> str:
    """A path that stays in its folder."""
    path = text_of(entry, "file_name", where)
    if not stays_inside(path) or "\0" in path:
        raise InputError(
            f"{where}: the path {path!r} leads outside its folder",
            hint="Paths in annotation files are relative to the folders that the spec names.",
        )
    return path


def side_of(image: Mapping[str, Any], key: str, where: str) -> int:
    value = image.get(key)
    if type(value) is not int or not 0 < value < 2**31:
        damaged(where, f"`{key}` is {value!r}, not a number of pixels")
    return value


def damaged(where: str, what: str) -> NoReturn:
    raise InputError(f"{where}: {what[:300]}", hint=LAYOUT_HINT)
