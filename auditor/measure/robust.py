"""Outliers among pairs of one kind, and what is left of a pair after its members' own levels.

The null that holds its level compares a pair with the other pairs of the same expected relation
(permuting units instead calls most harmless pairs significant).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

Floats = NDArray[np.float64]

MAD_TO_SD = 1.4826
"""1 / Φ⁻¹(3/4): makes the median absolute deviation estimate the standard deviation of a Gaussian.
All robust z here use it, so that they read as standard deviations."""

MAD_EFFICIENCY = 0.3675
"""Asymptotic efficiency of the MAD as a Gaussian scale (Rousseeuw & Croux, JASA 1993): n values
say as much about the spread through it as 0.3675 n values do through the standard deviation."""


class RobustScores(NamedTuple):
    """How far each value stands from the others.

    Attributes:
        z: (x - median) / (1.4826 MAD); None where the spread of the others is zero.
        p: Two-sided p-values against the others; None where z is.
    """

    z: tuple[float | None, ...]
    p: tuple[float | None, ...]


def robust_scores(values: ArrayLike) -> RobustScores:
    """Robust z and p-value of each value against all the others.

    Median and MAD are taken without the value itself: with few pairs an outlier would otherwise
    widen its own yardstick. The p-value is that of Student's t with 0.3675 (n - 2) degrees of
    freedom, the z shrunk by √(1 + π / (2 (n - 1))) for the error of the median; this approximates
    the law of z under independent Gaussian values and approaches the normal law as n grows.

    Args:
        values: One value per pair of the relation, finite.

    Raises:
        ValueError: with fewer than four values.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.size < 4:
        raise ValueError("a robust z needs at least four values")
    middles = leave_one_out_median(x)
    spreads = MAD_TO_SD * _leave_one_out_mad(x, middles)
    num_others = x.size - 1
    shrink = float(np.sqrt(1 + np.pi / (2 * num_others)))
    freedom = MAD_EFFICIENCY * (num_others - 1)
    z = [
        float((value - middle) / spread) if spread > 0 else None
        for value, middle, spread in zip(x, middles, spreads, strict=True)
    ]
    p = [None if s is None else float(2 * student.sf(abs(s) / shrink, freedom)) for s in z]
    return RobustScores(tuple(z), tuple(p))


def leave_one_out_median(values: ArrayLike) -> Floats:
    """For each value, the median of all the others, in O(n log n).

    Raises:
        ValueError: with fewer than two values.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.size < 2:
        raise ValueError("there is nothing left without the value")
    order = np.argsort(x, kind="stable")
    rank = np.empty(x.size, dtype=np.int64)
    rank[order] = np.arange(x.size)
    ordered, left = x[order], x.size - 1
    # Position k among the others is position k, or k + 1 from the removed value's rank on.
    low, high = (left - 1) // 2, left // 2
    result: Floats = (ordered[low + (rank <= low)] + ordered[high + (rank <= high)]) / 2
    return result


class TwoWay(NamedTuple):
    """A pair matrix split into levels of its members and what is left.

    Attributes:
        levels: b with m_ij ≈ b_i + b_j, one per row.
        residuals: m_ij - b_i - b_j; 0 where the pair is missing and on the diagonal.
    """

    levels: Floats
    residuals: Floats


def double_centre(matrix: ArrayLike, present: ArrayLike) -> TwoWay:
    """Double-centre a symmetric pair matrix whose diagonal, and possibly more, is missing.

    With a diagonal, double centring subtracts row and column means. Without one those means are
    not comparable between rows; the least-squares fit of m_ij = b_i + b_j over the pairs that are
    present is what double centring means then.

    Args:
        matrix: m [n, n], symmetric; values of missing pairs are ignored.
        present: Which pairs count [n, n], symmetric; the diagonal is ignored.
    """
    have = np.asarray(present, dtype=bool).copy()
    np.fill_diagonal(have, False)
    m = np.where(have, np.asarray(matrix, dtype=np.float64), 0.0)
    normal = have.astype(np.float64) + np.diag(have.sum(1).astype(np.float64))
    # Least squares of least norm: rows without pairs get level 0.
    levels: Floats = np.linalg.lstsq(normal, m.sum(1), rcond=None)[0]
    residuals = np.where(have, m - levels[:, None] - levels[None, :], 0.0)
    return TwoWay(levels, residuals)


def _leave_one_out_mad(x: Floats, middles: Floats) -> Floats:
    result = np.empty_like(x)
    # Removing a value below, at or above the middle gives at most three different medians.
    for middle in np.unique(middles):
        chosen = middles == middle
        result[chosen] = leave_one_out_median(np.abs(x - middle))[chosen]
    return result
