"""What is read from one image for the explainer: regions to learn from, and pairs to be named."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from auditor.audits.filters.spec import Attention, FiltersSpec
from auditor.audits.filters.states import SelectedState
from auditor.measure.attention import attended, effective_places, masked_mean, place_masks
from auditor.measure.bootstrap import sample_keys
from auditor.measure.dissection import active_pixels, pair_truth

COMPARED: tuple[Attention, ...] = ("paper", "release", "activation", "original")
"""The first four of `METHODS`: those that the layer's maps are enough for."""


class Image(NamedTuple):
    """One image as the network and its annotation see it.

    Attributes:
        id: Sample id.
        row: Position in the split.
        bucket: Hash of the id.
        maps: float32 [U, h, w].
        channels: float32 [d, h, w]; without an explainer d is 0.
        concepts: int64 [P], each at most once.
        masks: bool [P, g, g'], empty where the crop left nothing.
    """

    id: str
    row: int
    bucket: int
    maps: Tensor
    channels: Tensor
    concepts: Tensor
    masks: Tensor


class Learnt(NamedTuple):
    """Regions to learn from, as in `RegionsState`.

    Attributes:
        region_features: float32 [M, d].
        region_concept: int64 [M].
        region_bucket: int64 [M].
    """

    region_features: Tensor
    region_concept: Tensor
    region_bucket: Tensor


class Shown(NamedTuple):
    """Pairs of a unit and this image, as in `RegionsState`.

    Attributes:
        pair_unit: int64 [S].
        pair_row: int64 [S].
        pair_bucket: int64 [S].
        pair_extent: float32 [S].
        pair_features: float32 [S, d].
        pair_truth: bool [S, C].
        other_unit: int64 [S1].
        other_row: int64 [S1].
        other_features: float32 [S1, 4, d].
        null_unit: int64 [S0].
        null_extent: float32 [S0].
        null_features: float32 [S0, d].
    """

    pair_unit: Tensor
    pair_row: Tensor
    pair_bucket: Tensor
    pair_extent: Tensor
    pair_features: Tensor
    pair_truth: Tensor
    other_unit: Tensor
    other_row: Tensor
    other_features: Tensor
    null_unit: Tensor
    null_extent: Tensor
    null_features: Tensor


def learnt(spec: FiltersSpec, image: Image, quota: float, *, seed: int) -> Learnt:
    """Mean features of the regions of one image of which a place is left.

    No image gives more than `quota` regions, so that there are at most quota × images of them
    whatever the annotation holds; which ones is a matter of their hashes.

    Args:
        spec: How a region becomes a mask of the layer's map.
        image: The image.
        quota: Regions per image, at most; where it is no whole number, a random part of the images
            gives one more. 0 where nothing learns.
        seed: Seed of the audit.
    """
    rule = "area" if spec.explainer is None else spec.explainer.masks
    side = (int(image.channels.shape[1]), int(image.channels.shape[2]))
    masks = place_masks(image.masks, side, rule)
    left = (masks > 0).flatten(1).any(1).nonzero().squeeze(1)
    kept = left[thinned(image.id, image.concepts[left], quota, seed=seed)]
    return Learnt(
        masked_mean(image.channels, masks[kept]),
        image.concepts[kept],
        torch.full((len(kept),), image.bucket),
    )


def thinned(sample: str, concepts: Tensor, quota: float, *, seed: int) -> Tensor:
    """Positions of the concepts of one image that are kept: those with the least hashes."""
    most = int(quota)
    if len(concepts) <= most:
        return torch.arange(len(concepts))
    named = [f"region {concept} {sample}" for concept in concepts.tolist()]
    keys = sample_keys([f"regions {sample}", *named], seed=seed)
    # int64 keys over 2^64 lie in [-1/2, 1/2).
    chance = float(keys[0]) * 2.0**-64 + 0.5
    most += chance < quota - most
    return keys[1:].argsort()[:most].sort().values


def shown(
    spec: FiltersSpec,
    image: Image,
    selected: SelectedState,
    pairs: Tensor,
    nulls: Tensor,
    *,
    num_concepts: int,
    seed: int,
) -> Shown:
    """The pairs of one image.

    Args:
        spec: The attention that names, and what counts as a detection.
        image: The image.
        selected: All pairs, with thresholds.
        pairs: Positions of those of this image, int64 [S].
        nulls: The same of the null [S0].
        num_concepts: C.
        seed: Seed of the audit.
    """
    units = selected.pair_unit[pairs]
    others = units[torch.isin(units, selected.evaluated)]
    attention = spec.naming.attention
    null_units = rising(image.maps, selected.null_unit[nulls])
    null_maps = scattered(image.maps[null_units], image.row, seed=seed)
    thresholds = selected.thresholds
    return Shown(
        pair_unit=units,
        pair_row=torch.full((len(units),), image.row),
        pair_bucket=torch.full((len(units),), image.bucket),
        pair_extent=effective_places(image.maps[units]),
        pair_features=attended(image.maps[units], image.channels, attention, thresholds[units]),
        pair_truth=truth(image, units, thresholds, num_concepts, spec.dissection.detector),
        other_unit=others,
        other_row=torch.full((len(others),), image.row),
        other_features=torch.stack(
            [
                attended(image.maps[others], image.channels, method, thresholds[others])
                for method in COMPARED
            ],
            dim=1,
        ),
        null_unit=null_units,
        null_extent=effective_places(null_maps),
        null_features=attended(null_maps, image.channels, attention, thresholds[null_units]),
    )


def truth(
    image: Image, units: Tensor, thresholds: Tensor, num_concepts: int, detector: float
) -> Tensor:
    """Concepts that some units overlap in one image, bool [S, C]."""
    if not len(units) or not len(image.concepts):
        return torch.zeros(len(units), num_concepts, dtype=torch.bool)
    grid = (int(image.masks.shape[1]), int(image.masks.shape[2]))
    active = active_pixels(image.maps[units], thresholds[units], grid)
    return pair_truth(active, image.concepts, image.masks, num_concepts, detector)


def rising(maps: Tensor, units: Tensor) -> Tensor:
    """The units that rise above 0 somewhere in an image, as those of all chosen pairs do."""
    return units[maps[units].flatten(1).amax(1) > 0]


def scattered(maps: Tensor, row: int, *, seed: int) -> Tensor:
    """Maps [A, h, w] of one image, the values of each moved to random places.

    The moves follow from the seed, the row and the position among the maps alone.
    """
    generator = torch.Generator().manual_seed(int(sample_keys([f"null {row}"], seed=seed)))
    moved = torch.rand(len(maps), maps.shape[1] * maps.shape[2], generator=generator).argsort(1)
    return maps.flatten(1).gather(1, moved).view_as(maps)
