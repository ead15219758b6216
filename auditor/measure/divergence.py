"""Kullback-Leibler divergence between an expected and a mined distribution of cosines.

The direction is KL(P || Q) with P expected and Q mined, as Zhang et al. (AAAI 2018) state it. Two
estimators stand side by side, because the histogram's depends on bins and smoothing: without a
pseudo count one empty bin makes it infinite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, logsumexp
from scipy.stats import spearmanr

Floats = NDArray[np.float64]


def gaussian_divergence(
    expected_mean: ArrayLike, expected_sd: ArrayLike, mean: ArrayLike, sd: ArrayLike
) -> Floats:
    """KL(N(m1, s1²) || N(m2, s2²)) = ln(s2/s1) + (s1² + (m1 - m2)²) / (2 s2²) - 1/2, in nats.

    Arguments broadcast. P is the expected, Q the mined distribution.

    Raises:
        ValueError: when a standard deviation is not positive.
    """
    m1, s1, m2, s2 = (
        np.asarray(value, dtype=np.float64) for value in (expected_mean, expected_sd, mean, sd)
    )
    if not ((s1 > 0).all() and (s2 > 0).all()):
        raise ValueError("standard deviations must be positive")
    result: Floats = np.log(s2 / s1) + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2) - 0.5
    return result


def gaussian_divergence_error(
    expected_mean: float, expected_sd: float, mean: float, sd: float, num_samples: int
) -> float:
    """Standard error of `gaussian_divergence` where Q is fitted to samples and P is given.

    By the delta method: with z = (m1 - m2) / s2 and r = s1 / s2, the slopes are -z / s2 by m2 and
    (1 - r² - z²) / s2 by s2, whose variances are s2² / n and s2² / 2n for a Gaussian Q. Where P and
    Q agree both slopes vanish, and the divergence varies like χ²(2) / 2n: hence the 1 / n².

    Raises:
        ValueError: when a standard deviation or the number of samples is not positive.
    """
    if not (expected_sd > 0 and sd > 0 and num_samples > 0):
        raise ValueError("standard deviations and the number of samples must be positive")
    z, ratio = (expected_mean - mean) / sd, expected_sd / sd
    variance = z**2 + (1 - ratio**2 - z**2) ** 2 / 2
    return float(np.sqrt(variance / num_samples + 1 / num_samples**2))


def histogram_divergence(
    expected_mean: float, expected_sd: float, counts: ArrayLike, *, pseudo_count: float = 0.5
) -> Floats:
    """KL(P || Q) over equal bins on [-1, 1], in nats.

    P is N(expected_mean, expected_sd²) truncated to [-1, 1] and binned; Q are the counts, each
    raised by the pseudo count.

    Args:
        expected_mean: μ of the relation.
        expected_sd: σ of the relation.
        counts: Histogram counts [..., num_bins].
        pseudo_count: Smoothing; positive, so that no bin of Q is empty.

    Returns:
        [...].

    Raises:
        ValueError: when the standard deviation or the pseudo count is not positive.
    """
    if pseudo_count <= 0:
        raise ValueError("the pseudo count must be positive")
    raised = np.asarray(counts, dtype=np.float64) + pseudo_count
    q = raised / raised.sum(-1, keepdims=True)
    p = binned_gaussian(expected_mean, expected_sd, raised.shape[-1])
    terms = np.where(p > 0, p * (np.log(np.where(p > 0, p, 1.0)) - np.log(q)), 0.0)
    result: Floats = terms.sum(-1)
    return result


def binned_gaussian(mean: float, sd: float, num_bins: int) -> Floats:
    """Probabilities of equal bins on [-1, 1] under N(mean, sd²) truncated to [-1, 1].

    Raises:
        ValueError: when the standard deviation is not positive.
    """
    if sd <= 0:
        raise ValueError("standard deviations must be positive")
    edges = (np.linspace(-1.0, 1.0, num_bins + 1) - mean) / sd
    # Bins above the mean are mirrored, and logarithms kept: far tails neither cancel nor underflow.
    mirrored = edges[:-1] > 0
    upper = log_ndtr(np.where(mirrored, -edges[:-1], edges[1:]))
    lower = log_ndtr(np.where(mirrored, -edges[1:], edges[:-1]))
    logs = upper + np.log(-np.expm1(lower - upper))
    result: Floats = np.exp(logs - logsumexp(logs))
    return result


def signed(divergence: ArrayLike, mean: ArrayLike, expected_mean: ArrayLike) -> Floats:
    """The divergence with the sign of mean - expected: a bare divergence is two-sided."""
    difference = np.asarray(mean, dtype=np.float64) - np.asarray(expected_mean, dtype=np.float64)
    result: Floats = np.sign(difference) * np.asarray(divergence, dtype=np.float64)
    return result


def rank_agreement(first: ArrayLike, second: ArrayLike) -> float | None:
    """Spearman's rank correlation; None with fewer than three pairs or without any order."""
    left, right = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if len(left) < 3 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return None
    return float(spearmanr(left, right).statistic)
