"""All groups of a grouping at once: what trees of each depth explain, for each inspected network.

A standard and a robust network that are inspected side by side give one row each, on the same
features; the normalised gain is what compares them, since ALER - BER depends on BER.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from auditor.audits.failures.confirming import is_valid, leaves_at, measured, share
from auditor.audits.failures.describe import accepted_leaves
from auditor.audits.failures.growing import group_seed
from auditor.audits.failures.result import (
    AggregateResult,
    Counts,
    DepthResult,
    GroupResult,
    SurfaceResult,
)
from auditor.audits.failures.words import scored
from auditor.measure.intervals import percentile
from auditor.measure.trees import Node
from auditor.needs import NetworkRole
from auditor.results.estimate import Estimate

NUM_REPLICATES = 1000

COVERAGES = tuple(round(0.1 * k, 1) for k in range(10))
"""τ of the surface."""

EXCESSES = tuple(round(0.025 * k, 3) for k in range(13))
"""ρ of the surface."""

Floats = NDArray[np.float64]


def families(
    groups: Sequence[GroupResult],
) -> Iterator[tuple[NetworkRole, str, tuple[GroupResult, ...]]]:
    """Groups by inspected network and grouping, in the order of the spec, with the tested ones."""
    keys = dict.fromkeys((group.inspected, group.grouping) for group in groups)
    for inspected, grouping in keys:
        mine = [g for g in groups if (g.inspected, g.grouping) == (inspected, grouping)]
        yield inspected, grouping, tuple(group for group in mine if group.depths)


def aggregate(
    groups: Sequence[GroupResult], *, max_depth: int, seed: int
) -> tuple[AggregateResult, ...]:
    """One result per inspected network, grouping and depth."""
    return tuple(
        family_result(inspected, grouping, tested, depth, seed=seed)
        for inspected, grouping, tested in families(groups)
        for depth in range(1, max_depth + 1)
    )


def family_result(
    inspected: NetworkRole, grouping: str, tested: Sequence[GroupResult], depth: int, *, seed: int
) -> AggregateResult:
    """One grouping of one network at one depth."""
    trees = [depth_of(group, depth) for group in tested]
    gains = [(t.gain, t.normalised_gain) for t in trees]
    known = [(a, b) for a, b in gains if a is not None and b is not None]
    # All depths resample the same groups, so that their differences are not noise of the draw.
    drawn = group_seed(seed, f"{grouping}@{inspected}")
    return AggregateResult(
        inspected=inspected,
        grouping=grouping,
        depth=depth,
        num_groups=len(tested),
        base_error_rate=pooled_rate([scored(group) for group in tested], seed=drawn),
        gain=mean_over([a for a, _ in known], seed=drawn),
        normalised_gain=mean_over([b for _, b in known], seed=drawn),
        share_valid=share(
            sum(bool(tree.best_valid) for tree in trees), len(tested), "no group was testable"
        ),
        num_confirmed=sum(explained_at(group, depth) for group in tested),
    )


def depth_of(group: GroupResult, depth: int) -> DepthResult:
    """The group's tree of one depth."""
    return next(tree for tree in group.depths if tree.depth == depth)


def explained_at(group: GroupResult, depth: int) -> bool:
    """Whether a leaf of the tree of this depth is confirmed (exploratory mode: valid)."""
    leaves = set(tree_leaves(group, depth))
    return any(leaf.node in leaves for leaf in accepted_leaves(group))


def tree_leaves(group: GroupResult, depth: int) -> tuple[int, ...]:
    """Leaves of the group's tree cut at a depth."""
    nodes = [
        Node(n.index, n.feature, n.threshold, n.gain, n.found.size, n.found.failures)
        for n in group.nodes
    ]
    return leaves_at(nodes, depth)


def pooled_rate(counts: Sequence[Counts], *, seed: int) -> Estimate:
    """Failures over images of all groups, with a bootstrap over groups: they may share images."""
    if not counts:
        return Estimate.absent("no group was testable", num_samples=0)
    failures = np.array([c.failures for c in counts], dtype=np.float64)
    sizes = np.array([c.size for c in counts], dtype=np.float64)
    return resampled(
        len(counts), lambda rows: failures[rows].sum(-1) / sizes[rows].sum(-1), seed=seed
    )


def mean_over(values: Sequence[float], *, seed: int) -> Estimate:
    """A mean over groups with a bootstrap interval."""
    if not values:
        return Estimate.absent("no group was testable", num_samples=0)
    array = np.array(values, dtype=np.float64)
    return resampled(len(values), lambda rows: array[rows].mean(-1), seed=seed)


def resampled(
    num_groups: int, statistic: Callable[[NDArray[np.int64]], Floats], *, seed: int
) -> Estimate:
    """A statistic of groups, with a percentile interval over resampled groups.

    Args:
        num_groups: How many groups; of one alone there is no interval.
        statistic: Groups by position [..., G] to its values [...].
        seed: Seed.
    """
    value = float(statistic(np.arange(num_groups)))
    if num_groups == 1:
        return Estimate(value=value, method="one group, no interval", num_samples=1)
    rows = np.random.default_rng(seed).integers(num_groups, size=(NUM_REPLICATES, num_groups))
    return measured(percentile(value, statistic(rows)), "bootstrap over groups", num_groups)


def surfaces(groups: Sequence[GroupResult], *, max_depth: int) -> tuple[SurfaceResult, ...]:
    """Share of valid best leaves over both thresholds, where any group was tested."""
    found = []
    for inspected, grouping, tested in families(groups):
        for depth in range(1, max_depth + 1) if tested else ():
            best = [best_leaf(group, depth) for group in tested]
            found.append(
                SurfaceResult(
                    inspected=inspected,
                    grouping=grouping,
                    depth=depth,
                    coverages=COVERAGES,
                    excesses=EXCESSES,
                    shares=tuple(
                        tuple(share_valid(best, coverage, least) for least in EXCESSES)
                        for coverage in COVERAGES
                    ),
                    num_groups=len(tested),
                )
            )
    return tuple(found)


def best_leaf(group: GroupResult, depth: int) -> tuple[Counts, Counts] | None:
    """Scored images of the best leaf of a depth and of its group; None where nothing splits it."""
    best = depth_of(group, depth).best
    if best is None:
        return None
    return scored(next(node for node in group.nodes if node.index == best)), scored(group)


def share_valid(
    best: Sequence[tuple[Counts, Counts] | None], coverage: float, least: float
) -> float:
    """Share of groups whose best leaf is valid at two thresholds."""
    valid = [pair is not None and is_valid(*pair, coverage=coverage, least=least) for pair in best]
    return sum(valid) / len(valid)
