"""Pictures of the largest differences: which rows, where the filter is active, and their files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auditor.audits.groups.needs import layer_of
from auditor.audits.groups.result import PictureResult
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.groups.states import ChosenState, ComparedState, PicturesState
from auditor.context import Context
from auditor.measure.dissection import active_pixels
from auditor.measure.fold import Lens, Visited
from auditor.measure.jpeg import jpeg
from auditor.measure.taps import tap

BATCH = 64
"""Images that are looked at at once."""

GRID = 112
"""Longer side of the grid on which active regions are kept."""


class Files(NamedTuple):
    """What the pictures of all differences come to.

    Attributes:
        results: One per difference with at least one picture.
        active: Where the filter is active in all shown pictures in a row, bool [Z, g, g']; None
            without any.
        images: File name -> JPEG.
    """

    results: tuple[PictureResult, ...]
    active: NDArray[np.bool_] | None
    images: Mapping[str, bytes]


def chosen_rows(spec: GroupsSpec, split: str, compared: ComparedState) -> ChosenState:
    """The rows of one split that are shown."""
    mine = compared.picture_split == spec.splits.index(split)
    return ChosenState(torch.unique(compared.picture_row[mine]))


def take_pictures(
    spec: GroupsSpec, context: Context, split: str, compared: ComparedState, visited: Visited
) -> PicturesState:
    """The images of one split, and for filters where in them the filter is active.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        split: The split.
        compared: Which images show which difference.
        visited: The readable ones among them, and the network at hand.

    Raises:
        InputError: the layer cannot be read.
    """
    places, positions = readable_places(spec, split, compared, visited.rows)
    active = torch.zeros(0, 1, 1, dtype=torch.bool)
    lens = visited.lens
    if lens is not None and spec.compare == "filters" and len(places):
        per_side = compared.picture_row[0].numel()
        items = compared.counts[compared.shown[places // per_side], 1]
        layer = layer_of(spec, context)
        active = active_regions(
            lens, layer, visited.pixels[positions], items, compared.thresholds[items]
        )
    else:
        places = places[:0]
    return PicturesState(visited.rows, visited.pixels, places, active)


def readable_places(
    spec: GroupsSpec, split: str, compared: ComparedState, rows: Tensor
) -> tuple[Tensor, Tensor]:
    """Pictures of a split that could be read: their places among all, and among the rows."""
    wanted = compared.picture_row.flatten()
    mine = (compared.picture_split.flatten() == spec.splits.index(split)) & (wanted >= 0)
    mine &= torch.isin(wanted, rows)
    places = mine.nonzero().flatten()
    return places, torch.searchsorted(rows, wanted[places])


def active_regions(lens: Lens, layer: str, pixels: Tensor, items: Tensor, limits: Tensor) -> Tensor:
    """Where one filter per image is active, bool [Z, g, g'].

    Args:
        lens: The network at hand.
        layer: Module path of the layer.
        pixels: uint8 [Z, 3, H, W].
        items: One filter per image, int64 [Z].
        limits: T_u of each, float32 [Z].

    Raises:
        InputError: the layer cannot be read.
    """
    height, width = pixels.shape[2:]
    scale = min(1.0, GRID / max(height, width))
    grid = max(1, round(scale * height)), max(1, round(scale * width))
    found = []
    for start in range(0, len(pixels), BATCH):
        part = slice(start, start + BATCH)
        activation = tap(lens.module, lens.prepare(pixels[part]), [layer]).activations[layer]
        filters = items[part].to(activation.device)
        own = activation[torch.arange(len(filters), device=activation.device), filters]
        found.append(active_pixels(own.float().cpu(), limits[part], grid))
    return torch.cat(found)


def picture_files(
    spec: GroupsSpec,
    compared: ComparedState,
    ids: tuple[str, ...],
    taken: Mapping[str, PicturesState],
) -> Files:
    """Results, active regions and JPEG files of all differences; unreadable images are left out.

    Args:
        spec: The audit's spec.
        compared: What is shown.
        ids: Id of every comparison.
        taken: Split -> what its images looked like.
    """
    images: dict[str, bytes] = {}
    stock = {
        (spec.splits.index(split), row): pixels
        for split, state in taken.items()
        for row, pixels in zip(state.rows.tolist(), state.pixels, strict=True)
    }
    mapped = {
        place: one
        for state in taken.values()
        for place, one in zip(state.place.tolist(), state.active, strict=True)
    }
    regions: list[NDArray[np.bool_]] = []
    results = []
    per_side = spec.pictures.images
    for s, position in enumerate(compared.shown.tolist()):
        comparison, item = compared.counts[position, :2].tolist()
        sides: list[tuple[tuple[str, ...], tuple[float, ...]]] = []
        start = len(regions)
        for k in range(2):
            names, values = [], []
            for i in range(per_side):
                where = (int(compared.picture_split[s, k, i]), int(compared.picture_row[s, k, i]))
                if where not in stock:
                    continue
                names.append(f"split-{where[0]}-row-{where[1]:07d}.jpg")
                images.setdefault(names[-1], jpeg(stock[where]))
                values.append(float(compared.picture_value[s, k, i]))
                place = (s * 2 + k) * per_side + i
                if place in mapped:
                    regions.append(mapped[place].numpy())
            sides.append((tuple(names), tuple(values) if spec.compare == "filters" else ()))
        if any(names for names, _ in sides):
            results.append(
                PictureResult(
                    comparison=ids[comparison],
                    item=item,
                    first=sides[0][0],
                    second=sides[1][0],
                    first_activations=sides[0][1],
                    second_activations=sides[1][1],
                    active=start if len(regions) > start else None,
                )
            )
    return Files(tuple(results), np.stack(regions) if regions else None, images)
