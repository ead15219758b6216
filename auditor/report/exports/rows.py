"""What every export says about a finding: the number that decides it, and how it stands today."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.catalog import CODES
from auditor.judge.policy import weighs
from auditor.judge.review import Decision, Reviews, Standing
from auditor.report.failures import with_names
from auditor.report.reviewing import reviews_of
from auditor.results.code import Code, Worse
from auditor.results.comparison import ComparedFinding
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding
from auditor.store.reader import Run

DESCRIBED: dict[str, Code] = {code.code: code for code in CODES}


@dataclass(frozen=True)
class Row:
    """One finding.

    Attributes:
        finding: The finding itself.
        code: What its code means; None for a code that this version does not know.
        metric: Name of the number that decides it; empty where it has none.
        estimate: That number.
        standing: How it stands after review.
        decision: What somebody decided about it.
        compared: What became of it since the baseline; None where there is none.
        breaks: Whether it breaks the severity gate of the policy: it failed, weighs enough, is
            open, and the baseline did not have it already.
    """

    finding: Finding
    code: Code | None
    metric: str
    estimate: Estimate | None
    standing: Standing
    decision: Decision | None
    compared: ComparedFinding | None
    breaks: bool


def make_rows(run: Run) -> tuple[Row, ...]:
    """Every finding of a run in the words of the report, in the order of the spec's audits.

    Raises:
        ArtifactError: the review file of the run is damaged.
    """
    reviews = reviews_of(run)
    compared = {
        one.after.id: one
        for one in (run.comparison.findings if run.comparison else ())
        if one.after is not None
    }
    return tuple(
        make_row(run, reviews, finding, compared.get(finding.id))
        for finding in with_names(run).findings
    )


def make_row(run: Run, reviews: Reviews, finding: Finding, compared: ComparedFinding | None) -> Row:
    code = DESCRIBED.get(finding.code)
    metric = deciding_metric(finding, code)
    standing, fail_on = reviews.standing(finding), run.spec.policy.fail_on
    return Row(
        finding=finding,
        code=code,
        metric=metric,
        estimate=finding.estimates.get(metric),
        standing=standing,
        decision=reviews.decided(finding),
        compared=compared,
        breaks=finding.verdict == "fail"
        and standing != "closed"
        and fail_on is not None
        and weighs(finding.severity, fail_on)
        and not (compared is not None and compared.known),
    )


def deciding_metric(finding: Finding, code: Code | None) -> str:
    """The worst of the measured numbers that decide a finding; else the first that it has."""
    named = [name for name in (code.metrics if code else ()) if name in finding.estimates]
    measured = [name for name in named if finding.estimates[name].value is not None]
    if code is not None and measured:
        return max(measured, key=lambda name: badness(finding.estimates[name], code.worse))
    return next(iter([*named, *finding.estimates]), "")


def badness(estimate: Estimate, worse: Worse) -> float:
    """Grows as a number gets worse."""
    value = estimate.value or 0.0
    match worse:
        case "higher":
            return value
        case "lower":
            return -value
        case "farther_from_zero":
            return abs(value)
        case "nearer_to_zero":
            return -abs(value)
