"""Accuracies from counts, with intervals that use nothing but the counts."""

from __future__ import annotations

from collections.abc import Sequence
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


def mean_accuracy(hits: Sequence[Hits], *, level: float = 0.95) -> Interval:
    """Mean accuracy of several predictions on the same samples.

    Predictions on one sample may be right and wrong together, so the ends are averaged as they
    are: this is the interval under perfect correlation, the widest one.

    Raises:
        ValueError: without predictions or samples.
    """
    return _together([Term(1 / len(hits), accuracy(one, level=level)) for one in hits])


def accuracy_drop(
    inside: Sequence[Hits], outside: Sequence[Hits], *, level: float = 0.95
) -> Interval:
    """Accuracy over both sets of samples minus the accuracy inside, mean of several predictions.

    The samples inside are part of all samples, so the two accuracies are not independent. Their
    difference is the share of samples outside times (accuracy outside - accuracy inside), where
    both sides are independent given the counts. Predictions inside are made on the same samples
    and count as perfectly correlated; the sets outside are disjoint and count as independent.

    Args:
        inside: Hits of each prediction on the samples inside.
        outside: Hits of each prediction on its other samples; a set may be empty.
        level: Coverage.

    Raises:
        ValueError: when there are no samples inside, or none outside at all.
    """
    shares = [
        out.num_samples / (len(inside) * (own.num_samples + out.num_samples))
        for own, out in zip(inside, outside, strict=True)
    ]
    used = [(share, own, out) for share, own, out in zip(shares, inside, outside, strict=True)]
    others = [Term(share, accuracy(out, level=level)) for share, _, out in used if share > 0]
    own = _together([Term(share, accuracy(hits, level=level)) for share, hits, _ in used])
    if not others:
        raise ValueError("there are no samples outside")
    return combined([*others, Term(-1.0, own)])


def _together(terms: Sequence[Term]) -> Interval:
    """A weighted sum of perfectly correlated estimates with positive weights."""
    sums = (sum(weight * part[end] for weight, part in terms) for end in range(3))
    return Interval(*sums)
