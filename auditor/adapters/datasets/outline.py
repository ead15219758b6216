"""From outlines of regions to pixels: polygons, boxes and COCO's run lengths.

Row and column 0 of an image reach from 0 to 1, and a pixel belongs to a region where its centre
does. pycocotools (cocoapi, `maskApi.c`) instead draws the edges of a polygon on a grid five times
as fine and rounds twice: the two differ in pixels that an edge passes through, and nowhere else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditor.inventory.coco_json import Outline, RunLengths
from auditor.inventory.regions import Box

Mask = NDArray[np.bool_]

MAX_CROSSINGS = 2**24
"""Edges times rows of pixels that they cross; no outline of an object comes near it."""

MAX_DIGITS = 12
"""Five bits each: no run in an image is longer than that can say."""


class DamagedOutlineError(ValueError):
    """An outline that stands for no pixels; the message says why, for a reader."""


def paint_outline(mask: Mask, outline: Outline) -> None:
    """Set the pixels of a region in a mask [H, W]; polygons of one region are joined.

    Raises:
        DamagedOutlineError: It has no end of edges, or its run lengths do not fit the image.
    """
    if isinstance(outline, RunLengths):
        mask |= decode_runs(outline)
        return
    for polygon in outline:
        paint_polygon(mask, polygon)


def paint_box(mask: Mask, box: Box) -> None:
    """Set the pixels [H, W] whose centres lie in a box; what is outside the image is cut off."""
    height, width = mask.shape
    top, bottom = np.clip(np.ceil([box.y - 0.5, box.y + box.height - 0.5]), 0, height).astype(int)
    left, right = np.clip(np.ceil([box.x - 0.5, box.x + box.width - 0.5]), 0, width).astype(int)
    mask[top:bottom, left:right] = True


def paint_polygon(mask: Mask, corners: NDArray[np.float64]) -> None:
    """Set the pixels inside a polygon by the even-odd rule.

    A pixel is inside where a ray from its centre to the left crosses an odd number of edges. Each
    crossing turns all pixels to its right over, so a running sum along the row counts them.

    Args:
        mask: bool [H, W], changed in place.
        corners: float64 [n, 2], column and row; the last is joined to the first.

    Raises:
        DamagedOutlineError: The edges cross too many rows.
    """
    height, width = mask.shape
    start_x, start_y = corners.T
    end_x, end_y = np.roll(corners, -1, axis=0).T
    # The centre of row r is at r + 1/2; an edge crosses it where its upper end is not below it
    # and its lower end is below it, so that a corner counts once for the two edges it joins.
    first = np.clip(np.ceil(np.minimum(start_y, end_y) - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(start_y, end_y) - 0.5), 0, height).astype(np.int64)
    counts = last - first
    total = int(counts.sum())
    if total > MAX_CROSSINGS:
        raise DamagedOutlineError(f"a polygon crosses more than {MAX_CROSSINGS:,} rows of pixels")
    if not total:
        return
    edge = np.repeat(np.arange(len(corners)), counts)
    row = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    steepness = (end_x - start_x)[edge] / (end_y - start_y)[edge]
    x = start_x[edge] + (row + 0.5 - start_y[edge]) * steepness
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    top, left = int(row.min()), int(column.min())
    bottom, right = int(row.max()) + 1, int(column.max())
    columns = right - left + 1
    turns = np.bincount(
        (row - top) * columns + column - left, minlength=(bottom - top) * columns
    ).reshape(bottom - top, columns)
    inside = np.cumsum(turns, axis=1)[:, : right - left] % 2 == 1
    mask[top:bottom, left:right] |= inside


def decode_runs(runs: RunLengths) -> Mask:
    """Run lengths as bool [H, W]: columns one after the other, the first run outside.

    Raises:
        DamagedOutlineError: The lengths do not add up to the image.
    """
    num_pixels = runs.height * runs.width
    counts = runs.counts
    lengths = counts if isinstance(counts, tuple) else expand_counts(counts, num_pixels)
    if sum(lengths) != num_pixels:
        raise DamagedOutlineError(
            f"its run lengths add up to {sum(lengths)} and not to the {num_pixels} pixels of the "
            "image"
        )
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, np.array(lengths)).reshape(runs.width, runs.height).T


def expand_counts(text: str, num_pixels: int) -> list[int]:
    """Lengths out of COCO's compressed text (cocoapi, `maskApi.c`, `rleFrString`).

    Each character holds five bits, lowest first, and whether more follow (32); the sixth bit of
    the last one (16) is the sign. From the fourth number on, the difference to the length two
    before is stored.

    Raises:
        DamagedOutlineError: The text is cut off, has another character, or a length is negative
            or larger than the image.
    """
    lengths: list[int] = []
    value = digits = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or digits >= MAX_DIGITS:
            raise DamagedOutlineError("its compressed run lengths are damaged")
        value |= (bits & 31) << 5 * digits
        digits += 1
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << 5 * digits
        if len(lengths) > 2:
            value += lengths[-2]
        if not 0 <= value <= num_pixels:
            raise DamagedOutlineError("its compressed run lengths leave the image")
        lengths.append(value)
        value = digits = 0
    if digits:
        raise DamagedOutlineError("its compressed run lengths are cut off")
    return lengths
