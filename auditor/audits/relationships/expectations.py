"""Expected distributions per relation, and when enough images have been seen to judge every rule.

Everything here is a function of per-pair sums, so that the sequential fold and the final solve
decide alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.audits.relationships.states import CosineState
from auditor.context import Context, Relation, Rule
from auditor.measure.bootstrap import BootstrapSums, replicate_means
from auditor.measure.sequential import (
    Bounds,
    Decision,
    confidence_sequence,
    decide,
    distance_bounds,
    standard_errors,
)

Floats = NDArray[np.float64]
Source = Literal["declared", "robust", "pooled", "leave_one_out"]


@dataclass(frozen=True, eq=False)
class Moments:
    """Per-pair moments of the cosine; means and spreads of empty pairs are 0 [P]."""

    count: Floats
    total: Floats
    squares: Floats

    @property
    def mean(self) -> Floats:
        return self.total / np.maximum(self.count, 1.0)

    @property
    def sd(self) -> Floats:
        variance = self.squares / np.maximum(self.count, 1.0) - self.mean**2
        return np.sqrt(np.maximum(variance, 0.0))


class Expectation(NamedTuple):
    """What a rule expects of its pair."""

    mean: float
    sd: float


@dataclass(frozen=True)
class RelationPool:
    """One expected relation and the pairs that its distribution is estimated from.

    Attributes:
        relation: The relation.
        source: Where mean and sd come from.
        pairs: Pairs under a rule of this relation that enough images count for.
        num_rules: Pairs under a rule of this relation.
        reason: Why there is no expectation; None where there is one.
    """

    relation: Relation
    source: Source
    pairs: tuple[int, ...]
    num_rules: int
    reason: str | None


def moments(state: CosineState) -> Moments:
    """Moments of all pairs."""
    arrays = (state.count, state.total, state.squares)
    return Moments(*(array.double().numpy() for array in arrays))


def replicates(state: CosineState) -> Floats:
    """Bootstrap means of all pairs [R, P]."""
    sums = BootstrapSums(state.replicate_weight, state.replicate_total)
    return replicate_means(sums).numpy()


def pair_names(context: Context) -> tuple[tuple[int, int], ...]:
    """Positions of the two attributes of every pair, in the order of all states."""
    size = len(context.attributes)
    return tuple((i, j) for i in range(size) for j in range(i + 1, size))


def ruled_pairs(context: Context) -> dict[int, Rule]:
    """Pair number to the rule about it, in pair order; the first rule where there are several."""
    position = {attribute.name: i for i, attribute in enumerate(context.attributes)}
    number = {pair: k for k, pair in enumerate(pair_names(context))}
    found: dict[int, Rule] = {}
    for rule in context.rules:
        i, j = sorted((position[rule.a], position[rule.b]))
        found.setdefault(number[i, j], rule)
    return dict(sorted(found.items()))


def relation_pools(
    spec: RelationshipsSpec, context: Context, seen: Moments
) -> dict[str, RelationPool]:
    """Relation name to its pool, for relations that a rule speaks of."""
    rules = ruled_pairs(context)
    found = {}
    for relation in context.relations:
        ruled = [pair for pair, rule in rules.items() if rule.expect == relation.name]
        if not ruled:
            continue
        pairs = tuple(pair for pair in ruled if seen.count[pair] >= spec.min_images)
        declared = relation.mean is not None and relation.sd is not None
        few = not declared and len(pairs) < spec.expected.min_pairs
        found[relation.name] = RelationPool(
            relation=relation,
            source="declared" if declared else spec.expected.estimator,
            pairs=pairs,
            num_rules=len(ruled),
            reason=f"only {len(pairs)} testable pairs have this relation, {spec.expected.min_pairs}"
            " are needed to say what is usual, and the spec declares no mean and sd"
            if few
            else None,
        )
    return found


def expectation(pool: RelationPool, seen: Moments, pair: int | None = None) -> Expectation | None:
    """Expected mean and spread, for one pair of the pool or for all of it.

    `robust`: median of pair means, median of within-pair spreads. `pooled`: mean and spread over
    all pairs and images together, the paper's "variation among all pairs". `leave_one_out`:
    pooled without the pair itself.
    """
    if pool.reason is not None:
        return None
    if pool.relation.mean is not None and pool.relation.sd is not None:
        return Expectation(pool.relation.mean, pool.relation.sd)
    chosen = [k for k in pool.pairs if pool.source != "leave_one_out" or k != pair]
    if pool.source == "robust":
        return Expectation(float(np.median(seen.mean[chosen])), float(np.median(seen.sd[chosen])))
    count = seen.count[chosen].sum()
    mean = seen.total[chosen].sum() / count
    variance = max(seen.squares[chosen].sum() / count - mean**2, 0.0)
    return Expectation(float(mean), float(np.sqrt(variance)))


def decisions(
    spec: RelationshipsSpec, context: Context, seen: Moments, replicates: Floats
) -> dict[int, Decision]:
    """For every rule with an expectation, on which side of the cut |m - μ| lies.

    The intervals hold together, for all rules and all numbers of images, at the level of the spec:
    each pair has its share of the error (Bonferroni).

    Args:
        spec: The audit's spec.
        context: Its rules and relations.
        seen: Moments of the cosine per pair.
        replicates: Bootstrap means of the cosine [R, P].
    """
    pools = relation_pools(spec, context, seen)
    alpha = (1 - spec.sampling.level) / max(1, sum(pool.num_rules for pool in pools.values()))
    found: dict[int, Decision] = {}
    for pool in pools.values():
        if pool.reason is not None or not pool.pairs:
            continue
        if spec.sampling.interval == "asymptotic":
            distances = _asymptotic_distances(pool, seen, replicates, alpha)
        else:
            distances = _exact_distances(pool, seen, alpha)
        sides = decide(distances, cut=spec.cut, zone=spec.sampling.zone)
        found |= dict(zip(pool.pairs, sides, strict=True))
    return found


def seen_enough(spec: RelationshipsSpec, context: Context, state: CosineState) -> bool:
    """Whether every rule that can be decided is decided, or lies inside its zone."""
    if int(state.num_images) < spec.sampling.min_images:
        return False
    seen = moments(state)
    sides = decisions(spec, context, seen, replicates(state))
    without = state.without.numpy()

    def dead(pair: int) -> bool:
        # A pair of a dead output never gets a cosine: it is not worth waiting for.
        return bool(seen.count[pair] == 0 and without[pair] >= spec.min_images)

    waiting = [k for k in ruled_pairs(context) if seen.count[k] < spec.min_images and not dead(k)]
    return not waiting and "open" not in sides.values()


def _asymptotic_distances(
    pool: RelationPool, seen: Moments, replicates: Floats, alpha: float
) -> Bounds:
    """Intervals of |m - μ| from the bootstrap's standard error of m - μ itself.

    m and μ come from the same images and err together, and a median of many means hardly errs at
    all: intervals for each of them, put together, would be far too wide.
    """
    pairs = list(pool.pairs)
    drawn = replicates[:, pairs]
    centres = _centres(pool, drawn, seen.count[pairs])
    centre = _centres(pool, seen.mean[None, pairs], seen.count[pairs])[0]
    error = (drawn - centres).std(0, ddof=1)
    half = error * standard_errors(seen.count[pairs], alpha=alpha)
    difference = seen.mean[pairs] - centre
    zero = np.zeros(len(pairs))
    return distance_bounds(Bounds(difference - half, difference + half), zero, zero)


def _exact_distances(pool: RelationPool, seen: Moments, alpha: float) -> Bounds:
    """Intervals of |m - μ| that hold at every sample size: those of all means, put together."""
    pairs = list(pool.pairs)
    own = confidence_sequence(
        seen.count[pairs],
        seen.total[pairs],
        seen.squares[pairs],
        method="bernstein",
        alpha=alpha,
    )
    # Every centre is monotone in every mean, so the ends of the means give its ends.
    low, high = (_centres(pool, end[None], seen.count[pairs])[0] for end in own)
    return distance_bounds(own, low, high)


def _centres(pool: RelationPool, means: Floats, count: Floats) -> Floats:
    """μ for every pair of the pool, from rows of pair means [K, pairs]."""
    if pool.relation.mean is not None and pool.source == "declared":
        return np.full_like(means, pool.relation.mean)
    if pool.source == "robust":
        return np.broadcast_to(np.median(means, axis=1, keepdims=True), means.shape)
    values = means * count
    total = values.sum(1, keepdims=True)
    if pool.source == "leave_one_out":
        others: Floats = (total - values) / (count.sum() - count)
        return others
    return np.broadcast_to(total / count.sum(), means.shape)
