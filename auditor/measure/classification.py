"""Accuracies from counts, with intervals that use nothing but the counts."""

from __future__ import annotations

from typing import NamedTuple

from auditor.measure.intervals import Interval, Term, combined, wilson


class Hits(NamedTuple):
    """Correct predictions among samples."""

    correct: int
    num_samples: int


def accuracy(hits: Hits, *, level: float = 0.95) -> Interval:
    """Share of correct predictions with Wilson's interval.

    Raises:
        ValueError: without samples.
    """
    return wilson(hits.correct, hits.num_samples, level=level)


def balanced_accuracy(present: Hits, absent: Hits, *, level: float = 0.95) -> Interval:
    """Mean of sensitivity and specificity, with Wilson intervals combined by MOVER.

    Raises:
        ValueError: when either side has no samples.
    """
    sides = (accuracy(hits, level=level) for hits in (present, absent))
    return combined([Term(0.5, side) for side in sides])


def accuracy_drop(inside: Hits, outside: Hits, *, level: float = 0.95) -> Interval:
    """Accuracy over both sets of samples minus the accuracy inside the first.

    The samples inside are part of all samples, so the two accuracies are not independent. Their
    difference is the share of samples outside times (accuracy outside - accuracy inside), where
    both sides are independent given the counts.

    Raises:
        ValueError: when there are no samples inside or outside.
    """
    share = outside.num_samples / (inside.num_samples + outside.num_samples)
    return combined(
        [
            Term(share, accuracy(outside, level=level)),
            Term(-share, accuracy(inside, level=level)),
        ]
    )
