"""What the failure audit keeps between its steps. N images, F features, T tasks, I inspected.

A task is the class label (T = 1), or one attribute with the classes 0 absent and 1 present.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from auditor.measure.state import Concatenated


def no_samples() -> Tensor:
    """No image of no group, int32 [0, 5]."""
    return torch.zeros(0, 5, dtype=torch.int32)


def no_values() -> Tensor:
    """No value of no slice, float32 [0, 0]."""
    return torch.zeros(0, 0)


@dataclass(frozen=True)
class TableState:
    """The feature store and what is known of every image; it grows with the images by intent.

    Attributes:
        rows: Positions in the split, int64 [N].
        part: 0 where trees are grown on the image, 1 where leaves are confirmed on it, int8 [N].
        truth: Class of each task, -1 unknown, int64 [N, T].
        predicted: Class that each inspected network calls it, -1 unknown, int64 [N, I, T].
        columns: Positions of the group columns' values, -1 unknown, int64 [N, K].
        attributes: Labels of the spec's attributes, +1, -1, 0 unknown, int8 [N, A].
        features: float32 [N, F].
    """

    rows: Concatenated
    part: Concatenated
    truth: Concatenated
    predicted: Concatenated
    columns: Concatenated
    attributes: Concatenated
    features: Concatenated


@dataclass(frozen=True)
class GrownState:
    """Trees and tests done; what is still missing is pictures of S slices.

    Attributes:
        document: The audit's result without pictures as JSON, uint8 [bytes].
        rows: Every row that a picture needs, ascending, once, int64 [R].
        feature: The feature that is shown, int64 [S].
        activating: Rows of its most activating images, most activating first, -1 where there are
            fewer, int64 [S, images].
        failures: Rows of random failures of the slice, -1 where there are fewer,
            int64 [S, failures].
        successes: Rows of random successes of its group, int64 [S, failures].
        samples: Images of all tested groups: group by its position in the result, row, part,
            whether it fails, deepest node, int32 [M, 5].
        values: The feature of the most activating images, float32 [S, images]; 0 where fewer.
    """

    document: Concatenated
    rows: Concatenated
    feature: Concatenated
    activating: Concatenated
    failures: Concatenated
    successes: Concatenated
    samples: Concatenated = field(default_factory=no_samples)
    values: Concatenated = field(default_factory=no_values)


@dataclass(frozen=True)
class PicturesState:
    """The pictures of S slices. Without a network at hand `maps` and `attacked` have no entries.

    Attributes:
        rows: Readable rows, ascending, int64 [R].
        pixels: Their images, uint8 [R, 3, H, W].
        shown: Whether the image of `GrownState.activating` is there and readable,
            uint8 [S, images].
        maps: Heat maps between 0 and 1, at the resolution of their layer,
            float32 [S, images, h, w] or [0].
        attacked: Images after the feature attack, uint8 [S, images, 3, H, W] or [0].
        before: The feature before the attack, float32 [S, images]; 0 where not shown.
        after: The feature after it.
        distance: l2 distance of the two images, for pixels in [0, 1].
    """

    rows: Concatenated
    pixels: Concatenated
    shown: Concatenated
    maps: Concatenated
    attacked: Concatenated
    before: Concatenated
    after: Concatenated
    distance: Concatenated
