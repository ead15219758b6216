"""From annotations to masks: one mask per concept, whatever form the regions have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from auditor.adapters.datasets.image import MAX_PIXELS, TOO_LARGE
from auditor.adapters.datasets.outline import Mask
from auditor.adapters.datasets.protocol import Regions, Unreadable

MAX_VALUES = 2**31
"""Concepts times pixels of one image; more than 2 GiB of masks are not made."""


def empty_masks(concepts: Iterable[int], size: tuple[int, int]) -> dict[int, Mask] | Unreadable:
    """A mask [H, W] without pixels for each concept, in ascending order, to be painted on.

    Args:
        concepts: Positions in `Dataset.concepts`; each counts once.
        size: Rows and columns of the image.
    """
    each = sorted(set(concepts))
    if size[0] * size[1] > MAX_PIXELS:
        return Unreadable(TOO_LARGE)
    if len(each) * size[0] * size[1] > MAX_VALUES:
        return Unreadable(f"{len(each)} masks of {size[1]}×{size[0]} pixels are too many")
    return dict(zip(each, np.zeros((len(each), *size), dtype=np.bool_), strict=True))


def as_regions(masks: Mapping[int, Mask], size: tuple[int, int]) -> Regions:
    """Masks by concept as `Regions`."""
    concepts = tuple(sorted(masks))
    found = torch.zeros(len(concepts), *size, dtype=torch.bool)
    for place, concept in enumerate(concepts):
        found[place] = torch.from_numpy(masks[concept])
    return Regions(concepts, found)


def enlarge(masks: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Masks [..., h, w] at another size, each pixel from where its centre falls (half-pixel)."""
    rows, columns = (
        (2 * np.arange(large) + 1) * small // (2 * large)
        for large, small in zip(size, masks.shape[-2:], strict=True)
    )
    return masks[..., rows[:, None], columns]


def values_in(index: NDArray[np.int32]) -> Sequence[int]:
    """The different values of an index mask [H, W], ascending."""
    flat = index.ravel()
    # Neighbours are mostly alike, so sorting the starts of runs is twenty times faster.
    starts = np.flatnonzero(np.diff(flat, prepend=flat[0] - 1))
    found: list[int] = np.unique(flat[starts]).tolist()
    return found
