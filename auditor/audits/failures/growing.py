"""From a group's images on the growing part to its tree, and how far to trust the first split."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from auditor.audits.failures.spec import FailuresSpec, SelectionSpec
from auditor.measure.bootstrap import sample_keys
from auditor.measure.intervals import wilson
from auditor.measure.mutual_information import binned_mutual_information, mutual_information
from auditor.measure.trees import (
    Node,
    best_stumps,
    grow_tree,
    place_samples,
    stump_null,
    stump_resamples,
)
from auditor.results.estimate import Estimate

LEVEL = 0.95
"""Coverage of every interval that a reader sees."""

MAX_RIVALS = 5

ROUNDING = 1e-12
"""Gains closer than this are one: they differ by the order of summation."""


@dataclass(frozen=True, eq=False)
class Tree:
    """A tree and its first split's credentials.

    Attributes:
        nodes: By index; features are positions in the whole feature vector.
        num_features: Features that it could use.
        null_p_value: Share of shuffles whose best stump gains as much.
        null_gain: Mean gain of the best stump over the shuffles.
        stability: Share of resamples whose best stump uses the same feature.
        rivals: Features that the resamples chose, with their shares.
    """

    nodes: tuple[Node, ...]
    num_features: int
    null_p_value: Estimate
    null_gain: float | None
    stability: Estimate
    rivals: tuple[tuple[int, float], ...]


def grow(spec: FailuresSpec, features: Tensor, failed: Tensor, *, seed: int) -> Tree:
    """Select features, grow the tree, and hold its first split against chance.

    Null and stability look at the best stump of all features, whatever was selected: a selection
    that has seen the failures would otherwise make the null too easy to beat.

    Args:
        spec: The audit's spec.
        features: The group's images on the growing part [n, F], all finite.
        failed: bool [n].
        seed: Seed of shuffles, resamples and jitter.
    """
    columns = selected(spec.selection, features, failed, seed=seed)
    chosen = features if len(columns) == features.shape[1] else features[:, columns]
    local = grow_tree(
        chosen, failed, max_depth=spec.max_depth, criterion=spec.criterion, min_leaf=spec.min_leaf
    )
    nodes = tuple(
        node if node.feature is None else replace(node, feature=int(columns[node.feature]))
        for node in local
    )
    null_p_value, null_gain = null_of(spec, features, failed, seed=seed)
    stability, rivals = stability_of(spec, features, failed, nodes[0].feature, seed=seed)
    return Tree(nodes, num_usable(features, columns), null_p_value, null_gain, stability, rivals)


def num_usable(features: Tensor, columns: Tensor) -> int:
    """How many of the selected features vary over the images."""
    return int(varying(features)[columns].sum())


def varying(features: Tensor) -> Tensor:
    """Features that are not constant over the images, bool [F]."""
    return features.amin(0) < features.amax(0)


def selected(selection: SelectionSpec, features: Tensor, failed: Tensor, *, seed: int) -> Tensor:
    """Positions of the features that a tree may use, ascending, int64 [K].

    Constant features are never selected for what they tell; ties go to the smaller position.
    """
    match selection.method:
        case "none":
            return torch.arange(features.shape[1])
        case "binned":
            scores = binned_mutual_information(features, failed, num_bins=selection.num_bins)
        case _:
            scores = mutual_information(
                features, failed, num_neighbors=selection.num_neighbors, seed=seed
            )
    scores = torch.where(varying(features), scores.double(), -torch.inf)
    order = scores.sort(descending=True, stable=True).indices
    kept = min(selection.num_features, int(scores.isfinite().sum()))
    return order[:kept].sort().values


def null_of(
    spec: FailuresSpec, features: Tensor, failed: Tensor, *, seed: int
) -> tuple[Estimate, float | None]:
    """(1 + shuffles that gain as much) / (1 + shuffles), and the mean gain of the shuffles.

    The real order counts as one of the shuffles, so the p-value is never zero and holds its level
    (Phipson & Smyth, SAGMB 2010).
    """
    if not spec.permutations:
        return Estimate.absent("no shuffles were asked for"), None
    stumps = best_stumps(features, failed, criterion=spec.criterion, min_leaf=spec.min_leaf)
    real = float(stumps.gain.max())
    if real == -torch.inf:
        return Estimate.absent("no feature can split the group"), None
    gains = stump_null(
        features,
        failed,
        num_permutations=spec.permutations,
        criterion=spec.criterion,
        min_leaf=spec.min_leaf,
        seed=seed,
    )
    reached = int((gains >= real - ROUNDING).sum())
    finite = gains[gains.isfinite()]
    p_value = Estimate(
        value=(1 + reached) / (1 + spec.permutations),
        method="shuffled failures, best stump of all features",
        num_samples=spec.permutations,
    )
    return p_value, float(finite.mean()) if len(finite) else None


def stability_of(
    spec: FailuresSpec, features: Tensor, failed: Tensor, feature: int | None, *, seed: int
) -> tuple[Estimate, tuple[tuple[int, float], ...]]:
    """Share of bootstrap resamples that choose the same feature, and what they chose."""
    if not spec.resamples:
        return Estimate.absent("no resamples were asked for"), ()
    if feature is None:
        return Estimate.absent("no feature splits the group"), ()
    drawn = stump_resamples(
        features,
        failed,
        num_resamples=spec.resamples,
        criterion=spec.criterion,
        min_leaf=spec.min_leaf,
        seed=seed,
    ).tolist()
    chosen = Counter(index for index in drawn if index >= 0)
    ranked = sorted(chosen.items(), key=lambda one: (-one[1], one[0]))[:MAX_RIVALS]
    found = wilson(chosen[feature], len(drawn), level=LEVEL)
    stability = Estimate(
        value=found.value,
        low=found.low,
        high=found.high,
        level=LEVEL,
        method="Wilson, over bootstrap resamples",
        num_samples=len(drawn),
    )
    return stability, tuple((index, count / len(drawn)) for index, count in ranked)


def place(nodes: tuple[Node, ...], features: Tensor, positions: Tensor, depth: int) -> Tensor:
    """Node of each image at each depth [depth + 1, n]; only the tree's own features are copied.

    Args:
        nodes: The tree, features by position in the store.
        features: The store [N, F].
        positions: The images [n].
        depth: Largest depth.
    """
    used = sorted({node.feature for node in nodes if node.feature is not None})
    where = {feature: k for k, feature in enumerate(used)}
    local = tuple(
        node if node.feature is None else replace(node, feature=where[node.feature])
        for node in nodes
    )
    # A tree of one node needs no feature, but still one column to be placed by.
    columns = torch.tensor(used or [0])
    return place_samples(local, features[positions.unsqueeze(1), columns], max_depth=depth)


def group_seed(seed: int, name: str) -> int:
    """A seed of its own for each group, the same whatever other groups there are."""
    return int(sample_keys([name], seed=seed)[0]) % 2**31
