"""Annotated regions of a batch, on a grid over what a network sees of each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from auditor.adapters.datasets.protocol import Dataset, Regions, Unreadable
from auditor.adapters.models.preprocess import fit_masks
from auditor.measure.fold import Masks
from auditor.needs import NetworkRole, Output, Source
from auditor.spec.model import Preprocess

LEAST = 48
"""Short side of the grid that regions are sampled on, at least, where the spec names none."""

Size = tuple[int, int]
"""Rows and columns."""


class Annotated(NamedTuple):
    """Regions of some images, as far as they can be used.

    Attributes:
        regions: Position of an image to its regions.
        problems: Position of an image to the reason why its annotation cannot be used.
    """

    regions: Mapping[int, Regions]
    problems: Mapping[int, str]


def read_regions(
    dataset: Dataset, source: Source, rows: Sequence[int], images: Mapping[int, Tensor]
) -> Annotated:
    """The regions of the readable images among some rows.

    Args:
        dataset: Where regions come from.
        source: Split and view.
        rows: Positions in the split.
        images: Position among `rows` to the image as it is stored, uint8 [3, H, W].

    Raises:
        InputError: a path leaves the dataset.
    """
    kept = tuple(images)
    found = dataset.regions(source.split, [rows[place] for place in kept], source.view)
    regions: dict[int, Regions] = {}
    problems: dict[int, str] = {}
    for place, each in zip(kept, found, strict=True):
        if isinstance(each, Unreadable):
            problems[place] = each.reason
        elif each is not None and each.masks.shape[1:] != images[place].shape[1:]:
            problems[place] = (
                f"its regions are for {_size(each.masks)} pixels, the image has "
                f"{_size(images[place])}"
            )
        elif each is not None:
            regions[place] = each
    return Annotated(regions, problems)


def masks_of(
    output: Output,
    annotated: Annotated,
    kept: Sequence[int],
    pixels: Tensor,
    preprocess: Preprocess,
) -> Masks:
    """The regions of a batch on the grid that an output asks for.

    Args:
        output: Whose grid it is.
        annotated: Regions by position.
        kept: Positions of the images of the batch.
        pixels: uint8 [B, 3, h, w], the images as the network gets them.
        preprocess: Its resize and crop.
    """
    grid = grid_of(output, (int(pixels.shape[2]), int(pixels.shape[3])))
    image: list[int] = []
    concept: list[int] = []
    masks = [torch.zeros(0, *grid, dtype=torch.bool)]
    for index, place in enumerate(kept):
        regions = annotated.regions.get(place)
        if regions is not None and regions.concepts:
            image += [index] * len(regions.concepts)
            concept += regions.concepts
            masks.append(fit_masks(regions.masks, preprocess, grid))
    return Masks(
        annotated=torch.tensor([place in annotated.regions for place in kept], dtype=torch.bool),
        image=torch.tensor(image, dtype=torch.int64),
        concept=torch.tensor(concept, dtype=torch.int64),
        masks=torch.cat(masks),
    )


def grid_of(output: Output, size: Size) -> Size:
    """Rows and columns of the grid over a network's input of some size."""
    short = min(size)
    wanted = max(LEAST, short // 2) if output.size is None else output.size
    scale = min(wanted, short) / max(short, 1)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def part_of(masks: Masks, places: Sequence[int]) -> Masks:
    """The regions of some images of a batch."""
    order = torch.full((len(masks.annotated),), -1, dtype=torch.int64)
    order[list(places)] = torch.arange(len(places))
    chosen = (order[masks.image] >= 0).nonzero().flatten()
    chosen = chosen[order[masks.image[chosen]].argsort(stable=True)]
    return Masks(
        annotated=masks.annotated[list(places)],
        image=order[masks.image[chosen]],
        concept=masks.concept[chosen],
        masks=masks.masks[chosen],
    )


def mask_roles(outputs: Sequence[Output]) -> tuple[NetworkRole, ...]:
    """The networks whose view of the images regions are wanted for."""
    return tuple(dict.fromkeys(output.network for output in outputs if output.kind == "masks"))


def _size(image: Tensor) -> str:
    return f"{image.shape[2]}×{image.shape[1]}"
