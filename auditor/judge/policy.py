"""The policy: findings in, a verdict and an exit code out. Silence never passes.

    ran              some audit ran, and none of those that should have run broke
    fail_on          no open finding weighs as much as the policy forbids
    required_reviews every check that failed and weighs enough has been decided on by a person
    limit:<id>       a measured quantity stays inside its bound, its interval included
    power:<id>       the checks of an audit could have seen an effect that matters
    required:<id>    an audit that must decide something did
    min_decided      enough of the rules came to a decision

The run's verdict is the worst of these. Each comes out in words for a reader without statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from auditor.catalog import AuditSpec
from auditor.judge.limits import limit_outcome
from auditor.judge.power import power_outcome
from auditor.judge.review import Reviews, Standing
from auditor.results.base import Verdict
from auditor.results.finding import Finding
from auditor.results.run_record import AuditRecord, PolicyOutcome
from auditor.spec.rule import Severity

PASSED, FAILED_POLICY, INVALID, BROKE, INCONCLUSIVE = 0, 1, 2, 3, 4

PRECEDENCE = (BROKE, INVALID, FAILED_POLICY, INCONCLUSIVE, PASSED)
"""Which exit code wins where several apply, the strongest first."""

WORST_FIRST: tuple[Verdict, ...] = ("fail", "inconclusive", "warn", "pass")

EXIT_CODES: dict[Verdict, int] = {
    "fail": FAILED_POLICY,
    "inconclusive": INCONCLUSIVE,
    "warn": PASSED,
    "pass": PASSED,
}

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From the lightest to the gravest."""

SHOWN = 3
"""Findings that an outcome names before it only counts."""


@dataclass(frozen=True)
class Judgement:
    """What a run comes to.

    Attributes:
        verdict: Worst of the outcomes.
        exit_code: 3 where an audit broke, else 1, 4 or 0 by the verdict.
        outcomes: The policy, rule by rule.
    """

    verdict: Verdict
    exit_code: int
    outcomes: tuple[PolicyOutcome, ...]


def judge(
    spec: AuditSpec,
    audits: Sequence[AuditRecord],
    findings: Sequence[Finding],
    *,
    num_rules: int,
    num_decided: int,
    reviews: Reviews,
    known: frozenset[str] = frozenset(),
) -> Judgement:
    """Hold a run against its spec's policy.

    Args:
        spec: The spec with the policy.
        audits: How each audit ended.
        findings: Every check made, the passed ones included.
        num_rules: Rules that the audits answered to, as pairs.
        num_decided: Those of them that came to a decision.
        reviews: Decisions of people about findings.
        known: Ids of findings that are neither new nor worse than in a baseline: they stay open,
            and the severity gate does not count them.
    """
    policy = spec.policy
    outcomes = (
        ran_outcome(audits),
        gate_outcome(policy.fail_on, findings, reviews, known),
        *reviews_outcome(policy.required_reviews, findings, reviews),
        *(limit_outcome(name, limit, audits, findings) for name, limit in policy.limits.items()),
        *(power_outcome(name, power, audits, findings) for name, power in policy.power.items()),
        *(required_outcome(audit, audits, findings) for audit in policy.required),
        decided_outcome(policy.min_decided, findings, num_rules, num_decided),
    )
    verdict = worst_verdict(outcome.verdict for outcome in outcomes)
    broke = any(audit.status == "failed" for audit in audits)
    exit_code = worst_exit_code([EXIT_CODES[verdict], *([BROKE] if broke else [])])
    return Judgement(verdict=verdict, exit_code=exit_code, outcomes=outcomes)


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that decides; `inconclusive` where there is none at all."""
    return min(verdicts, key=WORST_FIRST.index, default="inconclusive")


def worst_exit_code(codes: Iterable[int]) -> int:
    """The exit code that wins: 3, 2, 1, 4, 0."""
    return min(codes, key=PRECEDENCE.index, default=INCONCLUSIVE)


def audit_verdict(findings: Iterable[Finding]) -> Verdict:
    """What one audit found: its worst check, where undecided checks count only if all are."""
    verdicts = [finding.verdict for finding in findings]
    decided = [verdict for verdict in verdicts if verdict != "inconclusive"]
    return worst_verdict(decided)


def ran_outcome(audits: Sequence[AuditRecord]) -> PolicyOutcome:
    ran = [audit for audit in audits if audit.status == "ok"]
    others = [audit for audit in audits if audit.status != "ok"]
    value = f"{len(ran)} of {counted(len(audits), 'audit')} ran"
    for audit in others:
        value += f"; {audit.id} {audit.status}" + (f" ({audit.reason})" if audit.reason else "")
    verdict: Verdict = "pass"
    if not ran or any(audit.status != "skipped" for audit in others):
        verdict = "inconclusive"
    elif others:
        verdict = "warn"
    return PolicyOutcome(
        name="ran",
        target="every audit of the spec runs to its end",
        value=value if audits else "the spec has no audits",
        verdict=verdict,
    )


def gate_outcome(
    fail_on: Severity | None,
    findings: Sequence[Finding],
    reviews: Reviews,
    known: frozenset[str] = frozenset(),
) -> PolicyOutcome:
    """The severity gate: open findings from a severity on fail the run; lighter ones warn, and
    so do those that the baseline had."""
    standing = {f.id: reviews.standing(f) for f in findings if f.verdict in ("fail", "warn")}
    still = [finding for finding in findings if standing.get(finding.id, "closed") != "closed"]
    unresolved = [finding for finding in still if finding.verdict == "fail"]
    num_warnings = len(still) - len(unresolved)
    heavy = [finding for finding in unresolved if fail_on and weighs(finding.severity, fail_on)]
    forbidden = [finding for finding in heavy if finding.id not in known]
    num_known, num_lighter = len(heavy) - len(forbidden), len(unresolved) - len(heavy)
    verdict: Verdict = "fail" if forbidden else "warn" if still else "pass"
    return PolicyOutcome(
        name="fail_on",
        target=f"no open finding of severity {at_least(fail_on)}"
        if fail_on
        else "findings alone never fail the run",
        value="; ".join(
            [
                *open_words(fail_on, forbidden, num_lighter),
                *([f"{num_known} neither new nor worse than in the baseline"] if num_known else []),
                *([counted(num_warnings, "warning")] if num_warnings else []),
                *review_words(findings, standing, reviews),
            ]
        ),
        verdict=verdict,
    )


def open_words(
    fail_on: Severity | None, forbidden: Sequence[Finding], num_lighter: int
) -> Iterator[str]:
    """What is open, in words: what the policy forbids first."""
    if fail_on:
        found = counted(len(forbidden), "open finding")
        yield f"{found} of severity {at_least(fail_on)}{named(forbidden)}"
    if num_lighter:
        yield f"{counted(num_lighter, 'open finding')} that the policy does not forbid"
    elif not fail_on:
        yield "no open findings"


def review_words(
    findings: Sequence[Finding], standing: Mapping[str, Standing], reviews: Reviews
) -> Iterator[str]:
    """What review decisions did to findings, in words; for stale ones, what has changed."""
    by_standing = {
        each: [finding for finding in findings if standing.get(finding.id) == each]
        for each in get_args(Standing)
    }
    if closed := by_standing["closed"]:
        yield f"{len(closed)} closed by review"
    if stale := by_standing["stale"]:
        changes = "; ".join(reviews.changes(stale[0])[:SHOWN])
        about = f": {' and '.join(stale[0].subjects)} ({changes})" if changes else ""
        more = f" and {len(stale) - 1} more" if about and len(stale) > 1 else ""
        yield f"{len(stale)} open again because the evidence changed since its review{about}{more}"
    if expired := by_standing["expired"]:
        yield f"{len(expired)} open again because its review decision expired{named(expired)}"


def reviews_outcome(
    required: Severity | None, findings: Sequence[Finding], reviews: Reviews
) -> Iterator[PolicyOutcome]:
    """The demand that people have looked: one outcome where the policy asks for it.

    `confirmed` is a decision too: it leaves the finding open, and shows that somebody looked.
    """
    if required is None:
        return
    failing = [f for f in findings if f.verdict == "fail" and weighs(f.severity, required)]
    missing = [finding for finding in failing if not reviews.holds(finding)]
    yield PolicyOutcome(
        name="required_reviews",
        target=f"every finding of severity {at_least(required)} carries a decision that still "
        "holds",
        value=f"{len(failing) - len(missing)} of {len(failing)} reviewed"
        + (f"; missing{named(missing)}" if missing else "")
        if failing
        else "nothing failed that asks for a review",
        verdict="inconclusive" if missing else "pass",
    )


def required_outcome(
    required: str, audits: Sequence[AuditRecord], findings: Sequence[Finding]
) -> PolicyOutcome:
    status = next((audit.status for audit in audits if audit.id == required), None)
    decided = [f for f in findings if f.audit == required and f.verdict != "inconclusive"]
    if status is None:
        value = f"the spec has no audit {required}"
    elif status != "ok":
        value = f"{required} did not run ({status})"
    else:
        value = f"{required} ran and decided {counted(len(decided), 'check')}"
    return PolicyOutcome(
        name=f"required:{required}",
        target=f"the audit {required} runs and decides something",
        value=value,
        verdict="pass" if status == "ok" and decided else "inconclusive",
    )


def decided_outcome(
    min_decided: float, findings: Sequence[Finding], num_rules: int, num_decided: int
) -> PolicyOutcome:
    """The share of decided rules; without any rule, some other check must have been decided."""
    if num_rules:
        enough = num_decided >= min_decided * num_rules - 1e-9 * num_rules
        share = f"{num_decided} of {counted(num_rules, 'rule')} ({num_decided / num_rules:.0%})"
        value = f"{share} came to a decision"
    else:
        checks = sum(finding.verdict != "inconclusive" for finding in findings)
        enough = checks > 0
        value = f"there are no rules; {counted(checks, 'other check')} decided"
    return PolicyOutcome(
        name="min_decided",
        target=f"at least {min_decided:.0%} of the rules come to a decision",
        value=value,
        verdict="pass" if enough else "inconclusive",
    )


def weighs(severity: Severity, threshold: Severity) -> bool:
    """Whether a severity reaches a threshold."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(threshold)


def at_least(severity: Severity) -> str:
    return severity if severity == SEVERITIES[-1] else f"{severity} or above"


def named(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    subjects = list(dict.fromkeys(" and ".join(finding.subjects) for finding in findings))
    more = f" and {len(subjects) - SHOWN} more" if len(subjects) > SHOWN else ""
    return f": {', '.join(subjects[:SHOWN])}{more}"


def counted(number: int, noun: str) -> str:
    """`no rule`, `1 rule`, `2 rules`."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
