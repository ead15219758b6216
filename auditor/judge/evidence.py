"""The evidence of a finding in short texts, so that a decision can say what has changed since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditor.results.estimate import Estimate
from auditor.results.finding import Finding

GONE = "there no longer"


def evidence_words(finding: Finding) -> dict[str, str]:
    """What a decision is based on: the verdict and each number, by metric name."""
    words = {"verdict": str(finding.verdict)}
    words |= {name: in_short(estimate) for name, estimate in finding.estimates.items()}
    if finding.p_adjusted is not None:
        words["p_adjusted"] = in_short(finding.p_adjusted)
    return words


def in_short(estimate: Estimate) -> str:
    """`0.612 [0.58, 0.644]`, to four digits; `not measured` without a value."""
    if estimate.value is None:
        return "not measured"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4g}"
    return f"{estimate.value:.4g} [{estimate.low:.4g}, {estimate.high:.4g}]"


def what_changed(before: Mapping[str, str], finding: Finding) -> tuple[str, ...]:
    """`cosine was 0.61 [0.58, 0.64], is 0.48 [0.45, 0.51]`, one per metric that changed.

    Args:
        before: What a decision was based on; empty where it does not say, and then so is the
            answer.
        finding: The finding as it is now.
    """
    return tuple(changes(before, evidence_words(finding))) if before else ()


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    same = True
    for name in (*before, *(name for name in now if name not in before)):
        was, is_now = before.get(name), now.get(name)
        if was != is_now:
            same = False
            yield f"{name} was {was or 'not there'}, is {is_now or GONE}"
    if same:
        yield "numbers moved by less than the four digits kept here, or how they were made"
