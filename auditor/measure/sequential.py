"""Look as often as you like: time-uniform intervals for means, and when to stop looking.

A fixed-size interval that is checked after every batch is wrong far too often in the end. The
intervals here hold at all sample sizes at once, so that an audit may stop as soon as every rule is
decided, or lies so near the cut that either verdict is fine.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import lambertw

Floats = NDArray[np.float64]
Method = Literal["asymptotic", "bernstein"]
Decision = Literal["above", "below", "indifferent", "open"]


class Bounds(NamedTuple):
    """Lower and upper ends, elementwise."""

    low: Floats
    high: Floats


def confidence_sequence(
    count: ArrayLike,
    total: ArrayLike,
    squares: ArrayLike,
    *,
    method: Method,
    alpha: float,
    tight_at: int = 512,
) -> Bounds:
    """Time-uniform intervals of means of values in [-1, 1], clipped to that range.

    `asymptotic`: x̄ ± σ̂ √(2 (nρ² + 1) / (n²ρ²) · ln(√(nρ² + 1) / α)), Robbins' normal mixture with
    estimated variance (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, Annals of Statistics 2024,
    theorem 2.2). It holds from the sample sizes on where the central limit theorem does.
    `bernstein`: Maurer & Pontil (COLT 2009, theorem 4) at α / (n (n + 1)) for each n, which is a
    union over all sample sizes and exact at every one.

    Args:
        count: n, per sequence.
        total: Σx, per sequence.
        squares: Σx², per sequence.
        method: Which interval.
        alpha: Error level of each sequence; divide by their number for joint coverage.
        tight_at: Sample size at which the asymptotic interval is tightest.
    """
    n, sums, second = (np.asarray(value, dtype=np.float64) for value in (count, total, squares))
    enough = n >= 2
    safe = np.where(enough, n, 2.0)
    mean = np.where(enough, sums / safe, 0.0)
    # Sums of squares cancel: a constant sequence must not get a negative variance.
    variance = np.maximum(second / safe - mean**2, 0.0) * safe / (safe - 1)
    if method == "asymptotic":
        half = np.sqrt(variance / safe) * standard_errors(safe, alpha=alpha, tight_at=tight_at)
    else:
        log_term = np.log(4 * safe * (safe + 1) / alpha)
        half = np.sqrt(2 * variance * log_term / safe) + 7 * 2.0 * log_term / (3 * (safe - 1))
    half = np.where(enough, half, np.inf)
    return Bounds(np.maximum(mean - half, -1.0), np.minimum(mean + half, 1.0))


def standard_errors(count: ArrayLike, *, alpha: float, tight_at: int = 512) -> Floats:
    """How many standard errors an asymptotic interval reaches to hold at all sample sizes at once.

    √(2 (x + 1) / x · ln(√(x + 1) / α)) with x = nρ². Besides means it serves every estimate that is
    asymptotically linear, such as a difference of a mean and a median of means, with a standard
    error from the bootstrap.
    """
    # Minimising over x at n = tight_at gives x - ln(1 + x) = -2 ln α, solved by Lambert's W.
    best = -float(np.real(lambertw(-(alpha**2) / math.e, -1))) - 1
    x = np.asarray(count, dtype=np.float64) * best / tight_at
    result: Floats = np.sqrt(2 * (x + 1) / x * np.log(np.sqrt(x + 1) / alpha))
    return result


def distance_bounds(bounds: Bounds, centre_low: ArrayLike, centre_high: ArrayLike) -> Bounds:
    """Intervals of |m - μ| from those of m and of μ."""
    low, high = np.asarray(centre_low, dtype=np.float64), np.asarray(centre_high, dtype=np.float64)
    nearest = np.maximum(np.maximum(bounds.low - high, low - bounds.high), 0.0)
    farthest = np.maximum(bounds.high - low, high - bounds.low)
    return Bounds(nearest, farthest)


def decide(bounds: Bounds, *, cut: float, zone: float) -> tuple[Decision, ...]:
    """Which side of the cut each value lies on, up to an indifference zone cut ± zone.

    `above`: certainly more than cut - zone. `below`: certainly less than cut + zone.
    `indifferent`: both, so it lies inside the zone. `open`: neither. Whatever is not open has the
    right verdict unless its value lies inside the zone; an interval no wider than twice the zone is
    never open.
    """
    sure_above, sure_below = bounds.low > cut - zone, bounds.high < cut + zone

    def name(above: bool, below: bool) -> Decision:
        if above and below:
            return "indifferent"
        if above:
            return "above"
        return "below" if below else "open"

    return tuple(name(a, b) for a, b in zip(sure_above, sure_below, strict=True))
