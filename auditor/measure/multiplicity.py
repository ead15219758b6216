"""Correction for testing many rules at once."""

from __future__ import annotations

from collections.abc import Sequence


def benjamini_hochberg(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Adjusted p-values: rejecting those at most α keeps the false discovery rate at α.

    p₍ᵢ₎ becomes min over k ≥ i of m p₍ₖ₎ / k (Benjamini & Hochberg, JRSS B 1995). A test that was
    not made (None) counts for nothing and stays None.

    Raises:
        ValueError: when a p-value is outside [0, 1].
    """
    made = [(p, index) for index, p in enumerate(p_values) if p is not None]
    if any(not 0.0 <= p <= 1.0 for p, _ in made):
        raise ValueError("p-values lie between 0 and 1")
    adjusted: list[float | None] = [None] * len(p_values)
    smallest = 1.0
    for rank, (p, index) in reversed(list(enumerate(sorted(made), start=1))):
        smallest = min(smallest, p * len(made) / rank)
        adjusted[index] = smallest
    return tuple(adjusted)
