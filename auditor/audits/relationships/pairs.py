"""One pair: its numbers, its baselines, and what its rule came to."""

from __future__ import annotations

import math
from typing import Literal

from auditor.audits.relationships import modes
from auditor.audits.relationships.evidence import LEVEL, Evidence, measured
from auditor.audits.relationships.expectations import Expectation, pair_names
from auditor.audits.relationships.judged import Judged
from auditor.audits.relationships.result import CellResult, PairOutcome, PairResult
from auditor.measure.association import phi_coefficient, three_cell_entropy
from auditor.measure.divergence import (
    gaussian_divergence,
    gaussian_divergence_error,
    histogram_divergence,
    signed,
)
from auditor.measure.intervals import Interval, normal, percentile
from auditor.results.estimate import Estimate

Stopped = Literal["all_decided", "all_images", "max_images"]
Shape = Literal["blind_spot", "failure_mode", "none"]

DECISIONS: dict[str, Literal["decided", "inside_zone", "open"]] = {
    "above": "decided",
    "below": "decided",
    "indifferent": "inside_zone",
    "open": "open",
}


def pair_result(evidence: Evidence, judged: Judged, pair: int, stopped: Stopped) -> PairResult:
    """Everything measured about one pair."""
    i, j = pair_names(evidence.context)[pair]
    attributes = evidence.context.attributes
    rule, testable = judged.rules.get(pair), judged.testable[pair]
    outcome, reason = outcome_of(evidence, judged, pair, stopped)
    gaussian, binned = divergences(evidence, pair, judged.expected.get(pair))
    mined = evidence.mined_cells[i, j]
    side = judged.sides.get(pair)
    return PairResult(
        a=attributes[i].name,
        b=attributes[j].name,
        rule=rule.id if rule else None,
        expect=rule.expect if rule else None,
        outcome=outcome,
        reason=reason,
        cosine=cosine_estimate(evidence, pair),
        sd=float(evidence.seen.sd[pair]) if testable else None,
        centred=float(judged.centred[pair]) if testable else None,
        robust_z=z_estimate(evidence, judged, pair),
        p_adjusted=p_estimate(evidence, judged, pair),
        divergence_gaussian=gaussian,
        divergence_histogram=binned,
        shape=shape_of(evidence, judged, pair),
        cells=cell_results(evidence, judged, pair),
        label_correlation=label_correlation(evidence, i, j),
        regression=regression(evidence, i, j),
        entropy=three_cell_entropy(mined),
        histogram=tuple(int(count) for count in evidence.histograms[pair]),
        decision=DECISIONS[side] if side else None,
    )


def outcome_of(
    evidence: Evidence, judged: Judged, pair: int, stopped: Stopped
) -> tuple[PairOutcome, str | None]:
    """What the rule came to, and why it could not be decided."""
    if pair not in judged.rules:
        return "no_rule", None
    if not judged.testable[pair]:
        return "not_testable", few_images(evidence, pair)
    if pair not in judged.expected:
        return "undecided", judged.pools[judged.rules[pair].expect].reason
    unknown, unlearnt = unsure_attributes(evidence, pair)
    if unlearnt:
        return "not_learnt", f"the model did not learn {' and '.join(unlearnt)}"
    if unknown:
        return "undecided", f"the accuracy of {' and '.join(unknown)} could not be measured"
    score = judged.scores[pair]
    if score.z.value is None:
        return "undecided", score.z.reason
    if stopped == "max_images" and judged.sides.get(pair) == "open":
        return "undecided", f"{evidence.num_images} images do not tell on which side of the cut"
    adjusted = judged.adjusted[pair]
    significant = adjusted is not None and adjusted < evidence.spec.alpha
    beyond = abs(deviation(evidence, judged, pair)) > evidence.spec.cut
    return ("broken" if beyond and significant else "as_expected"), None


def deviation(evidence: Evidence, judged: Judged, pair: int) -> float:
    """m - μ; without an expectation, what double-centring leaves."""
    expected = judged.expected.get(pair)
    if expected is None:
        return float(judged.centred[pair])
    return float(evidence.seen.mean[pair] - expected.mean)


def shape_of(evidence: Evidence, judged: Judged, pair: int) -> Shape:
    """By the paper's two cuts, whatever the test says.

    Beyond the paper, only a relation weaker than expected can be missed: where none is expected
    and a weak one is found, that is a wrong relation in use.
    """
    expected = judged.expected.get(pair)
    if expected is None or abs(deviation(evidence, judged, pair)) <= evidence.spec.cut:
        return "none"
    strength = abs(float(evidence.seen.mean[pair]))
    missed = strength < min(evidence.spec.presence_cut, abs(expected.mean))
    return "blind_spot" if missed else "failure_mode"


def cell_results(evidence: Evidence, judged: Judged, pair: int) -> tuple[CellResult, ...]:
    """Both candidate combinations, fewer mined images first."""
    names = pair_names(evidence.context)[pair]
    sides = modes.candidates(evidence, names, deviation(evidence, judged, pair))
    return tuple(modes.cell_result(evidence, names, present) for present in sides)


def cosine_estimate(evidence: Evidence, pair: int) -> Estimate:
    """m with its bootstrap interval."""
    count = int(evidence.seen.count[pair])
    if count < evidence.spec.min_images:
        return Estimate.absent(few_images(evidence, pair), num_samples=count)
    mean = float(evidence.seen.mean[pair])
    found = percentile(mean, evidence.replicates[:, pair], level=LEVEL)
    return measured(found, "Poisson bootstrap, percentiles", count)


def deviation_estimate(evidence: Evidence, judged: Judged, pair: int) -> Estimate:
    """|m - μ| with the bootstrap interval of m around a fixed μ."""
    found, expected = cosine_estimate(evidence, pair), judged.expected.get(pair)
    if expected is None or found.value is None or found.low is None or found.high is None:
        return Estimate.absent("there is no expected value", num_samples=found.num_samples)
    low, high = found.low - expected.mean, found.high - expected.mean
    straddles = low <= 0.0 <= high
    interval = Interval(
        abs(found.value - expected.mean),
        0.0 if straddles else min(abs(low), abs(high)),
        max(abs(low), abs(high)),
    )
    return measured(interval, "Poisson bootstrap, percentiles", found.num_samples or 0)


def divergence_estimate(evidence: Evidence, judged: Judged, pair: int) -> Estimate:
    """KL(P || Q) of the Gaussian fit, without the sign, around a fixed P."""
    expected, sd = judged.expected.get(pair), float(evidence.seen.sd[pair])
    count = int(evidence.seen.count[pair])
    if expected is None or expected.sd <= 0 or sd <= 0:
        return Estimate.absent("there is no spread to compare", num_samples=count)
    mean = float(evidence.seen.mean[pair])
    value = float(gaussian_divergence(expected.mean, expected.sd, mean, sd))
    error = gaussian_divergence_error(expected.mean, expected.sd, mean, sd, count)
    around = normal(value, error, level=LEVEL)
    interval = Interval(value, max(0.0, around.low), around.high)
    return measured(interval, "Gaussian fit, delta method", count)


def z_estimate(evidence: Evidence, judged: Judged, pair: int) -> Estimate:
    """Robust z, or why there is none."""
    if pair in judged.scores:
        return judged.scores[pair].z
    return Estimate.absent(no_score(evidence, judged, pair))


def p_estimate(evidence: Evidence, judged: Judged, pair: int) -> Estimate:
    """Corrected p-value, or why there is none."""
    adjusted = judged.adjusted.get(pair)
    if adjusted is not None:
        method = "Benjamini-Hochberg over the tested rules"
        return Estimate(value=adjusted, method=method, num_samples=len(judged.adjusted))
    if pair not in judged.scores:
        return Estimate.absent(no_score(evidence, judged, pair))
    z = judged.scores[pair].z
    return Estimate.absent(z.reason or "not tested: an attribute of the pair is not learnt")


def no_score(evidence: Evidence, judged: Judged, pair: int) -> str:
    """Why a pair is not held against others."""
    if pair not in judged.rules:
        return "no rule speaks of the pair"
    if not judged.testable[pair]:
        return few_images(evidence, pair)
    return judged.pools[judged.rules[pair].expect].reason or "there is no expected value"


def few_images(evidence: Evidence, pair: int) -> str:
    """Why a pair is not testable."""
    count, without = int(evidence.seen.count[pair]), int(evidence.without[pair])
    reason = f"only {count} images show either attribute, {evidence.spec.min_images} are needed"
    if without:
        zero = "zero" if evidence.spec.mask.method == "none" else "zero inside the mask"
        reason += f"; in {without} more a gradient is {zero} or not finite"
    return reason


def unsure_attributes(evidence: Evidence, pair: int) -> tuple[list[str], list[str]]:
    """Titles of the pair's attributes of unknown accuracy, and of those not learnt."""
    i, j = pair_names(evidence.context)[pair]
    attributes = evidence.context.attributes
    known = {attributes[i].title: evidence.testifies(i, j)}
    known[attributes[j].title] = evidence.testifies(j, i)
    unknown = [title for title, verdict in known.items() if verdict is None]
    unlearnt = [title for title, verdict in known.items() if verdict is False]
    return unknown, unlearnt


def divergences(
    evidence: Evidence, pair: int, expected: Expectation | None
) -> tuple[float | None, float | None]:
    """Signed KL(P || Q) by both estimators; None without an expectation or without spread."""
    if expected is None or expected.sd <= 0:
        return None, None
    mean, sd = float(evidence.seen.mean[pair]), float(evidence.seen.sd[pair])
    binned = histogram_divergence(
        expected.mean,
        expected.sd,
        evidence.histograms[pair],
        pseudo_count=evidence.spec.divergence.pseudo_count,
    )
    histogram = float(signed(binned, mean, expected.mean))
    if sd <= 0:
        return None, histogram
    closed = gaussian_divergence(expected.mean, expected.sd, mean, sd)
    return float(signed(closed, mean, expected.mean)), histogram


def label_correlation(evidence: Evidence, i: int, j: int) -> Estimate:
    """φ of the mined labels with Fisher's interval."""
    cells = evidence.mined_cells[i, j]
    count, phi = int(cells.sum()), phi_coefficient(cells)
    if phi is None or count < 4:
        return Estimate.absent("one of the labels does not vary", num_samples=count)
    around = normal(math.atanh(max(-1 + 1e-12, min(1 - 1e-12, phi))), 1 / math.sqrt(count - 3))
    interval = Interval(phi, math.tanh(around.low), math.tanh(around.high))
    return measured(interval, "Fisher's z", count)


def regression(evidence: Evidence, i: int, j: int) -> Estimate:
    """The larger of both cross coefficients of the regression of scores on labels."""
    if evidence.coefficients is None:
        return Estimate.absent("no confirming image has finite scores")
    crossed = (float(evidence.coefficients[j, i]), float(evidence.coefficients[i, j]))
    return Estimate(
        value=max(crossed, key=abs),
        method="least squares on all labels, standardised",
        num_samples=evidence.num_confirming,
    )
