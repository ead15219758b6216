"""Intervals for shares, means and their combinations, from counts alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri


class Interval(NamedTuple):
    """A value with its interval."""

    value: float
    low: float
    high: float


class Term(NamedTuple):
    """One independent estimate and its weight in a sum."""

    weight: float
    interval: Interval


def wilson(successes: float, num_samples: float, *, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share (JASA 1927); sound at 0, at 1 and with few samples.

    Raises:
        ValueError: without samples, or with more successes than samples.
    """
    if num_samples <= 0 or not 0 <= successes <= num_samples:
        raise ValueError(f"{successes} of {num_samples} is not a share")
    share, z = successes / num_samples, _quantile(level)
    scale = 1 + z * z / num_samples
    centre = (share + z * z / (2 * num_samples)) / scale
    inner = share * (1 - share) / num_samples + z * z / (4 * num_samples**2)
    half = z * math.sqrt(inner) / scale
    # Rounding must not push an end past the value at 0 and 1.
    return Interval(share, max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share)))


def normal(mean: float, standard_error: float, *, level: float = 0.95) -> Interval:
    """Mean ± z standard errors."""
    half = _quantile(level) * standard_error
    return Interval(mean, mean - half, mean + half)


def percentile(value: float, replicates: ArrayLike, *, level: float = 0.95) -> Interval:
    """Percentile interval of bootstrap replicates around a value.

    Raises:
        ValueError: without replicates.
    """
    drawn = np.asarray(replicates, dtype=np.float64)
    if drawn.size == 0:
        raise ValueError("there are no replicates")
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def combined(terms: Sequence[Term]) -> Interval:
    """Interval of Σ wₖ xₖ from the intervals of independent xₖ.

    MOVER, the method of variance estimates recovery: each side takes the distances of the terms'
    own ends, squared, weighted and summed (Zou & Donner, Statistics in Medicine 2008). With shares
    and Wilson intervals it gives Newcombe's interval for a difference.

    Raises:
        ValueError: without terms.
    """
    if not terms:
        raise ValueError("there is nothing to combine")
    value = below = above = 0.0
    for weight, (estimate, low, high) in terms:
        value += weight * estimate
        down, up = weight * (estimate - low), weight * (high - estimate)
        if weight < 0:
            down, up = up, down
        below += down * down
        above += up * up
    return Interval(value, value - math.sqrt(below), value + math.sqrt(above))


def _quantile(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise ValueError(f"a level lies between 0 and 1, not {level}")
    return float(ndtri((1 + level) / 2))
