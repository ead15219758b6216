"""What needs all pairs at once: expectations, robust z, correction, centring, the ranking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from auditor.audits.relationships.evidence import Evidence
from auditor.audits.relationships.expectations import (
    Expectation,
    Floats,
    RelationPool,
    decisions,
    expectation,
    pair_names,
    relation_pools,
    ruled_pairs,
)
from auditor.context import Rule
from auditor.measure.multiplicity import benjamini_hochberg
from auditor.measure.robust import double_centre, robust_scores
from auditor.measure.sequential import Decision
from auditor.results.estimate import Estimate


@dataclass(frozen=True)
class Score:
    """Robust z of one pair and its p-value, before correction."""

    z: Estimate
    p: float | None


@dataclass(frozen=True, eq=False)
class Judged:
    """Everything about pairs that needs all pairs at once, by pair number.

    Attributes:
        rules: The rule about a pair.
        pools: Relation name to its pool.
        expected: What the rule expects, where that can be said.
        centred: m - μ, double-centred over the pair matrix [P]; 0 where not testable.
        testable: Whether enough images count [P].
        scores: Robust z, for pairs with an expectation.
        adjusted: Corrected p-values, for pairs that were tested.
        sides: Sequential decisions.
    """

    rules: dict[int, Rule]
    pools: dict[str, RelationPool]
    expected: dict[int, Expectation]
    centred: Floats
    testable: tuple[bool, ...]
    scores: dict[int, Score]
    adjusted: dict[int, float | None]
    sides: dict[int, Decision]


def judge_pairs(evidence: Evidence) -> Judged:
    """Everything that needs all pairs at once."""
    spec, context, seen = evidence.spec, evidence.context, evidence.seen
    rules = ruled_pairs(context)
    pools = relation_pools(spec, context, seen)
    testable = tuple(bool(count >= spec.min_images) for count in seen.count)
    expected = {
        k: found
        for k, rule in rules.items()
        if testable[k] and (found := expectation(pools[rule.expect], seen, k)) is not None
    }
    scores: dict[int, Score] = {}
    for pool in pools.values():
        scores |= pool_scores(pool, evidence)
    tested = [
        k
        for k, (i, j) in enumerate(pair_names(context))
        if k in scores and k in expected and evidence.testifies(i, j) and evidence.testifies(j, i)
    ]
    adjusted = benjamini_hochberg([scores[k].p for k in tested])
    return Judged(
        rules=rules,
        pools=pools,
        expected=expected,
        centred=centred_deviations(evidence, expected, testable),
        testable=testable,
        scores=scores,
        adjusted=dict(zip(tested, adjusted, strict=True)),
        sides=decisions(spec, context, seen, evidence.replicates),
    )


def pool_scores(pool: RelationPool, evidence: Evidence) -> dict[int, Score]:
    """Robust z of every pair of one relation, against the others or the declared distribution."""
    if pool.reason is not None or not pool.pairs:
        return {}
    means = evidence.seen.mean[list(pool.pairs)]
    if pool.source == "declared":
        expected = expectation(pool, evidence.seen)
        if expected is None:
            return {}
        z = [float((mean - expected.mean) / expected.sd) for mean in means]
        p: list[float | None] = [float(2 * norm.sf(abs(value))) for value in z]
        return scored(pool, [*z], p, "against the declared mean and sd")
    if len(pool.pairs) < 4:
        return scored(pool, [None] * len(means), [None] * len(means), "")
    found = robust_scores(means)
    method = "leave-one-out median and 1.4826 MAD across pairs of the relation"
    return scored(pool, [*found.z], [*found.p], method)


def scored(
    pool: RelationPool, z: list[float | None], p: list[float | None], method: str
) -> dict[int, Score]:
    """Scores by pair number."""
    size = len(pool.pairs)
    reason = (
        "the other pairs of this relation do not vary"
        if size >= 4
        else "a robust z needs four pairs of the relation"
    )
    return {
        pair: Score(
            Estimate(value=value, method=method, num_samples=size)
            if value is not None
            else Estimate.absent(reason, num_samples=size),
            chance,
        )
        for pair, value, chance in zip(pool.pairs, z, p, strict=True)
    }


def centred_deviations(
    evidence: Evidence, expected: dict[int, Expectation], testable: tuple[bool, ...]
) -> Floats:
    """m - μ, double-centred over the pair matrix [P].

    A pair without an expectation is held against the median of all testable pairs, so that it
    takes part in the levels of its attributes and can be ranked.
    """
    names, size = pair_names(evidence.context), len(evidence.context.attributes)
    means = evidence.seen.mean
    chosen = [k for k, usable in enumerate(testable) if usable]
    usual = float(np.median(means[chosen])) if chosen else 0.0
    matrix, present = np.zeros((size, size)), np.zeros((size, size), dtype=bool)
    for k in chosen:
        i, j = names[k]
        matrix[i, j] = matrix[j, i] = means[k] - (expected[k].mean if k in expected else usual)
        present[i, j] = present[j, i] = True
    residuals = double_centre(matrix, present).residuals
    return np.array([residuals[pair] for pair in names])


def suspicion_order(evidence: Evidence, judged: Judged) -> tuple[int, ...]:
    """Pair numbers, most suspicious first.

    Testable pairs of learnt attributes come first, then by the size of the centred deviation: on
    planted biases it ranks better than m or KL (measured on procedural portraits).
    """
    names = pair_names(evidence.context)

    def key(pair: int) -> tuple[bool, bool, float, int]:
        i, j = names[pair]
        unlearnt = evidence.testifies(i, j) is False or evidence.testifies(j, i) is False
        return (not judged.testable[pair], unlearnt, -abs(float(judged.centred[pair])), pair)

    return tuple(sorted(range(len(names)), key=key))
