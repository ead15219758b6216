"""Splits of many features in one node: sorted once, scored by two counts.

A split is scored by how many samples lie on its low side and how many of them failed. One sort and
one cumulative sum per feature give both for every split, and a table turns them into gains.

N samples, f or F features. Features are float32, as in scikit-learn's trees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

Criterion = Literal["balanced_entropy", "entropy", "gini"]

CHUNK = {"cpu": 1 << 18, "cuda": 1 << 24}
"""Values that are sorted and scored at once: what a CPU keeps near, what keeps a GPU busy."""

NO_GAIN = 1e-12
"""A split that gains no more than this gains nothing but rounding."""

TINY = torch.finfo(torch.float64).tiny
"""What stands for zero where zero has no logarithm and divides nothing."""


@dataclass(frozen=True)
class Scoring:
    """What turns counts into gains in one node.

    Attributes:
        criterion: How impurity is measured.
        size: Samples of the node.
        failures: Failures of the node.
        weight: How much a failure counts against a success.
        min_leaf: Samples on each side at least.
    """

    criterion: Criterion
    size: int
    failures: int
    weight: float
    min_leaf: int

    def gain(self, size: Tensor, failures: Tensor) -> Tensor:
        """Decrease of impurity when `size` samples with `failures` failures go to one side.

        I(node) - Σ over sides of mass(side) / mass(node) · I(side), with failures weighted;
        -inf where a side is too small or would hold more failures than samples.
        """
        other, other_failures = self.size - size, self.failures - failures
        side = self._impurity(failures, size - failures)
        rest = self._impurity(other_failures, other - other_failures)
        fits = (size >= self.min_leaf) & (other >= self.min_leaf)
        fits = fits & (failures <= size) & (other_failures <= other)
        return torch.where(fits, self._decrease(side + rest), -torch.inf)

    def table(self, features: Tensor) -> Tensor | None:
        """Gains of every pair of counts, float64 [(size + 1) · (failures + 1)], by size first;
        None where that is many more than there are splits to score.

        Pairs that no split can have, more failures than samples on a side, hold anything.
        """
        columns = self.failures + 1
        if (self.size + 1) * columns > 4 * features.numel():
            return None
        # Successes depend on the difference of both counts alone: each row of the table is the
        # one before, moved on by one.
        successes = torch.arange(-self.failures, self.size + 1, device=features.device)
        along = successes.clamp(min=0).double()
        failures = torch.arange(columns, device=features.device)
        side = self._impurity(failures, along.unfold(0, columns, 1).flip(1))
        # The other side has what is left of both counts: the same table from its other end.
        gains = self._decrease(side + side.flip((0, 1)))
        gains[: self.min_leaf] = -torch.inf
        gains[max(self.size - self.min_leaf + 1, 0) :] = -torch.inf
        return gains.flatten()

    def _impurity(self, failures: Tensor, successes: Tensor) -> Tensor:
        """Impurity times mass; entropy in nats."""
        bad, good = self.weight * failures.double(), successes.clamp(min=0)
        mass: Tensor = bad + good
        if self.criterion == "gini":
            return 2 * bad * good / mass.clamp(min=TINY)  # 1 - p² - q² = 2pq
        return x_log_x(mass) - x_log_x(bad) - x_log_x(good)

    def _decrease(self, sides: Tensor) -> Tensor:
        """Gain, in the units of the criterion, from both sides' impurity times mass."""
        counts = torch.tensor([self.failures, self.size - self.failures], device=sides.device)
        unit = (self.size - self.failures) + self.weight * self.failures
        if self.criterion != "gini":
            unit *= math.log(2.0)
        return (self._impurity(counts[0], counts[1]) - sides) / unit


def x_log_x(mass: Tensor) -> Tensor:
    """x log x, 0 at 0, for float64 or whole numbers that are not negative."""
    values = mass.double()
    logarithms = values.clamp(min=TINY)
    if mass.device.type == "cpu":
        # numpy's logarithm takes a tenth of the time of torch's on a CPU.
        np.log(logarithms.numpy(), out=logarithms.numpy())
    else:
        logarithms.log_()
    return logarithms.mul_(values)


class Presorted(NamedTuple):
    """Some features in ascending order.

    Attributes:
        start: Index of the first of them.
        order: Samples in ascending order of each feature, int32 [f, N].
        stays: Whether the value stays the same after a position, so that no split fits there,
            bool [f, N - 1].
    """

    start: int
    order: Tensor
    stays: Tensor


def scoring_of(size: int, failures: int, criterion: Criterion, min_leaf: int) -> Scoring:
    """Scoring of a root with these counts; a side is never empty."""
    weigh = criterion == "balanced_entropy" and failures > 0
    weight = (size - failures) / failures if weigh else 1.0
    return Scoring(criterion, size, failures, weight, max(min_leaf, 1))


def pieces(features: Tensor, *, at_most: int | None = None) -> list[range]:
    """The features in pieces of a bounded number of values, and of features."""
    num_samples, num_features = features.shape
    step = max(1, CHUNK.get(features.device.type, 1 << 20) // max(num_samples, 1))
    step = min(step, at_most or step)
    return [range(start, min(start + step, num_features)) for start in range(0, num_features, step)]


def presort(features: Tensor, piece: range) -> Presorted:
    """Some of the features [N, F] in ascending order."""
    samples = torch.arange(len(features), device=features.device)
    # -0.0 + 0.0 is 0.0: the two zeros are one value.
    values = features[:, piece.start : piece.stop].T.float() + 0.0
    bits = values.contiguous().view(torch.int32)
    # A float32's bits sort like the value once those of negative values are turned round. The
    # sample stands below them, so one sort of integers gives the order and where the value rises.
    ranks = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    keys = (ranks.long() << 32) | samples
    if keys.device.type == "cpu":
        keys = torch.from_numpy(np.sort(keys.numpy(), axis=1))
    else:
        keys = keys.sort(1).values
    # Seen as pairs of 32-bit words, of which the lower comes first on every machine torch runs on.
    words = keys.view(torch.int32)
    samples, ranks = words[:, ::2].contiguous(), words[:, 1::2]
    return Presorted(piece.start, samples, ranks[:, 1:] == ranks[:, :-1])


def split_gains(
    part: Presorted, drawn: Tensor, failures: Tensor, scoring: Scoring, table: Tensor | None
) -> Tensor:
    """Gain of a split after each position, -inf where none fits, float64 [f, N - 1].

    Args:
        part: Some features.
        drawn: How often each sample counts, [N].
        failures: How often each counts as a failure, [N].
        scoring: Of the node.
        table: Its table, where there is one.
    """
    columns = scoring.failures + 1
    # Size and failures of the low side in one number, which is also a place in the table of gains:
    # one gather and one running sum give both.
    step = drawn.long() * columns + failures.long()
    # index_select of a flat index is several times as quick as the same by `take` or by brackets.
    low = step.index_select(0, part.order.flatten()).view(part.order.shape).cumsum_(1)
    if table is None:
        gains = scoring.gain(low // columns, low % columns)
    else:
        gains = table.index_select(0, low.flatten()).view(low.shape)
    return gains[:, :-1].masked_fill_(part.stays, -torch.inf)


def check(features: Tensor, failed: Tensor) -> None:
    if features.ndim != 2 or failed.shape != features.shape[:1] or failed.dtype != torch.bool:
        raise ValueError(
            f"features [N, F] and failed bool [N] are needed, not {list(features.shape)} and "
            f"{failed.dtype} {list(failed.shape)}"
        )
    # The extremes are NaN or infinite where any value is, and take one pass.
    if features.numel() and not all(bool(end.isfinite()) for end in torch.aminmax(features)):
        raise ValueError("features must be finite; leave out those that are not")
