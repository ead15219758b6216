"""Looks into the feature store without copying it: whole columns, or the rows of one group."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

MAX_BLOCK_BYTES = 64 << 20
"""Rows of the store that are looked at together take about this much memory."""


class Health(NamedTuple):
    """Which features a tree can do nothing with, over all images.

    Attributes:
        nonfinite: NaN or infinite for some image, bool [F].
        constant: The same finite value for every image, bool [F].
    """

    nonfinite: Tensor
    constant: Tensor

    @property
    def num_usable(self) -> int:
        """Features that are neither."""
        return int((~(self.nonfinite | self.constant)).sum())


def feature_health(features: Tensor) -> Health:
    """Constant and non-finite features of a store [N, F], block by block."""
    num_features = features.shape[1]
    low = torch.full((num_features,), torch.inf)
    high = torch.full((num_features,), -torch.inf)
    nonfinite = torch.zeros(num_features, dtype=torch.bool)
    num_rows = max(1, MAX_BLOCK_BYTES // (4 * max(1, num_features)))
    for start in range(0, len(features), num_rows):
        block = features[start : start + num_rows]
        low, high = torch.minimum(low, block.amin(0)), torch.maximum(high, block.amax(0))
        nonfinite |= ~block.isfinite().all(0)
    # Without images there is nothing to tell features apart by: all count as constant.
    return Health(nonfinite, ~nonfinite & (low >= high))


def group_features(features: Tensor, positions: Tensor, nonfinite: Tensor) -> Tensor:
    """A copy of some rows, with every non-finite feature at zero: a constant splits nothing.

    Args:
        features: [N, F].
        positions: [n].
        nonfinite: Features to blank out [F].

    Returns:
        [n, F].
    """
    rows = features[positions]
    if nonfinite.any():
        rows[:, nonfinite] = 0.0
    return rows
