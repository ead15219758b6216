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

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from auditor.measure.splits import (
    NO_GAIN,
    Criterion,
    Presorted,
    Scoring,
    check,
    pieces,
    presort,
    scoring_of,
    split_gains,
)
from auditor.measure.threads import spread

NULL_FEATURES = 1024
"""Features of the null that advance together."""


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

    def stumps_of(piece: range) -> Stumps:
        return chunk_stumps(presort(features, piece), features, failed, scoring, table)

    found = spread(stumps_of, pieces(features), device=features.device)
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

    def stumps_of(piece: range) -> Stumps:
        return chunk_stumps(presort(features, piece), features, failed, scoring, table)

    parts = pieces(features)
    for piece, stumps in zip(parts, spread(stumps_of, parts, device=features.device), strict=True):
        place = int(stumps.gain.argmax())
        gain = float(stumps.gain[place])
        if gain > max(NO_GAIN, best.gain or 0.0):
            threshold = float(stumps.threshold[place])
            best = replace(best, feature=piece.start + place, threshold=threshold, gain=gain)
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
    shuffled = torch.from_numpy(labels).to(features.device)
    extremes = extremes_by_place if features.device.type == "cpu" else extremes_by_feature
    fewest, most = extremes(features, shuffled)
    sizes = torch.arange(1, num_samples, device=features.device).unsqueeze(1)
    gains = torch.maximum(
        scoring.gain(sizes, fewest.clamp(max=scoring.failures)),
        scoring.gain(sizes, most.clamp(min=0)),
    )
    return torch.where(most >= 0, gains, -torch.inf).amax(0).cpu()


class Extremes(NamedTuple):
    """Failures among the lowest 1 to N - 1 values of any feature that splits there, [N - 1, P].

    Attributes:
        fewest: The least, more than N where no feature splits.
        most: The most, negative where no feature splits.
    """

    fewest: Tensor
    most: Tensor


def extremes_by_place(features: Tensor, shuffled: Tensor) -> Extremes:
    """Many features and all shuffles advance together, one place in the order after the other.

    Args:
        features: [N, F].
        shuffled: Shuffled failures, bool [N, P].
    """
    num_samples, num_permutations = shuffled.shape
    # Few bytes per count keep a step within the cache; numpy takes and adds whole rows.
    kind = np.int16 if num_samples < np.iinfo(np.int16).max else np.int32
    labels = shuffled.numpy().astype(kind)

    def extremes_of(piece: range) -> Extremes:
        _, order, stays = presort(features, piece)
        places, fitting = order.T.long().contiguous().numpy(), ~stays.T.contiguous().numpy()
        fewest = np.full((num_samples - 1, num_permutations), num_samples + 1, dtype=kind)
        most = np.full_like(fewest, -1)
        count = np.zeros((len(piece), num_permutations), dtype=kind)
        step = np.empty_like(count)
        for place, fits in enumerate(fitting):
            # Every position is valid; any mode but the default takes without a copy.
            np.add(count, np.take(labels, places[place], axis=0, out=step, mode="clip"), out=count)
            some = count if fits.all() else count[fits]
            if len(some):
                some.min(0, out=fewest[place])
                some.max(0, out=most[place])
        return Extremes(torch.from_numpy(fewest), torch.from_numpy(most))

    parts = pieces(features, at_most=NULL_FEATURES)
    found = spread(extremes_of, parts, device=features.device)
    beyond = torch.full((num_samples - 1, num_permutations), num_samples + 1)
    fewest, most = beyond, torch.full_like(beyond, -1)
    for each in found:
        fewest, most = torch.minimum(fewest, each.fewest), torch.maximum(most, each.most)
    return Extremes(fewest, most)


def extremes_by_feature(features: Tensor, shuffled: Tensor) -> Extremes:
    """The same feature by feature, all places at once, as suits a GPU.

    Args:
        features: [N, F].
        shuffled: Shuffled failures, bool [N, P].
    """
    counts = shuffled.int()
    beyond = len(counts) + 1
    fewest = torch.full_like(counts[1:], beyond)
    most = torch.full_like(fewest, -1)
    for piece in pieces(features):
        part = presort(features, piece)
        # Where a value stays the same no split fits: a count that can be neither least nor most.
        never = part.stays.int().unsqueeze(2) * 2 * beyond
        for order, shut in zip(part.order, never, strict=True):
            low = counts.index_select(0, order).cumsum(0, dtype=torch.int32)[:-1]
            torch.minimum(fewest, low + shut, out=fewest)
            torch.maximum(most, low - shut, out=most)
    return Extremes(fewest, most)


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
    if num_samples < 2:
        return torch.full((num_resamples,), -1, dtype=torch.int64)
    parts = [presort(features, piece) for piece in pieces(features)]

    def chosen(number: int) -> int:
        scoring = scoring_of(num_samples, int(fails[number].sum()), criterion, min_leaf)
        table = scoring.table(features)
        best, feature = NO_GAIN, -1
        for part in parts:
            gains = split_gains(part, drawn[number], fails[number], scoring, table).amax(1)
            place = int(gains.argmax())
            if float(gains[place]) > best:
                best, feature = float(gains[place]), part.start + place
        return feature

    return torch.tensor(spread(chosen, range(num_resamples), device=features.device)).long()


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
        features[part.order.gather(1, at.unsqueeze(1)).squeeze(1).long(), columns].double()
        for at in (place, place + 1)
    )
    return Stumps(gain, torch.where(gain.isfinite(), below / 2 + above / 2, torch.nan))
