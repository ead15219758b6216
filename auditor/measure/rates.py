"""Error rates of a tree's leaves (Singla et al., CVPR 2021), from counts alone; torch-free.

Every function takes the leaves of one tree, which share out all of its images: `sizes[i]` images
lie in leaf i, of which `failures[i]` are failures. Leaves may be empty; they count for nothing.
A figure that the counts do not define is None.

    BER  = Σ failures / Σ sizes                    base error rate
    ER_i = failures_i / sizes_i                    error rate of a leaf
    EC_i = failures_i / Σ failures                 error coverage of a leaf
    IV_i = EC_i · ER_i                             importance value of a leaf
    ALER = Σ IV_i                                  average leaf error rate

With G_w, the leaves' mean Gini impurity weighted by their sizes, ALER = 1 - G_w / (2 BER), so a
split by Gini is a split by ALER. ALER ≥ BER, with equality exactly where all leaves have the same
error rate, and (ALER - BER) / (1 - BER) = χ² / N of the table of leaves by failure, which does not
depend on BER and can be compared between models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def base_error_rate(sizes: Sequence[int], failures: Sequence[int]) -> float | None:
    """BER: share of failures among all images; None where there are no images.

    Args:
        sizes: Images of each leaf.
        failures: Failures among them.

    Raises:
        ValueError: when the counts are no counts of leaves.
    """
    num_samples, num_failures = _totals(sizes, failures)
    return num_failures / num_samples if num_samples else None


def importance_values(sizes: Sequence[int], failures: Sequence[int]) -> tuple[float | None, ...]:
    """IV of each leaf; None for empty leaves, and for all leaves where nothing fails.

    Args:
        sizes: Images of each leaf.
        failures: Failures among them.

    Raises:
        ValueError: when the counts are no counts of leaves.
    """
    _, num_failures = _totals(sizes, failures)
    return tuple(
        failed * failed / (size * num_failures) if size and num_failures else None
        for size, failed in zip(sizes, failures, strict=True)
    )


def average_leaf_error_rate(sizes: Sequence[int], failures: Sequence[int]) -> float | None:
    """ALER: the error rate of the leaf of a random failure; None where nothing fails.

    Args:
        sizes: Images of each leaf.
        failures: Failures among them.

    Raises:
        ValueError: when the counts are no counts of leaves.
    """
    values = [value for value in importance_values(sizes, failures) if value is not None]
    return math.fsum(values) if values else None


def gain_error(sizes: Sequence[int], failures: Sequence[int]) -> float | None:
    """Standard error of ALER - BER; None where nothing fails.

    By the delta method for counts of independent images: with r the error rate of an image's leaf,
    an image moves ALER - BER by (2 r - ALER - r²) / BER - 1 if it fails, else by -r² / BER.

    Args:
        sizes: Images of each leaf.
        failures: Failures among them.

    Raises:
        ValueError: when the counts are no counts of leaves.
    """
    average = average_leaf_error_rate(sizes, failures)
    base = base_error_rate(sizes, failures)
    if average is None or not base:
        return None
    moves: list[tuple[int, float]] = []
    for size, failed in zip(sizes, failures, strict=True):
        rate = failed / size if size else 0.0
        moves.append((failed, (2 * rate - average - rate**2) / base - 1))
        moves.append((size - failed, -(rate**2) / base))
    num_samples = sum(sizes)
    mean = math.fsum(count * move for count, move in moves) / num_samples
    spread = math.fsum(count * (move - mean) ** 2 for count, move in moves) / num_samples
    return math.sqrt(spread / num_samples)


def normalised_gain(sizes: Sequence[int], failures: Sequence[int]) -> float | None:
    """(ALER - BER) / (1 - BER) = χ² / N; None where nothing or everything fails.

    Args:
        sizes: Images of each leaf.
        failures: Failures among them.

    Raises:
        ValueError: when the counts are no counts of leaves.
    """
    statistic = chi_square(sizes, failures)
    # The sum of squares that χ² is keeps small gains exact; ALER - BER would cancel.
    return None if statistic is None else statistic / sum(sizes)


def chi_square(sizes: Sequence[int], failures: Sequence[int]) -> float | None:
    """Pearson's χ² of the table of leaves by failure; None where nothing or everything fails.

    Args:
        sizes: Images of each leaf.
        failures: Failures among them.

    Raises:
        ValueError: when the counts are no counts of leaves.
    """
    num_samples, num_failures = _totals(sizes, failures)
    num_successes = num_samples - num_failures
    if not num_failures or not num_successes:
        return None
    # A leaf's two cells are off by the same d = (f N - n F) / N; f N - n F is exact in integers.
    terms = (
        (failed * num_samples - size * num_failures) ** 2 / size
        for size, failed in zip(sizes, failures, strict=True)
        if size
    )
    return math.fsum(terms) / (num_failures * num_successes)


def _totals(sizes: Sequence[int], failures: Sequence[int]) -> tuple[int, int]:
    """Images and failures of all leaves together."""
    if any(not 0 <= failed <= size for size, failed in zip(sizes, failures, strict=True)):
        raise ValueError("a leaf has at least 0 failures and at most as many as images")
    return sum(sizes), sum(failures)
