"""Shallow decision trees over many features, by exact search: sort once, then count.

A split of one feature is scored by two numbers, how many samples lie on its low side and how many
of them failed. All splits of all features therefore come from one sort and one cumulative sum, and
their gains from a table over those two numbers. No feature has to be preselected.

    best_stumps       the best split of each feature
    grow_tree         greedy tree (CART: Breiman et al., 1984) of depth 1 to a few
    place_samples     which node a sample lies in, at each depth
    stump_null        the best split of all features when failures are shuffled
    stump_resamples   the feature of the best split when samples are drawn again

N samples, F features. Features are float32, as in scikit-learn's trees.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

Criterion = Literal["balanced_entropy", "entropy", "gini"]

CHUNK = {"cpu": 1 << 20, "cuda": 1 << 24}
"""Values that are sorted and scored at once: what a CPU keeps near, what keeps a GPU busy."""

NO_GAIN = 1e-12
"""A split that gains no more than this gains nothing but rounding."""


class Stumps(NamedTuple):
    """The best split of each feature.

    Attributes:
        gain: Decrease of impurity in bits (Gini: in shares), -inf where no split is allowed,
            float64 [F].
        threshold: Low side: at most this value; NaN where no split is allowed, float64 [F].
    """

    gain: Tensor
    threshold: Tensor


@dataclass(frozen=True)
class Node:
    """A node of a tree; 1 is the root, the low child of k is 2k, the high child 2k + 1."""

    index: int
    feature: int | None
    threshold: float | None
    gain: float | None
    size: int
    failures: int


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
        counts = torch.tensor([self.size, self.failures], device=size.device)
        whole = self._impurity(counts[0], counts[1])
        sides = self._impurity(size, failures) + self._impurity(other, other_failures)
        total = (self.size - self.failures) + self.weight * self.failures
        fits = (size >= self.min_leaf) & (other >= self.min_leaf)
        fits = fits & (failures <= size) & (other_failures <= other)
        return torch.where(fits, (whole - sides) / total, -torch.inf)

    def table(self, features: Tensor) -> Tensor | None:
        """Gains of every pair of counts, float64 [(size + 1) · (failures + 1)], by size first;
        None where that is more than there are splits to score."""
        if (self.size + 1) * (self.failures + 1) > features.numel():
            return None
        sizes = torch.arange(self.size + 1, device=features.device).unsqueeze(1)
        return self.gain(sizes, torch.arange(self.failures + 1, device=features.device)).flatten()

    def _impurity(self, size: Tensor, failures: Tensor) -> Tensor:
        """Impurity times mass."""
        bad, good = self.weight * failures.double(), (size - failures).clamp(min=0).double()
        mass: Tensor = bad + good
        if self.criterion == "gini":
            return mass - torch.where(mass > 0, (bad * bad + good * good) / mass, 0.0)
        apart = torch.special.xlogy(bad, bad) + torch.special.xlogy(good, good)
        nats: Tensor = torch.special.xlogy(mass, mass) - apart
        return nats / math.log(2.0)


class Presorted(NamedTuple):
    """Some features in ascending order.

    Attributes:
        start: Index of the first of them.
        order: Samples in ascending order of each feature, int64 [f, N].
        rises: Whether the value rises after a position, so that a split fits there, bool [f, N-1].
    """

    start: int
    order: Tensor
    rises: Tensor


def best_stumps(
    features: Tensor, failed: Tensor, *, criterion: Criterion, min_leaf: int = 1
) -> Stumps:
    """The best split of each feature, exactly.

    Args:
        features: Finite, [N, F].
        failed: bool [N].
        criterion: `balanced_entropy` weights a failure by #success / #failure, as the release of
            Singla et al. (CVPR 2021) does through class weights; the gain is then the
            Jensen-Shannon divergence between P(side | failure) and P(side | success), in bits.
        min_leaf: Samples on each side at least.

    Raises:
        ValueError: shapes do not fit, or a feature is not finite.
    """
    check(features, failed)
    scoring = scoring_of(len(failed), int(failed.sum()), criterion, min_leaf)
    table = scoring.table(features)
    found = [chunk_stumps(part, features, failed, scoring, table) for part in presorted(features)]
    if not found:
        empty = torch.zeros(0, dtype=torch.float64, device=features.device)
        return Stumps(empty, empty)
    return Stumps(
        torch.cat([each.gain for each in found]), torch.cat([each.threshold for each in found])
    )


def grow_tree(
    features: Tensor, failed: Tensor, *, max_depth: int, criterion: Criterion, min_leaf: int
) -> tuple[Node, ...]:
    """A tree grown greedily: each node takes the split that gains most; ties go to the feature
    with the smaller index, then to the smaller threshold.

    The class weight of `balanced_entropy` is that of the root in every node, as class weights are.

    Args:
        features: Finite, [N, F].
        failed: bool [N].
        max_depth: Splits on a path at most.
        criterion: As in `best_stumps`.
        min_leaf: Samples of a leaf at least.

    Returns:
        The nodes, by index.

    Raises:
        ValueError: shapes do not fit, or a feature is not finite.
    """
    check(features, failed)
    weight = scoring_of(len(failed), int(failed.sum()), criterion, min_leaf).weight
    nodes: list[Node] = []
    everyone = torch.arange(len(failed), device=features.device)
    waiting = [(1, 0, everyone)]
    while waiting:
        index, depth, rows = waiting.pop(0)
        node = Node(index, None, None, None, len(rows), int(failed[rows].sum()))
        if depth < max_depth and 0 < node.failures < node.size:
            inside = features if len(rows) == len(failed) else features[rows]
            scoring = Scoring(criterion, node.size, node.failures, weight, min_leaf)
            node = split(node, inside, failed[rows], scoring)
        nodes.append(node)
        if node.feature is not None and node.threshold is not None:
            low = features[rows, node.feature].double() <= node.threshold
            waiting += [(2 * index, depth + 1, rows[low]), (2 * index + 1, depth + 1, rows[~low])]
    return tuple(sorted(nodes, key=lambda node: node.index))


def split(node: Node, features: Tensor, failed: Tensor, scoring: Scoring) -> Node:
    """The node with its best split, where one gains anything."""
    best, table = node, scoring.table(features)
    for part in presorted(features):
        stumps = chunk_stumps(part, features, failed, scoring, table)
        place = int(stumps.gain.argmax())
        gain = float(stumps.gain[place])
        if gain > max(NO_GAIN, best.gain or 0.0):
            threshold = float(stumps.threshold[place])
            best = replace(best, feature=part.start + place, threshold=threshold, gain=gain)
    return best


def place_samples(nodes: tuple[Node, ...], features: Tensor, *, max_depth: int) -> Tensor:
    """Node of every sample at every depth; where a branch has ended, its leaf.

    Args:
        nodes: A tree.
        features: [N, F], of any samples.
        max_depth: Depth to go down to.

    Returns:
        int64 [max_depth + 1, N]; row d is the tree cut at depth d.
    """
    found = torch.ones(max_depth + 1, len(features), dtype=torch.int64, device=features.device)
    for depth in range(max_depth):
        here = found[depth].clone()
        for node in nodes:
            if node.feature is None or node.threshold is None or node.index >> depth != 1:
                continue
            inside = found[depth] == node.index
            high = features[inside, node.feature].double() > node.threshold
            here[inside] = 2 * node.index + high.long()
        found[depth + 1] = here
    return found


def stump_null(
    features: Tensor,
    failed: Tensor,
    *,
    num_permutations: int,
    criterion: Criterion,
    min_leaf: int,
    seed: int,
) -> Tensor:
    """Gain of the best split of all features for shuffled failures.

    For a given size of a side the gain is convex in its failures, so the largest gain over all
    features is that of the smallest or of the largest count: no gain is computed per feature.

    Args:
        features: Finite, [N, F].
        failed: bool [N].
        num_permutations: P.
        criterion: As in `best_stumps`.
        min_leaf: Samples on each side at least.
        seed: Of the shuffles.

    Returns:
        float64 [P]; -inf where no split is allowed.

    Raises:
        ValueError: shapes do not fit, or a feature is not finite.
    """
    check(features, failed)
    num_samples = len(failed)
    scoring = scoring_of(num_samples, int(failed.sum()), criterion, min_leaf)
    if num_samples < 2 or not num_permutations:
        return torch.full((num_permutations,), -torch.inf, dtype=torch.float64)
    generator = np.random.default_rng(seed)
    labels = np.stack(
        [generator.permutation(failed.cpu().numpy()) for _ in range(num_permutations)], axis=1
    )
    shuffled = torch.from_numpy(labels).to(features.device, torch.int32)
    beyond = num_samples + 1
    fewest = torch.full_like(shuffled[1:], beyond)
    most = torch.full_like(fewest, -1)
    for part in presorted(features):
        # Where a value does not rise no split fits: a count that can be neither least nor most.
        never = (~part.rises).int() * 2 * beyond
        for order, shut in zip(part.order, never, strict=True):
            low = running(shuffled.index_select(0, order))[:-1]
            if bool(shut.any()):
                torch.minimum(fewest, low + shut.unsqueeze(1), out=fewest)
                torch.maximum(most, low - shut.unsqueeze(1), out=most)
            else:
                torch.minimum(fewest, low, out=fewest)
                torch.maximum(most, low, out=most)
    sizes = torch.arange(1, num_samples, device=features.device).unsqueeze(1)
    gains = torch.maximum(scoring.gain(sizes, fewest), scoring.gain(sizes, most.clamp(min=0)))
    return torch.where(most >= 0, gains, -torch.inf).amax(0).cpu()


def running(counts: Tensor) -> Tensor:
    """Running sum down the columns."""
    if counts.device.type == "cpu":
        # numpy walks along rows of memory here, torch down each column.
        return torch.from_numpy(np.cumsum(counts.numpy(), axis=0, dtype=np.int32))
    return counts.cumsum(0, dtype=torch.int32)


def stump_resamples(
    features: Tensor,
    failed: Tensor,
    *,
    num_resamples: int,
    criterion: Criterion,
    min_leaf: int,
    seed: int,
) -> Tensor:
    """Feature of the best split of bootstrap resamples, drawn as multiplicities of the samples.

    Args:
        features: Finite, [N, F].
        failed: bool [N].
        num_resamples: R.
        criterion: As in `best_stumps`.
        min_leaf: Samples on each side at least, drawn ones counted as often as they are drawn.
        seed: Of the draws.

    Returns:
        int64 [R]; -1 where no split gains anything.

    Raises:
        ValueError: shapes do not fit, or a feature is not finite.
    """
    check(features, failed)
    num_samples = len(failed)
    generator = np.random.default_rng(seed)
    chances = np.full(num_samples, 1.0 / max(num_samples, 1))
    drawn = torch.from_numpy(generator.multinomial(num_samples, chances, size=num_resamples))
    drawn = drawn.to(features.device)
    fails = drawn * failed.long()
    best = torch.full((num_resamples,), NO_GAIN, dtype=torch.float64)
    chosen = torch.full((num_resamples,), -1, dtype=torch.int64)
    if num_samples < 2:
        return chosen
    scorings = [
        scoring_of(num_samples, int(failures.sum()), criterion, min_leaf) for failures in fails
    ]
    parts = list(presorted(features))
    for number, scoring in enumerate(scorings):
        table = scoring.table(features)
        for part in parts:
            gains = split_gains(part, drawn[number], fails[number], scoring, table).amax(1)
            place = int(gains.argmax())
            if float(gains[place]) > float(best[number]):
                best[number], chosen[number] = float(gains[place]), part.start + place
    return chosen


def scoring_of(size: int, failures: int, criterion: Criterion, min_leaf: int) -> Scoring:
    """Scoring of a root with these counts; a side is never empty."""
    weigh = criterion == "balanced_entropy" and failures > 0
    weight = (size - failures) / failures if weigh else 1.0
    return Scoring(criterion, size, failures, weight, max(min_leaf, 1))


def presorted(features: Tensor) -> Iterator[Presorted]:
    """The features in ascending order, a bounded number of values at a time."""
    num_samples, num_features = features.shape
    step = max(1, CHUNK.get(features.device.type, 1 << 20) // max(num_samples, 1))
    samples = torch.arange(num_samples, device=features.device)
    for start in range(0, num_features, step):
        # -0.0 + 0.0 is 0.0: the two zeros are one value.
        values = features[:, start : start + step].T.float() + 0.0
        bits = values.contiguous().view(torch.int32)
        # A float32's bits sort like the value once those of negative values are turned round. The
        # sample stands below them, so one sort of integers gives the order and where it rises.
        ranks = bits ^ ((bits >> 31) & 0x7FFFFFFF)
        keys = (ranks.long() << 32) | samples
        if keys.device.type == "cpu":
            keys = torch.from_numpy(np.sort(keys.numpy(), axis=1))
        else:
            keys = keys.sort(1).values
        ranks = (keys >> 32).int()
        yield Presorted(start, keys & 0xFFFFFFFF, ranks[:, 1:] > ranks[:, :-1])


def chunk_stumps(
    part: Presorted, features: Tensor, failed: Tensor, scoring: Scoring, table: Tensor | None
) -> Stumps:
    """The best split of each of some features; `features` holds all of them."""
    num_features, num_samples = part.order.shape
    if num_samples < 2:
        nothing = torch.full((num_features,), torch.nan, dtype=torch.float64)
        return Stumps(torch.full_like(nothing, -torch.inf), nothing)
    gain, place = split_gains(part, torch.ones_like(failed), failed, scoring, table).max(1)
    columns = torch.arange(part.start, part.start + num_features, device=features.device)
    below, above = (
        features[part.order.gather(1, at.unsqueeze(1)).squeeze(1), columns].double()
        for at in (place, place + 1)
    )
    return Stumps(gain, torch.where(gain.isfinite(), below / 2 + above / 2, torch.nan))


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
    low = step[part.order].cumsum_(1)[:, :-1]
    gains = table.take(low) if table is not None else scoring.gain(low // columns, low % columns)
    return gains.masked_fill_(~part.rises, -torch.inf)


def check(features: Tensor, failed: Tensor) -> None:
    if features.ndim != 2 or failed.shape != features.shape[:1] or failed.dtype != torch.bool:
        raise ValueError(
            f"features [N, F] and failed bool [N] are needed, not {list(features.shape)} and "
            f"{failed.dtype} {list(failed.shape)}"
        )
    if not bool(features.isfinite().all()):
        raise ValueError("features must be finite; leave out those that are not")
