"""Two shares compared: Fisher's exact test for many tables at once, and Cohen's h."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

TIED = 1e-7
"""Relative difference below which two probabilities count as equal, as in R's `fisher.test`."""


def fisher_exact(
    first: ArrayLike, first_size: ArrayLike, second: ArrayLike, second_size: ArrayLike
) -> NDArray[np.float64]:
    """Two-sided p-values of Fisher's exact test that two shares are equal.

    Given the successes of both sides together, those of the first side are hypergeometric; the
    p-value sums the probabilities of all tables that are no more likely than the one found
    (Fisher 1935; the two-sided form of Freeman & Halton, Biometrika 1951). It never exceeds its
    level, whatever the sizes. Tables with the same sizes and the same sum share one distribution,
    so that many of them cost little more than one.

    Args:
        first: Successes of the first side [M].
        first_size: Its samples [M].
        second: Successes of the second side [M].
        second_size: Its samples [M].

    Raises:
        ValueError: when a side has fewer samples than successes, or fewer than 0 of them.
    """
    counts = [np.asarray(each, dtype=np.int64) for each in (first, first_size, second, second_size)]
    yes, size, other, other_size = np.broadcast_arrays(*counts)
    if any((k < 0).any() or (k > n).any() for k, n in ((yes, size), (other, other_size))):
        raise ValueError("a share has at least 0 successes and at most as many as samples")
    keys = np.stack([size, other_size, yes + other], axis=1)
    margins, which = np.unique(keys, axis=0, return_inverse=True)
    which = which.reshape(-1)
    found = np.ones(len(yes))
    for index, (n, m, total) in enumerate(margins.tolist()):
        tables = which == index
        found[tables] = _tail_sums(n, m, total)[yes[tables] - max(0, total - m)]
    return found


def _tail_sums(n: int, m: int, total: int) -> NDArray[np.float64]:
    """p-value of every table with these margins, by its successes on the first side."""
    inside = np.arange(max(0, total - m), min(n, total) + 1)
    logs = (
        _log_choose(n, inside)
        + _log_choose(m, total - inside)
        - _log_choose(n + m, np.asarray([total]))
    )
    likely = np.exp(logs)
    order = np.argsort(likely, kind="stable")
    sums = np.cumsum(likely[order])
    # All tables up to those that are as likely as the one found, but for rounding.
    ends = np.searchsorted(likely[order], likely * (1 + TIED), side="right") - 1
    found: NDArray[np.float64] = np.minimum(sums[ends], 1.0)
    return found


def _log_choose(n: int, k: NDArray[np.int64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return found


def cohen_h(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Effect size 2 asin √p₁ - 2 asin √p₂ of two shares, in [-π, π] (Cohen, Statistical Power
    Analysis for the Behavioral Sciences, 1988, chapter 6): 0.2 is small, 0.5 medium, 0.8 large."""
    one, two = (2 * np.arcsin(np.sqrt(np.asarray(p, dtype=np.float64))) for p in (first, second))
    return np.asarray(one - two)
