"""What the folds of the attribute-relationship audit add up. n attributes make P pairs, i < j."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.measure.state import Concatenated, Largest, Summed


@dataclass(frozen=True)
class CosineState:
    """Per-image cosines of the attributes' gradients, over images with either attribute present.

    Attributes:
        num_images: Images whose gradients were taken [].
        num_units: Units of the layer [].
        count: Images that count for a pair [P].
        without: Images that would count, but one of the gradients was zero or not finite [P].
        total: Sum of cosines [P].
        squares: Sum of squared cosines [P].
        histogram: Counts in equal bins on [-1, 1] [P, bins].
        replicate_weight: Images per bootstrap replicate [R, P].
        replicate_total: Sum of cosines per bootstrap replicate [R, P].
    """

    num_images: Summed
    num_units: Largest
    count: Summed
    without: Summed
    total: Summed
    squares: Summed
    histogram: Summed
    replicate_weight: Summed
    replicate_total: Summed


@dataclass(frozen=True)
class LabelState:
    """Labels of the mined images.

    Attributes:
        num_images: Images [].
        cells: Images per pair of attributes and labels [n, n, 2, 2]; index 1 is present.
    """

    num_images: Summed
    cells: Summed


@dataclass(frozen=True)
class AccuracyState:
    """Labels against scores, on confirming images.

    Attributes:
        num_images: Images whose scores are all finite [].
        num_nonfinite: Images left out because a score is not [].
        answers: Images by prediction of the first and label of the second attribute: entry
            [i, j, s, t] counts images where j is labelled s and i is predicted t [n, n, 2, 2].
        cells: Images per pair and labels [n, n, 2, 2].
        right: How many of them are predicted right on the first attribute of the pair
            [n, n, 2, 2]; swap the attributes for the second.
        inner: Normal equations of the scores on all labels; see `measure.association`.
        cross: The same.
        squares: The same.
    """

    num_images: Summed
    num_nonfinite: Summed
    answers: Summed
    cells: Summed
    right: Summed
    inner: Summed
    cross: Summed
    squares: Summed


@dataclass(frozen=True)
class ExampleState:
    """A few images with the heat maps of all attributes.

    Attributes:
        pixels: uint8 [K, 3, H, W].
        maps: Signed gradient × activation over the layer's places, float32 [K, n, h, w].
        present: Labels, int8 [K, n]: 1 present, -1 absent, 0 unknown.
        channels: How much each channel contributes to each score, sums over images of
            |Σ_places ν∘x|, float64 [n, C]; C = 0 for layers without places.
    """

    pixels: Concatenated
    maps: Concatenated
    present: Concatenated
    channels: Summed


@dataclass(frozen=True)
class EnergyState:
    """What the threshold mask needs.

    Attributes:
        num_images: Images [].
        energy: Sum of squared contributions [n, *L].
    """

    num_images: Summed
    energy: Summed


@dataclass(frozen=True)
class ContributionState:
    """What the greedy mask needs; bounded by the spec's number of images.

    Attributes:
        contributions: ν∘x per image, float32 [I, n, *L].
        logits: Scores [I, n], float64.
    """

    contributions: Concatenated
    logits: Concatenated


@dataclass(frozen=True)
class MaskState:
    """The inference-pattern masks ρ, uint8 [n, *L]."""

    mask: Largest


def pair_indices(num_attributes: int) -> tuple[Tensor, Tensor]:
    """First and second attribute of every pair, in the order of all states [P]."""
    first, second = torch.triu_indices(num_attributes, num_attributes, offset=1)
    return first, second
