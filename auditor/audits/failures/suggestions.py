"""Candidates for a feature's name: the attribute of the data that the feature tells best.

A feature is a score for each attribute. How well it ranks images that show the attribute above
those that do not is the area under the ROC curve, P(present > absent) + P(tie) / 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from auditor.audits.failures.growing import LEVEL
from auditor.audits.failures.result import Side, SuggestionResult
from auditor.context import Attribute
from auditor.results.estimate import Estimate

MIN_LABELLED = 30
"""Images with the attribute, and without it, below which nothing is suggested."""

MAX_IMAGES = 20_000
"""Growing images that are looked at, the first of the shuffled order: a fair sample."""

METHOD = "Hanley-McNeil variance, score interval (Newcombe 2006, method 5)"

Floats = NDArray[np.float64]


class Areas(NamedTuple):
    """One feature against A attributes.

    Attributes:
        area: AUC, NaN where one kind is missing [A].
        present: Images that show the attribute [A].
        absent: Images that do not [A].
    """

    area: Floats
    present: NDArray[np.int64]
    absent: NDArray[np.int64]


def areas(values: NDArray[np.float32], labels: NDArray[np.int8]) -> Areas:
    """AUC of one feature for every attribute, ties counted half; exact, by ranks.

    Args:
        values: The feature [N].
        labels: +1 present, -1 absent, 0 unknown [N, A].
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    kinds = labels[order]
    present = np.add.reduceat((kinds > 0).astype(np.int64), starts, axis=0)
    absent = np.add.reduceat((kinds < 0).astype(np.int64), starts, axis=0)
    num_present, num_absent = present.sum(0), absent.sum(0)
    below = absent.cumsum(0) - absent
    # Twice the Mann-Whitney statistic, in whole numbers.
    doubled = (present * (2 * below + absent)).sum(0)
    pairs = 2.0 * num_present * num_absent
    area = np.divide(doubled, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return Areas(area, num_present, num_absent)


def suggestion(
    values: NDArray[np.float32], labels: NDArray[np.int8], attributes: Sequence[Attribute]
) -> SuggestionResult | None:
    """The attribute that a feature tells best; None without labels enough.

    Args:
        values: The feature over growing images [N].
        labels: Labels of all attributes of the spec [N, A].
        attributes: The attributes that may be named.
    """
    if not attributes or not len(values):
        return None
    found = areas(values, labels[:, [attribute.index for attribute in attributes]])
    enough = (found.present >= MIN_LABELLED) & (found.absent >= MIN_LABELLED)
    if not enough.any():
        return None
    clarity = np.where(enough, np.abs(found.area - 0.5), -1.0)
    best = int(clarity.argmax())
    side: Side = "high" if found.area[best] >= 0.5 else "low"
    area = max(float(found.area[best]), 1.0 - float(found.area[best]))
    present, absent = int(found.present[best]), int(found.absent[best])
    low, high = area_interval(area, present, absent)
    return SuggestionResult(
        attribute=attributes[best].name,
        title=attributes[best].title,
        present_when=side,
        auc=Estimate(
            value=area,
            low=low,
            high=high,
            level=LEVEL,
            method=METHOD,
            num_samples=present + absent,
        ),
    )


def area_interval(area: float, num_present: int, num_absent: int) -> tuple[float, float]:
    """Ends of the score interval of an AUC of at least 0.5; at 1 Wald's would have no width.

    All θ with |θ - AUC| ≤ z √V(θ), where V(θ) = θ (1 - θ) [1 + N (1 - θ) / (2 - θ) + N θ / (1 + θ)]
    / (m n) and N = (m + n) / 2 - 1: Hanley & McNeil's variance (Radiology 1982), symmetric in both
    kinds, solved for θ (Newcombe, Statistics in Medicine 2006, method 5).
    """
    z = float(ndtri((1 + LEVEL) / 2))
    half = (num_present + num_absent) / 2 - 1

    def outside(theta: float) -> float:
        inner = 1 + half * (1 - theta) / (2 - theta) + half * theta / (1 + theta)
        variance = theta * (1 - theta) * inner / (num_present * num_absent)
        return abs(theta - area) - z * math.sqrt(max(0.0, variance))

    # At an AUC of 1 the interval ends where the AUC is: the lower end is looked for just below.
    low = float(brentq(outside, 0.0, min(area, 1 - 1e-9)))
    high = 1.0 if area >= 1.0 else float(brentq(outside, area, 1.0))
    return low, high
