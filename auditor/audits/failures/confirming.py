"""Leaves and trees scored: on images that the tree did not see, or on its own in exploratory mode.

ER = failures / size of a node, BER the root's, EC = failures of a leaf / failures of the group,
IV = EC · ER, ALER = Σ EC · ER over the leaves of a tree (Singla et al., CVPR 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scipy.stats import hypergeom
from torch import Tensor

from auditor.audits.failures.growing import LEVEL
from auditor.audits.failures.result import (
    ConditionResult,
    Counts,
    DepthResult,
    GroupResult,
    LeafResult,
)
from auditor.audits.failures.spec import FailuresSpec
from auditor.measure.intervals import Interval, Term, combined, wilson
from auditor.measure.multiplicity import benjamini_hochberg
from auditor.measure.rates import average_leaf_error_rate, normalised_gain
from auditor.measure.trees import Node
from auditor.results.estimate import Estimate

EXPLORATORY = "nothing was held back to test on"
UNTESTED = "not corrected yet"


class Part(NamedTuple):
    """The group's images on one part.

    Attributes:
        failed: bool [n].
        placed: Node of each image at each depth, int64 [D + 1, n].
    """

    failed: Tensor
    placed: Tensor


@dataclass(frozen=True, eq=False)
class Scored:
    """Counts of every node on both parts.

    Attributes:
        nodes: The tree.
        found: Where the tree was grown.
        scored: Where rates are read: on confirming images, or `found` again in exploratory mode.
        exploratory: Whether both are the same images.
    """

    nodes: tuple[Node, ...]
    found: Mapping[int, Counts]
    scored: Mapping[int, Counts]
    exploratory: bool


def level_of(index: int) -> int:
    """Depth of a node: the root 1 is at depth 0."""
    return index.bit_length() - 1


def node_counts(nodes: Sequence[Node], part: Part) -> dict[int, Counts]:
    """Images and failures of every node."""
    found = {}
    for node in nodes:
        inside = part.placed[level_of(node.index)] == node.index
        failures = int((inside & part.failed).sum())
        found[node.index] = Counts(size=int(inside.sum()), failures=failures)
    return found


def leaves_at(nodes: Sequence[Node], depth: int) -> tuple[int, ...]:
    """Leaves of the tree cut at a depth, by index."""
    return tuple(
        node.index
        for node in nodes
        if level_of(node.index) == depth or (level_of(node.index) < depth and node.feature is None)
    )


def importance_value(inside: Counts, group: Counts) -> float | None:
    """IV = EC · ER; None where the leaf or the group's failures are empty."""
    if not inside.size or not group.failures:
        return None
    return inside.failures / group.failures * (inside.failures / inside.size)


def fails_more(inside: Counts, group: Counts) -> bool:
    """ER above BER, in whole numbers."""
    return inside.failures * group.size > group.failures * inside.size


def candidates(scored: Scored) -> tuple[int, ...]:
    """Nodes to be tested, the most promising where the tree was grown first.

    Every node but the root is a leaf of the tree cut at its own depth; where a branch ends early
    it is a leaf of the deeper trees as well, but one hypothesis all the same.
    """
    group = scored.found[1]
    worse = [
        node.index
        for node in scored.nodes
        if node.index > 1 and fails_more(scored.found[node.index], group)
    ]
    value = {index: importance_value(scored.found[index], group) or 0.0 for index in worse}
    return tuple(sorted(worse, key=lambda index: (-value[index], index)))


def path_to(nodes: Sequence[Node], index: int) -> tuple[ConditionResult, ...]:
    """The rule of a node, from the root."""
    known = {node.index: node for node in nodes}
    steps: list[ConditionResult] = []
    while index > 1:
        parent = known[index // 2]
        if parent.feature is None or parent.threshold is None:
            raise ValueError(f"node {index} hangs below an end of the tree")
        side = "high" if index % 2 else "low"
        steps.append(ConditionResult(feature=parent.feature, side=side, threshold=parent.threshold))
        index //= 2
    return tuple(reversed(steps))


def leaf_result(spec: FailuresSpec, scored: Scored, index: int) -> LeafResult:
    """One leaf with everything but the correction, which needs all groups."""
    inside, group = scored.scored[index], scored.scored[1]
    return LeafResult(
        node=index,
        depth=level_of(index),
        path=path_to(scored.nodes, index),
        error_rate=share(inside.failures, inside.size, "no scored image lies in it"),
        excess=excess(inside, group),
        error_coverage=share(inside.failures, group.failures, "the group has no failures"),
        importance_value=importance_value(inside, group),
        p_value=fisher(inside, group, exploratory=scored.exploratory),
        p_adjusted=Estimate.absent(EXPLORATORY if scored.exploratory else UNTESTED),
        valid=is_valid(inside, group, coverage=spec.valid.coverage, least=spec.valid.excess),
        confirmed=False,
    )


def is_valid(inside: Counts, group: Counts, *, coverage: float, least: float) -> bool:
    """Algorithm 1: EC > τ and ER > BER + ρ."""
    if not inside.size or not group.failures or group.error_rate is None:
        return False
    error_rate = inside.failures / inside.size
    covered = inside.failures / group.failures
    return covered > coverage and error_rate > group.error_rate + least


def share(successes: int, num_samples: int, reason: str) -> Estimate:
    """A share with Wilson's interval; absent, with the reason, where there are no samples."""
    if not num_samples:
        return Estimate.absent(reason, num_samples=0)
    return measured(wilson(successes, num_samples, level=LEVEL), "Wilson", num_samples)


def measured(interval: Interval, method: str, num_samples: int) -> Estimate:
    """An estimate from an interval."""
    return Estimate(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        level=LEVEL,
        method=method,
        num_samples=num_samples,
    )


def excess(inside: Counts, group: Counts) -> Estimate:
    """ER - BER with the interval of independent parts.

    A leaf is part of its group, so the two rates share images. With w = size of the leaf / size of
    the group the difference is (1 - w) (ER - error rate of the rest), whose parts are independent:
    Newcombe's interval (Statistics in Medicine 1998, method 10) scaled by 1 - w.
    """
    if not inside.size:
        return Estimate.absent("no scored image lies in it", num_samples=0)
    rest = Counts(size=group.size - inside.size, failures=group.failures - inside.failures)
    if not rest.size:
        return Estimate(value=0.0, method="it is the whole group", num_samples=inside.size)
    weight = rest.size / group.size
    found = combined(
        [
            Term(weight, wilson(inside.failures, inside.size, level=LEVEL)),
            Term(-weight, wilson(rest.failures, rest.size, level=LEVEL)),
        ]
    )
    return measured(found, "Newcombe, leaf against rest", group.size)


def fisher(inside: Counts, group: Counts, *, exploratory: bool) -> Estimate:
    """One-sided Fisher's exact test: as many failures in the leaf or more, by chance.

    P(X ≥ failures), X hypergeometric with the margins of the leaf × failure table.
    """
    if exploratory:
        return Estimate.absent(EXPLORATORY)
    if not inside.size:
        return Estimate.absent("no confirming image lies in it", num_samples=0)
    chance = float(hypergeom.sf(inside.failures - 1, group.size, group.failures, inside.size))
    return Estimate(
        value=min(1.0, max(0.0, chance)),
        method="Fisher's exact test, one-sided",
        num_samples=group.size,
    )


def depth_result(spec: FailuresSpec, scored: Scored, depth: int) -> DepthResult:
    """The tree cut at a depth, as a whole."""
    leaves = leaves_at(scored.nodes, depth)
    group, found_group = scored.scored[1], scored.found[1]
    aler, found_aler = rate_over(scored.scored, leaves), rate_over(scored.found, leaves)
    split = leaves != (1,)
    best = max(
        leaves,
        key=lambda index: (importance_value(scored.found[index], found_group) or 0.0, -index),
    )
    valid = is_valid(
        scored.scored[best], group, coverage=spec.valid.coverage, least=spec.valid.excess
    )
    filled = [scored.scored[index] for index in leaves if scored.scored[index].size]
    return DepthResult(
        depth=depth,
        num_leaves=len(leaves),
        average_leaf_error_rate=aler,
        gain=difference(aler, group.error_rate),
        normalised_gain=normalised_gain([c.size for c in filled], [c.failures for c in filled]),
        found_gain=difference(found_aler, found_group.error_rate),
        best=best if split else None,
        best_valid=valid if split else None,
    )


def rate_over(counts: Mapping[int, Counts], leaves: Sequence[int]) -> float | None:
    """ALER over leaves; a leaf without images adds nothing."""
    filled = [counts[index] for index in leaves if counts[index].size]
    return average_leaf_error_rate([c.size for c in filled], [c.failures for c in filled])


def difference(first: float | None, second: float | None) -> float | None:
    """first - second, where both are known."""
    return None if first is None or second is None else first - second


def correct(groups: Sequence[GroupResult], *, alpha: float) -> tuple[GroupResult, ...]:
    """Groups with p-values corrected over all leaves of all of them, and what came of each."""
    leaves = [leaf for group in groups for leaf in group.leaves]
    adjusted = iter(benjamini_hochberg([leaf.p_value.value for leaf in leaves]))
    return tuple(
        settled(group, tuple(corrected(leaf, next(adjusted), alpha=alpha) for leaf in group.leaves))
        for group in groups
    )


def corrected(leaf: LeafResult, p_adjusted: float | None, *, alpha: float) -> LeafResult:
    """A leaf with its adjusted p-value."""
    if p_adjusted is None:
        reason = leaf.p_value.reason or EXPLORATORY
        return leaf.model_copy(update={"p_adjusted": Estimate.absent(reason)})
    estimate = Estimate(
        value=p_adjusted, method="Benjamini-Hochberg", num_samples=leaf.p_value.num_samples
    )
    confirmed = leaf.valid and p_adjusted <= alpha
    return leaf.model_copy(update={"p_adjusted": estimate, "confirmed": confirmed})


def settled(group: GroupResult, leaves: tuple[LeafResult, ...]) -> GroupResult:
    """A group with its corrected leaves; a tested one is a slice or none from here on."""
    outcome = group.outcome
    if outcome == "no_slice" and any(leaf.confirmed for leaf in leaves):
        outcome = "slice"
    return group.model_copy(update={"leaves": leaves, "outcome": outcome})
