"""The page model: everything the templates show, as plain data with its wording done.

Page
├── Cover           what was audited, the verdict, identity of the run
├── Summary         one page a manager can act on
├── ComparisonBlock the run against its baseline, where there is one
├── FindingList     every finding, to be filtered and searched on a screen
├── AuditSection    one per audit; `body` belongs to the audit's kind
├── limits          what the run could not see
├── ReviewBlock     decisions of people, or room for them
├── ClausesBlock    what frameworks ask, and what the run has to say to it
├── Reproduction    how to run it again
└── glossary
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor.report.clauses import ClausesBlock, make_clauses
from auditor.report.comparing import ComparisonBlock, make_comparison
from auditor.report.failures import extractor_words, with_names
from auditor.report.finding_list import SEVERITIES, FindingList, make_finding_list
from auditor.report.glossary import Term, glossary
from auditor.report.privacy import ABOUT
from auditor.report.reproduction import Reproduction, make_reproduction
from auditor.report.reviewing import ReviewBlock, make_review
from auditor.report.sections import Body, make_body
from auditor.results.base import Status, Verdict
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding
from auditor.results.run_record import AuditRecord
from auditor.spec.rule import Severity
from auditor.store.reader import Run
from auditor.wording import (
    MINUS,
    VERDICTS,
    count,
    counted,
    date,
    listing,
    percent,
    plain,
    sentence,
    short_digest,
    shortened,
    spelt,
)

TOP_FINDINGS = 5
NEXT_STEPS = 4

HEADLINES: dict[Verdict | None, str] = {
    "pass": "The model meets its policy.",
    "warn": "The model meets its policy, with warnings.",
    "fail": "The model does not meet its policy.",
    "inconclusive": "The evidence does not suffice for a verdict.",
    None: "The run did not end, so there is no verdict.",
}

OUTCOMES: tuple[tuple[Verdict, str], ...] = (
    ("fail", "failed"),
    ("warn", "gave a warning"),
    ("inconclusive", "could not be decided"),
    ("pass", "passed"),
)

STATUSES: dict[Status, str] = {
    "started": "This audit did not end.",
    "ok": "",
    "failed": "This audit broke and left no result.",
    "skipped": "This audit was not run.",
}


@dataclass(frozen=True)
class Badge:
    """A verdict as a word and a shape."""

    kind: str
    """`pass`, `warn`, `fail`, `inconclusive` or `none`: chooses colour and shape."""
    word: str


@dataclass(frozen=True)
class Cover:
    """The first page."""

    badge: Badge
    headline: str
    lead: str
    facts: tuple[tuple[str, str], ...]
    identity: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TallyRow:
    """Number of checks of one severity by what they found."""

    severity: str
    failed: str
    warned: str
    inconclusive: str
    passed: str


@dataclass(frozen=True)
class PolicyRow:
    """One rule of the policy: target against value."""

    rule: str
    target: str
    value: str
    interval: str
    badge: Badge


@dataclass(frozen=True)
class TopFinding:
    """A finding in one line."""

    claim: str
    severity: str
    section: str
    standing: str


@dataclass(frozen=True)
class Summary:
    """The page that a manager reads."""

    badge: Badge
    headline: str
    reasons: tuple[str, ...]
    tally: tuple[TallyRow, ...]
    findings: tuple[TopFinding, ...]
    more_findings: str
    policy: tuple[PolicyRow, ...]
    actions: tuple[str, ...]
    more_actions: str


@dataclass(frozen=True)
class AuditSection:
    """One audit."""

    id: str
    anchor: str
    kind: str
    title: str
    badge: Badge
    trouble: str
    body: Body | None


@dataclass(frozen=True)
class Page:
    """The whole report."""

    language: str
    title: str
    created: str
    generator: str
    cover: Cover
    summary: Summary
    comparison: ComparisonBlock | None
    findings: FindingList
    sections: tuple[AuditSection, ...]
    limits: tuple[str, ...]
    review: ReviewBlock
    clauses: ClausesBlock
    reproduction: Reproduction
    glossary: tuple[Term, ...]


def make_page(run: Run) -> Page:
    """Everything the report of a run says."""
    run = with_names(run)
    record, review = run.record, make_review(run)
    sections = tuple(make_section(run, audit) for audit in record.audits)
    bodies = {section.id: section.body for section in sections}
    return Page(
        language=run.spec.report.language,
        title=plain(record.title or record.name),
        created=record.times.ended or record.times.started,
        generator=f"auditor {record.provenance.auditor_version}",
        cover=make_cover(run, review),
        summary=make_summary(run, review),
        comparison=make_comparison(run.comparison) if run.comparison is not None else None,
        findings=make_finding_list(run, bodies, review.standing),
        sections=sections,
        limits=general_limits(run),
        review=review,
        clauses=make_clauses(run),
        reproduction=make_reproduction(run),
        glossary=glossary(run),
    )


def badge(verdict: Verdict | None) -> Badge:
    return Badge(verdict, VERDICTS[verdict]) if verdict else Badge("none", "No verdict")


def make_cover(run: Run, review: ReviewBlock) -> Cover:
    spec, record = run.spec, run.record
    provenance = record.provenance
    facts = (
        ("Model", spec.model.title or spec.model.source),
        ("Features from", extractor_words(spec.extractor)),
        ("Data", spec.dataset.title or spec.dataset.source),
        ("Purpose", spec.purpose),
        ("Not meant for", spec.out_of_scope),
        ("Owner", spec.owner),
        ("Written for", spec.report.audience),
        ("Date", date(record.times.ended or record.times.started)),
        ("Reviewed by", review.reviewers or "not yet reviewed"),
    )
    identity = (
        ("Run", record.run_id),
        ("Spec", short_digest(provenance.spec_digest)),
        ("Plan", short_digest(provenance.plan_digest)),
        *((plain(i.role).capitalize(), short_digest(i.digest)) for i in provenance.inputs),
        *((f"Fitted {t.network}", short_digest(t.digest)) for t in provenance.training),
    )
    return Cover(
        badge=badge(record.verdict),
        headline=HEADLINES[record.verdict],
        lead=tally_sentence(run.findings),
        facts=tuple((name, plain(value)) for name, value in facts if value),
        identity=identity,
    )


def tally_sentence(findings: Sequence[Finding]) -> str:
    """`Of 210 checks, 20 failed, 19 could not be decided and 171 passed.`"""
    if not findings:
        return "Nothing was checked."
    tally = Counter(finding.verdict for finding in findings)
    parts = [f"{count(tally[verdict])} {how}" for verdict, how in OUTCOMES if tally[verdict]]
    return f"Of {counted(len(findings), 'check')}, {listing(parts)}."


def make_summary(run: Run, review: ReviewBlock) -> Summary:
    record = run.record
    shown = worst_first(failing(run))
    actions = common_first(sentence(plain(action)) for f in failing(run) for action in f.actions)
    titles = {audit.id: plain(audit.title) for audit in record.audits}
    missed = [rule for rule in record.policy if rule.verdict not in {"pass", "warn"}]
    return Summary(
        badge=badge(record.verdict),
        headline=HEADLINES[record.verdict],
        reasons=tuple(reasons(run, len(missed))),
        tally=tuple(tally_row(run.findings, severity) for severity in SEVERITIES),
        findings=tuple(
            TopFinding(
                claim=sentence(plain(f.claim)),
                severity=f.severity,
                section=titles.get(f.audit, f.audit),
                standing=review.standing.get(f.id, ""),
            )
            for f in shown[:TOP_FINDINGS]
        ),
        more_findings=more(len(shown) - TOP_FINDINGS, "finding", "stand in the sections below"),
        policy=tuple(
            PolicyRow(
                rule=plain(rule.name.replace("_", " ").replace(":", ": ")),
                target=plain(rule.target),
                value=plain(rule.value),
                interval=range_of(rule.estimate),
                badge=badge(rule.verdict),
            )
            for rule in record.policy
        ),
        actions=actions[:NEXT_STEPS],
        more_actions=more(len(actions) - NEXT_STEPS, "step", "stand beside the findings"),
    )


def range_of(estimate: Estimate | None) -> str:
    """`0.38 to 0.46 (95 %)` of the measurement that decided a rule; empty where there is none."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    low, high = (f"{end:.3g}".replace("-", MINUS) for end in (estimate.low, estimate.high))
    return f"{low} to {high}" + (f" ({percent(estimate.level)})" if estimate.level else "")


def reasons(run: Run, missed: int) -> list[str]:
    found = []
    if run.record.failure:
        found.append(sentence(plain(run.record.failure)))
    if missed:
        are = "is" if missed == 1 else "are"
        demanded = spelt(len(run.record.policy))
        found.append(f"{sentence(spelt(missed))[:-1]} of {demanded} targets {are} not met.")
    found.append(tally_sentence(run.findings))
    return found


def more(number: int, one: str, where: str) -> str:
    return f"{counted(number, f'more {one}')} {where}." if number > 0 else ""


def failing(run: Run) -> list[Finding]:
    return [finding for finding in run.findings if finding.verdict in {"fail", "warn"}]


def common_first(actions: Iterable[str]) -> tuple[str, ...]:
    """Every action once, what most findings ask for first."""
    return tuple(action for action, _ in Counter(actions).most_common())


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """The gravest first, one per group of subjects."""
    listed = sorted(findings, key=lambda f: (f.verdict != "fail", SEVERITIES.index(f.severity)))
    first = {(f.audit, f.subjects): f for f in reversed(listed)}
    return [f for f in listed if first[f.audit, f.subjects] is f]


def tally_row(findings: Sequence[Finding], severity: Severity) -> TallyRow:
    tally = Counter(f.verdict for f in findings if f.severity == severity)
    return TallyRow(
        severity=severity.capitalize(),
        failed=count(tally["fail"]),
        warned=count(tally["warn"]),
        inconclusive=count(tally["inconclusive"]),
        passed=count(tally["pass"]),
    )


def make_section(run: Run, audit: AuditRecord) -> AuditSection:
    trouble = " ".join(filter(None, (STATUSES[audit.status], sentence(plain(audit.reason or "")))))
    return AuditSection(
        id=audit.id,
        anchor=f"audit-{audit.id}",
        kind=audit.kind,
        title=plain(audit.title),
        badge=badge(audit.verdict),
        trouble=trouble,
        body=make_body(run, audit.id) if audit.id in run.results else None,
    )


def general_limits(run: Run) -> tuple[str, ...]:
    record = run.record
    found = [
        "This report describes one model on one data set, as they were on the date of the run. "
        "A model trained again needs a new run.",
    ]
    if record.quarantined:
        names = [plain(f"{q.sample} ({q.reason})") for q in record.quarantined]
        found.append(
            f"{counted(len(names), 'picture')} could not be read and took no part: "
            f"{shortened(names, 5)}."
        )
    else:
        found.append("Every picture could be read.")
    found += filter(None, [ABOUT[run.spec.report.images]])
    found += [
        f"{plain(audit.title)}: {STATUSES[audit.status]} {plain(audit.reason or '')}"
        for audit in record.audits
        if audit.status != "ok"
    ]
    found += [
        f"Fitting the {network.network} failed, and nothing is claimed on it: "
        f"{sentence(plain(network.diverged))}"
        for network in record.provenance.training
        if network.diverged
    ]
    if record.provenance.allowed_code:
        found.append(
            "The run allowed an input to execute code of its own (--allow-code). What that code "
            "did is not covered by the digests."
        )
    return tuple(found)
