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

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

Criterion = Literal["balanced_entropy", "entropy", "gini"]

CHUNK = 1 << 23
"""Values that are sorted and scored at once: bounds the memory beyond the features."""

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


class Node(NamedTuple):
    """A node of a tree; 1 is the root, the low child of k is 2k, the high child 2k + 1."""

    index: int
    feature: int | None
    threshold: float | None
    gain: float | None
    size: int
    failures: int


class Scoring(NamedTuple):
    """What turns counts into gains in one node.

    Attributes:
        criterion: How impurity is measured.
        size: Samples of the node.
        failures: Failures of the node.
        weight: How much a failure counts against a success.
    """

    criterion: Criterion
    size: int
    failures: int
    weight: float

    def gain(self, size: Tensor, failures: Tensor) -> Tensor:
        """Decrease of impurity when `size` samples with `failures` failures go to one side.

        I(node) - Σ over sides of mass(side) / mass(node) · I(side), with failures weighted.
        """
        total = self._mass(torch.tensor(self.size), torch.tensor(self.failures)).to(size.device)
        whole = self._impurity(torch.tensor(self.size), torch.tensor(self.failures))
        other, other_failures = self.size - size, self.failures - failures
        sides = self._impurity(size, failures) + self._impurity(other, other_failures)
        return (whole.to(size.device) - sides) / total

    def table(self, device: torch.device) -> Tensor:
        """Gains of every pair of counts, float64 [size + 1, failures + 1]; nonsense where a side
        would hold more failures than samples."""
        sizes = torch.arange(self.size + 1, device=device).unsqueeze(1)
        failures = torch.arange(self.failures + 1, device=device)
        possible = (failures <= sizes) & (self.failures - failures <= self.size - sizes)
        return torch.where(possible, self.gain(sizes, failures), -torch.inf)

    def _mass(self, size: Tensor, failures: Tensor) -> Tensor:
        return (size - failures).double() + self.weight * failures.double()

    def _impurity(self, size: Tensor, failures: Tensor) -> Tensor:
        """Impurity times mass."""
        bad, good = self.weight * failures.double(), (size - failures).double()
        if self.criterion == "gini":
            mass = bad + good
            squares = torch.where(mass > 0, (bad * bad + good * good) / mass, 0.0)
            return mass - squares
        nats = torch.special.xlogy(bad + good, bad + good)
        nats = nats - torch.special.xlogy(bad, bad) - torch.special.xlogy(good, good)
        return nats / np.log(2.0)


class Presorted(NamedTuple):
    """Some features in ascending order.

    Attributes:
        start: Index of the first of them.
        order: Samples in ascending order of each feature, int64 [f, N].
        values: Their values, float32 [f, N].
        rises: Whether the value rises after a position, so that a split fits there, bool [f, N-1].
    """

    start: int
    order: Tensor
    values: Tensor
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
    scoring = root_scoring(failed, criterion)
    found = [chunk_stumps(part, failed, scoring, min_leaf) for part in presorted(features)]
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
    weight = root_scoring(failed, criterion).weight
    nodes: list[Node] = []
    everyone = torch.arange(len(failed), device=features.device)
    waiting = [(1, 0, everyone)]
    while waiting:
        index, depth, rows = waiting.pop(0)
        node = Node(index, None, None, None, len(rows), int(failed[rows].sum()))
        if depth < max_depth and 0 < node.failures < node.size:
            inside = features if len(rows) == len(failed) else features[rows]
            scoring = Scoring(criterion, node.size, node.failures, weight)
            node = split(node, inside, failed[rows], scoring, min_leaf)
        nodes.append(node)
        if node.feature is not None and node.threshold is not None:
            low = features[rows, node.feature].double() <= node.threshold
            waiting += [(2 * index, depth + 1, rows[low]), (2 * index + 1, depth + 1, rows[~low])]
    return tuple(sorted(nodes))


def split(node: Node, features: Tensor, failed: Tensor, scoring: Scoring, min_leaf: int) -> Node:
    """The node with its best split, where one gains anything."""
    best = node
    for part in presorted(features):
        stumps = chunk_stumps(part, failed, scoring, min_leaf)
        place = int(stumps.gain.argmax())
        gain = float(stumps.gain[place])
        if gain > max(NO_GAIN, best.gain or 0.0):
            threshold = float(stumps.threshold[place])
            best = node._replace(feature=part.start + place, threshold=threshold, gain=gain)
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
    splits = [node for node in nodes if node.feature is not None]
    for depth in range(max_depth):
        here = found[depth].clone()
        for node in splits:
            if node.index >> depth == 1:
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
    scoring = root_scoring(failed, criterion)
    generator = np.random.default_rng(seed)
    shuffled = np.stack(
        [generator.permutation(failed.cpu().numpy()) for _ in range(num_permutations)]
        or [np.zeros(num_samples, dtype=bool)]
    )[:num_permutations]
    labels = torch.from_numpy(shuffled).to(features.device, torch.int32)
    beyond = num_samples + 1
    fewest = torch.full((num_permutations, max(num_samples - 1, 0)), beyond, dtype=torch.int32)
    fewest = fewest.to(features.device)
    most = torch.full_like(fewest, -1)
    for part in presorted(features):
        never = torch.where(allowed(part, min_leaf), 0, beyond).to(torch.int32)
        for number in range(num_permutations):
            low = labels[number][part.order].cumsum(1, dtype=torch.int32)[:, :-1]
            torch.minimum(fewest[number], (low + never).amin(0), out=fewest[number])
            torch.maximum(most[number], (low - 2 * never).amax(0), out=most[number])
    sizes = torch.arange(1, num_samples, device=features.device)
    usable = most >= 0
    gains = torch.maximum(
        scoring.gain(sizes, fewest.clamp(max=num_samples)), scoring.gain(sizes, most.clamp(min=0))
    )
    gains = torch.where(usable, gains, -torch.inf)
    if gains.shape[1] == 0:
        return torch.full((num_permutations,), -torch.inf, dtype=torch.float64)
    return gains.amax(1).cpu()


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
    # Both counts in one number: one gather and one running sum give the two of them.
    packed = drawn * (num_samples + 1) + drawn * failed.long()
    scorings = [
        weighted_scoring(int(row.sum()), int((row * failed).sum()), criterion) for row in drawn
    ]
    best = torch.full((num_resamples,), NO_GAIN, dtype=torch.float64)
    chosen = torch.full((num_resamples,), -1, dtype=torch.int64)
    for part in presorted(features):
        for number, scoring in enumerate(scorings):
            if scoring is None:
                continue
            low = packed[number][part.order].cumsum(1)[:, :-1]
            size, failures = low // (num_samples + 1), low % (num_samples + 1)
            fits = part.rises & (size >= min_leaf) & (num_samples - size >= min_leaf)
            gains = torch.where(fits, scored(scoring, size, failures), -torch.inf).amax(1)
            place = int(gains.argmax())
            if float(gains[place]) > float(best[number]):
                best[number], chosen[number] = float(gains[place]), part.start + place
    return chosen


def root_scoring(failed: Tensor, criterion: Criterion) -> Scoring:
    """Scoring of the root; a group without failures or successes has nothing to gain."""
    size, failures = len(failed), int(failed.sum())
    found = weighted_scoring(size, failures, criterion)
    return found if found is not None else Scoring(criterion, size, failures, 1.0)


def weighted_scoring(size: int, failures: int, criterion: Criterion) -> Scoring | None:
    """Scoring with the class weight of these counts; None where there is nothing to tell apart."""
    if not 0 < failures < size:
        return None
    weight = (size - failures) / failures if criterion == "balanced_entropy" else 1.0
    return Scoring(criterion, size, failures, weight)


def presorted(features: Tensor) -> Iterator[Presorted]:
    """The features in ascending order, a bounded number of values at a time."""
    num_samples, num_features = features.shape
    step = max(1, CHUNK // max(num_samples, 1))
    for start in range(0, num_features, step):
        values = features[:, start : start + step].T.contiguous().float()
        # A float32's bits, with those of negative values turned round, sort like the value; the
        # sample stands below them, so that one sort of integers gives order and values.
        bits = (values + 0.0).view(torch.int32).long()
        ordered = torch.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
        keys = ordered << 32 | torch.arange(num_samples, device=features.device)
        if keys.device.type == "cpu":
            keys = torch.from_numpy(np.sort(keys.numpy(), axis=1))
        else:
            keys = keys.sort(1).values
        order = keys & 0xFFFFFFFF
        ranks = keys >> 32
        back = torch.where(ranks < 0, (-ranks) | 0x80000000, ranks)
        signed = torch.where(back > 0x7FFFFFFF, back - (1 << 32), back).to(torch.int32)
        yield Presorted(start, order, signed.view(torch.float32), ranks[:, 1:] > ranks[:, :-1])


def chunk_stumps(part: Presorted, failed: Tensor, scoring: Scoring, min_leaf: int) -> Stumps:
    """The best split of each of some features."""
    num_features, num_samples = part.order.shape
    if num_samples < 2:
        gain = torch.full((num_features,), -torch.inf, dtype=torch.float64).to(part.order.device)
        return Stumps(gain, torch.full_like(gain, torch.nan))
    low = failed.to(torch.int32)[part.order].cumsum(1, dtype=torch.int32)[:, :-1]
    sizes = torch.arange(1, num_samples, device=low.device).expand_as(low)
    gains = torch.where(allowed(part, min_leaf), scored(scoring, sizes, low), -torch.inf)
    gain, place = gains.max(1)
    below = part.values.gather(1, place.unsqueeze(1)).squeeze(1).double()
    above = part.values.gather(1, place.unsqueeze(1) + 1).squeeze(1).double()
    threshold = torch.where(gain.isfinite(), below / 2 + above / 2, torch.nan)
    return Stumps(gain, threshold)


def allowed(part: Presorted, min_leaf: int) -> Tensor:
    """Where a split fits: the value rises, and both sides are large enough, bool [f, N-1]."""
    num_samples = part.order.shape[1]
    sizes = torch.arange(1, num_samples, device=part.order.device)
    return part.rises & (sizes >= min_leaf) & (num_samples - sizes >= min_leaf)


def scored(scoring: Scoring, size: Tensor, failures: Tensor) -> Tensor:
    """Gains of many pairs of counts, from a table where that is smaller than they are."""
    columns = scoring.failures + 1
    if (scoring.size + 1) * columns > size.numel():
        return scoring.gain(size, failures)
    return scoring.table(size.device).flatten()[size * columns + failures]


def check(features: Tensor, failed: Tensor) -> None:
    if features.ndim != 2 or failed.shape != features.shape[:1] or failed.dtype != torch.bool:
        raise ValueError(
            f"features [N, F] and failed bool [N] are needed, not {list(features.shape)} and "
            f"{failed.dtype} {list(failed.shape)}"
        )
    if not bool(features.isfinite().all()):
        raise ValueError("features must be finite; leave out those that are not")
