"""Everything that the audit measured, as the final solve sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.audits.relationships.expectations import (
    Moments,
    moments,
    replicates,
    seen_enough,
)
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.audits.relationships.states import AccuracyState, CosineState, LabelState
from auditor.context import Context
from auditor.measure.association import NormalEquations, standardised_coefficients
from auditor.measure.classification import Hits, balanced_accuracy
from auditor.measure.intervals import Interval
from auditor.results.estimate import Estimate

LEVEL = 0.95
"""Coverage of every interval that a reader sees."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Merged states, turned to arrays once.

    Attributes:
        spec: The audit's spec.
        context: Its attributes, rules and relations.
        seen: Moments of the cosine per pair.
        num_images: Images whose gradients were taken.
        without: Images of each pair whose gradients have no direction [P].
        histograms: Counts of the cosine [P, bins].
        replicates: Bootstrap means of the cosine [R, P].
        decided: Whether a sequential sample may stop here.
        mined_cells: Mined images per pair and labels [n, n, 2, 2].
        num_mined: Mined images with labels.
        num_confirming: Confirming images.
        num_nonfinite: Confirming images left out for scores that are not finite.
        answers: Confirming images by one attribute's label and another's prediction; see
            `AccuracyState` [n, n, 2, 2].
        cells: Confirming images per pair and labels [n, n, 2, 2].
        right: How many are right on the pair's first attribute [n, n, 2, 2].
        coefficients: Standardised regression of every score on all labels [labels, scores].
        balanced_accuracies: Per attribute.
    """

    spec: RelationshipsSpec
    context: Context
    seen: Moments
    num_images: int
    without: Counts
    histograms: Counts
    replicates: Floats
    decided: bool
    mined_cells: Counts
    num_mined: int
    num_confirming: int
    num_nonfinite: int
    answers: Counts
    cells: Counts
    right: Counts
    coefficients: Floats | None
    balanced_accuracies: tuple[Estimate, ...]

    @property
    def learnt(self) -> tuple[bool | None, ...]:
        """Per attribute, whether its balanced accuracy passes the spec's bar."""
        return tuple(
            None if found.value is None else found.value > self.spec.learnt_above
            for found in self.balanced_accuracies
        )

    def swallowed(self, attribute: int, by: int) -> bool:
        """Whether the answer for an unlearnt attribute is one about another attribute instead.

        A network that was only ever shown two attributes together may answer both by the one. Its
        answer for the other then fails on fair images, and so looks unlearnt; but it is not noise.
        """
        if self.learnt[attribute] is not False:
            return False
        absent, present = self.answers[attribute, by]
        if min(absent.sum(), present.sum()) < self.spec.min_cell:
            return False
        agreement = (absent[0] / absent.sum() + present[1] / present.sum()) / 2
        return bool(max(agreement, 1 - agreement) > self.spec.learnt_above)

    def testifies(self, attribute: int, partner: int) -> bool | None:
        """Whether an attribute's score means something in a pair; None where that is unknown."""
        return self.swallowed(attribute, partner) or self.learnt[attribute]


def gather(
    spec: RelationshipsSpec,
    context: Context,
    cosines: CosineState,
    labels: LabelState,
    accuracy: AccuracyState,
) -> Evidence:
    """Turn merged states into arrays."""
    num_confirming = int(accuracy.num_images)
    equations = NormalEquations(
        accuracy.num_images, accuracy.inner, accuracy.cross, accuracy.squares
    )
    return Evidence(
        spec=spec,
        context=context,
        seen=moments(cosines),
        num_images=int(cosines.num_images),
        without=cosines.without.numpy(),
        histograms=cosines.histogram.numpy(),
        replicates=replicates(cosines),
        decided=seen_enough(spec, context, cosines),
        mined_cells=labels.cells.numpy(),
        num_mined=int(labels.num_images),
        num_confirming=num_confirming,
        num_nonfinite=int(accuracy.num_nonfinite),
        answers=accuracy.answers.numpy(),
        cells=accuracy.cells.numpy(),
        right=accuracy.right.numpy(),
        coefficients=standardised_coefficients(equations) if num_confirming else None,
        balanced_accuracies=tuple(
            attribute_accuracy(spec, accuracy, index) for index in range(len(context.attributes))
        ),
    )


def attribute_accuracy(spec: RelationshipsSpec, accuracy: AccuracyState, index: int) -> Estimate:
    """Balanced accuracy of one attribute on confirming images."""
    own = accuracy.answers[index, index]
    absent, present = (Hits(int(own[side, side]), int(own[side].sum())) for side in (0, 1))
    num_samples = absent.num_samples + present.num_samples
    for hits, words in ((present, "with"), (absent, "without")):
        if hits.num_samples < spec.min_cell:
            reason = f"only {hits.num_samples} confirming images {words} the attribute"
            if int(accuracy.num_nonfinite):
                reason += f"; {int(accuracy.num_nonfinite)} were left out: scores not finite"
            return Estimate.absent(reason, num_samples=num_samples)
    found = balanced_accuracy(present, absent, level=LEVEL)
    return measured(found, "Wilson intervals of both sides, combined by MOVER", num_samples)


def measured(interval: Interval, method: str, num_samples: int, level: float = LEVEL) -> Estimate:
    """An estimate from an interval."""
    return Estimate(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        level=level,
        method=method,
        num_samples=num_samples,
    )
