"""Limits of the policy: bounds on measured quantities that respect the measurement's interval.

A quantity is inside a bound if its whole interval is, outside if its whole interval is, and
undecided if the bound lies inside the interval. No review decision changes a measurement: limits
look at every finding, closed or open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from auditor.near import suggest
from auditor.results.base import Verdict
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding
from auditor.results.run_record import AuditRecord, PolicyOutcome
from auditor.spec.policy import LimitSpec


class Measured(NamedTuple):
    """One quantity under a limit."""

    subjects: tuple[str, ...]
    estimate: Estimate
    verdict: Verdict


def limit_outcome(
    name: str, limit: LimitSpec, audits: Sequence[AuditRecord], findings: Sequence[Finding]
) -> PolicyOutcome:
    """One limit, over every finding of its audit that measured the metric."""
    measured = list(measured_under(limit, findings))
    for verdict in ("fail", "inconclusive"):
        hits = [one for one in measured if one.verdict == verdict]
        if hits:
            return outcome(name, limit, hits_in_words(limit, hits, len(measured)), verdict)
    if measured:
        return outcome(name, limit, worst_in_words(limit, measured), "pass")
    return outcome(name, limit, why_nothing(limit, audits, findings), "inconclusive")


def outcome(name: str, limit: LimitSpec, value: str, verdict: Verdict) -> PolicyOutcome:
    bounds = [
        f"at most {limit.max:g}" if limit.max is not None else "",
        f"at least {limit.min:g}" if limit.min is not None else "",
    ]
    about = f" of {' and '.join(limit.subjects)}" if limit.subjects else ""
    target = f"{limit.metric}{about} in {limit.audit} is {' and '.join(filter(None, bounds))}"
    return PolicyOutcome(name=f"limit:{name}", target=target, value=value, verdict=verdict)


def measured_under(limit: LimitSpec, findings: Sequence[Finding]) -> Iterator[Measured]:
    seen = set()
    for finding in findings:
        estimate = finding.estimates.get(limit.metric)
        wanted = set(limit.subjects or ()) <= set(finding.subjects)
        # Several findings about one pair may carry the same measurement: it counts once.
        key = (finding.subjects, estimate.model_dump_json() if estimate else "")
        if finding.audit != limit.audit or estimate is None or not wanted or key in seen:
            continue
        seen.add(key)
        yield Measured(finding.subjects, estimate, held_against(limit, estimate))


def held_against(limit: LimitSpec, estimate: Estimate) -> Verdict:
    """One estimate against both bounds.

    The interval stands in for the value; a missing end is the value itself.
    """
    if estimate.value is None:
        return "inconclusive"
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    if (limit.max is not None and low > limit.max) or (limit.min is not None and high < limit.min):
        return "fail"
    inside_max = limit.max is None or high <= limit.max
    inside_min = limit.min is None or low >= limit.min
    return "pass" if inside_max and inside_min else "inconclusive"


def hits_in_words(limit: LimitSpec, hits: Sequence[Measured], num_measured: int) -> str:
    """The worst of those that broke the limit, or the first that could not be decided."""
    failing = hits[0].verdict == "fail"
    kind = "outside the limit" if failing else "undecided"
    example = max(hits, key=lambda one: excess(limit, one.estimate))
    return f"{limit.metric}: {len(hits)} of {num_measured} {kind}, such as {in_words(example)}"


def worst_in_words(limit: LimitSpec, measured: Sequence[Measured]) -> str:
    worst = max(measured, key=lambda one: excess(limit, one.estimate))
    return f"{limit.metric}: all {len(measured)} inside; nearest to the limit is {in_words(worst)}"


def excess(limit: LimitSpec, estimate: Estimate) -> float:
    """How far beyond a bound the value lies; negative inside, minus infinity if unmeasured."""
    if estimate.value is None:
        return float("-inf")
    beyond = [float("-inf")]
    if limit.max is not None:
        beyond.append(estimate.value - limit.max)
    if limit.min is not None:
        beyond.append(limit.min - estimate.value)
    return max(beyond)


def in_words(measured: Measured) -> str:
    """`0.42 [0.38, 0.46] for lipstick and smiling`."""
    estimate, about = measured.estimate, " and ".join(measured.subjects)
    if estimate.value is None:
        return f"{about}: not measured, {estimate.reason}"
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        interval = f" [{estimate.low:.3g}, {estimate.high:.3g}]"
    return f"{estimate.value:.3g}{interval} for {about}"


def why_nothing(
    limit: LimitSpec, audits: Sequence[AuditRecord], findings: Sequence[Finding]
) -> str:
    """Why no finding stands under the limit: a limit on nothing never passes."""
    audit = next((audit for audit in audits if audit.id == limit.audit), None)
    if audit is None:
        known = suggest(limit.audit, [audit.id for audit in audits], "audit")
        return f"the spec has no audit {limit.audit}; {known}"
    if audit.status != "ok":
        return f"the audit {limit.audit} did not run ({audit.status})"
    mine = [finding for finding in findings if finding.audit == limit.audit]
    metrics = sorted({metric for finding in mine for metric in finding.estimates})
    if limit.metric not in metrics:
        return f"nothing measured {limit.metric}; {suggest(limit.metric, metrics, 'metric')}"
    return f"no finding is about {' and '.join(limit.subjects or ())}"
