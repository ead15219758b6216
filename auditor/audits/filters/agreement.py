"""Do words and annotations agree? How often a detector's name holds a word of its concept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from auditor.measure.intervals import wilson
from auditor.results.estimate import Estimate

DEALS = 1000
LEVEL = 0.95


class Agreement(NamedTuple):
    """Agreement, and what chance would give."""

    observed: Estimate
    by_chance: Estimate


def agreement_of(
    named: Sequence[frozenset[int]], concepts: Sequence[frozenset[int]], *, seed: int
) -> Agreement:
    """The share of filters whose words hold a word of their concept, and the same by chance.

    Chance deals the same lists of words out among the same filters: its expectation is the mean
    over all n² pairs of a list and a concept, exactly; the range is that of random deals.

    Args:
        named: Words of each detector that has a name and a concept with a word.
        concepts: Words of its concept.
        seed: Seed of the deals.
    """
    size = len(named)
    if not size:
        reason = "no filter has both a name and a detected concept with a word"
        return Agreement(*(Estimate.absent(reason, num_samples=0) for _ in range(2)))
    holds = np.array([[bool(words & meant) for words in named] for meant in concepts])
    value, low, high = wilson(int(holds.diagonal().sum()), size, level=LEVEL)
    observed = Estimate(
        value=value, low=low, high=high, level=LEVEL, method="wilson", num_samples=size
    )
    generator = np.random.default_rng([seed & (2**63 - 1), size])
    shuffled = generator.permuted(np.tile(np.arange(size), (DEALS, 1)), axis=1)
    deals = holds[np.arange(size), shuffled].mean(axis=1)
    expected = float(holds.mean())
    ends = np.quantile(deals, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    by_chance = Estimate(
        value=expected,
        low=min(float(ends[0]), expected),
        high=max(float(ends[1]), expected),
        level=LEVEL,
        method="names dealt out at random",
        num_samples=size,
    )
    return Agreement(observed, by_chance)
