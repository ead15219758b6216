"""Limits of the policy: bounds on measured quantities that respect the measurement's interval.

A quantity is inside a bound if its whole interval is, outside if its whole interval is, and
undecided if the bound lies inside the interval. No review decision changes a measurement: limits
look at every finding, closed or open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from auditor.near import suggest
from auditor.results.base import Verdict
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding
from auditor.results.run_record import AuditRecord, PolicyOutcome
from auditor.spec.policy import LimitSpec, MetricSpec


class Measured(NamedTuple):
    """One quantity under a rule of the policy."""

    subjects: tuple[str, ...]
    estimate: Estimate


class Held(NamedTuple):
    """One quantity held against its rule."""

    measured: Measured
    verdict: Verdict


def limit_outcome(
    name: str, limit: LimitSpec, audits: Sequence[AuditRecord], findings: Sequence[Finding]
) -> PolicyOutcome:
    """One limit, over every finding of its audit that measured the metric."""
    held = [Held(one, held_against(limit, one.estimate)) for one in measured(limit, findings)]
    if not held:
        value = why_nothing(limit, audits, findings)
        return outcome(name, limit, value, "inconclusive", None)
    for verdict in ("fail", "inconclusive"):
        hits = [one.measured for one in held if one.verdict == verdict]
        if hits:
            worst = max(hits, key=lambda one: excess(limit, one.estimate))
            kind = "outside the limit" if verdict == "fail" else "undecided"
            value = f"{limit.name}: {len(hits)} of {len(held)} {kind}, such as {in_words(worst)}"
            return outcome(name, limit, value, verdict, worst.estimate)
    worst = max((one.measured for one in held), key=lambda one: excess(limit, one.estimate))
    value = f"{limit.name}: all {len(held)} inside; nearest to the limit is {in_words(worst)}"
    return outcome(name, limit, value, "pass", worst.estimate)


def outcome(
    name: str, limit: LimitSpec, value: str, verdict: Verdict, estimate: Estimate | None
) -> PolicyOutcome:
    bounds = [
        f"at most {limit.max:g}" if limit.max is not None else "",
        f"at least {limit.min:g}" if limit.min is not None else "",
    ]
    return PolicyOutcome(
        name=f"limit:{name}",
        target=f"{quantity(limit)} is {' and '.join(filter(None, bounds))}",
        value=value,
        verdict=verdict,
        estimate=estimate,
    )


def quantity(rule: MetricSpec) -> str:
    """`robust_z of hat and smiling in relationships`."""
    about = f" of {' and '.join(rule.subjects)}" if rule.subjects else ""
    return f"{rule.name}{about} in {rule.audit_id}"


def measured(rule: MetricSpec, findings: Sequence[Finding]) -> Iterator[Measured]:
    """Everything that a rule speaks of, each measurement once."""
    seen = set()
    for finding in findings:
        estimate = finding.estimates.get(rule.name)
        # Several findings about one pair may carry the same measurement: it counts once.
        key = (finding.subjects, estimate.model_dump_json() if estimate else "")
        if finding.audit != rule.audit_id or estimate is None or key in seen:
            continue
        if is_about(finding, rule.subjects or ()):
            seen.add(key)
            yield Measured(finding.subjects, estimate)


def is_about(finding: Finding, wanted: Sequence[str]) -> bool:
    """Whether each of the wanted names or patterns is one of the finding's subjects."""
    return all(
        any(subject == each or fnmatchcase(subject, each) for subject in finding.subjects)
        for each in wanted
    )


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
    rule: MetricSpec, audits: Sequence[AuditRecord], findings: Sequence[Finding]
) -> str:
    """Why no finding stands under a rule: a rule about nothing never passes."""
    audit = next((audit for audit in audits if audit.id == rule.audit_id), None)
    if audit is None:
        known = suggest(rule.audit_id, [audit.id for audit in audits], "audit")
        return f"the spec has no audit {rule.audit_id}; {known}"
    if audit.status != "ok":
        return f"the audit {rule.audit_id} did not run ({audit.status})"
    mine = [finding for finding in findings if finding.audit == rule.audit_id]
    metrics = sorted({metric for finding in mine for metric in finding.estimates})
    if rule.name not in metrics:
        return f"nothing measured {rule.name}; {suggest(rule.name, metrics, 'metric')}"
    return f"no finding is about {' and '.join(rule.subjects or ())}"
