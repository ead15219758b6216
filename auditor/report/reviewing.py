"""Review and sign-off: what people decided about the findings, or room for them to do so."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from auditor.errors import ArtifactError, SpecError
from auditor.judge.review import (
    Decision,
    Review,
    Reviews,
    Signed,
    Standing,
    parse_review,
    reviews_on,
)
from auditor.results.finding import Finding, findings_digest
from auditor.store.reader import Run
from auditor.wording import counted, listing, plain, sentence, spelt

STANDINGS: dict[Standing, str] = {
    "open": "open",
    "closed": "closed",
    "expired": "open again: the decision has expired",
    "stale": "open again: the evidence has changed since",
}

SETTLED = "settled: the check no longer finds it"


@dataclass(frozen=True)
class DecisionRow:
    """One decision about one finding."""

    finding: str
    code: str
    claim: str
    decision: str
    reviewer: str
    date: str
    expires: str
    comment: str
    standing: str
    holds: bool
    """Whether it is about the finding as it is now, and has not expired."""
    changes: tuple[str, ...]
    """What has changed in the evidence since, metric by metric."""


@dataclass(frozen=True)
class SignoffBlock:
    """Who signed the run, or room to sign.

    Attributes:
        state: Whether somebody signed, and these findings.
        facts: Name, role and date of whoever signed; empty where nobody has.
        digest: Digest of the findings of this report.
        signed_digest: Digest of the findings that were signed; empty where nobody has.
    """

    state: Signed
    facts: tuple[tuple[str, str], ...]
    digest: str
    signed_digest: str


@dataclass(frozen=True)
class ReviewBlock:
    """Decisions so far. Without a sign-off, the report leaves room for a signature.

    Attributes:
        reviewers: Names in one line, empty where nobody has decided anything.
        lead: How far the review has come, in a sentence.
        decisions: One row per decision, in the order of the findings.
        told: Finding id -> its decision, for the places where the findings are.
        standing: Finding id -> how it stands, for findings that somebody decided about.
        signoff: Sign-off of the run as a whole.
    """

    reviewers: str
    lead: str
    decisions: tuple[DecisionRow, ...]
    told: Mapping[str, DecisionRow]
    standing: Mapping[str, str]
    signoff: SignoffBlock


def reviews_of(run: Run) -> Reviews:
    """The review file of a run: none decides nothing and names nothing.

    Raises:
        ArtifactError: the file is not a review.
    """
    # Expiry counts from the day that the run was judged: its directory alone makes the report.
    day = run.record.judged_on or run.record.times.ended or run.record.times.started
    on = dt.date.fromisoformat(day[:10])
    if run.review is None:
        return Reviews(on=on)
    try:
        review = parsed(run.review)
    except (SpecError, UnicodeDecodeError) as error:
        raise ArtifactError(
            f"{run.paths.review}: {error}",
            hint="Mend the review file that the spec names, then run `auditor report RUN`.",
        ) from error
    return reviews_on(on, review)


@lru_cache(maxsize=4)
def parsed(content: bytes) -> Review:
    """A review file's content: every section of a report asks for it."""
    return parse_review(content.decode(), "review.yaml")


def make_review(run: Run) -> ReviewBlock:
    """The review file of a run, held against its findings.

    Raises:
        ArtifactError: the file is not a review.
    """
    reviews = reviews_of(run)
    rows = tuple(
        decision_row(finding, decision, reviews)
        for finding in run.findings
        if (decision := reviews.decided(finding)) is not None
    )
    names = dict.fromkeys(row.reviewer for row in rows if row.reviewer)
    return ReviewBlock(
        reviewers=listing(list(names)),
        lead=lead(run.findings, reviews),
        decisions=rows,
        told={row.finding: row for row in rows},
        standing={row.finding: row.standing for row in rows},
        signoff=make_signoff(run.findings, reviews),
    )


def decision_row(finding: Finding, decision: Decision, reviews: Reviews) -> DecisionRow:
    standing = reviews.standing(finding)
    settled = finding.verdict not in ("fail", "warn")
    return DecisionRow(
        finding=finding.id,
        code=finding.code,
        claim=sentence(plain(finding.claim)),
        decision=str(decision.decision).replace("_", " "),
        reviewer=plain(decision.reviewer),
        date=decision.date.isoformat() if decision.date else "",
        expires=decision.expires.isoformat() if decision.expires else "never",
        comment=plain(decision.comment),
        standing=SETTLED if settled else STANDINGS[standing],
        holds=reviews.holds(finding),
        changes=tuple(plain(each) for each in reviews.changes(finding))
        if standing == "stale" and not settled
        else (),
    )


def lead(findings: Sequence[Finding], reviews: Reviews) -> str:
    """How far the review has come: `23 findings failed or gave a warning: …`."""
    listed = [finding for finding in findings if finding.verdict in ("fail", "warn")]
    if not listed:
        return "No check failed or gave a warning, so there is nothing to decide."
    if not any(reviews.decided(finding) for finding in listed):
        return "Nobody has reviewed these findings yet."
    standing = Counter(
        reviews.standing(finding) for finding in listed if reviews.decided(finding) is not None
    )
    undecided = len(listed) - standing.total()
    parts = [
        f"{spelt(standing['closed'])} closed by a decision" if standing["closed"] else "",
        f"{spelt(standing['open'])} confirmed and open" if standing["open"] else "",
        f"{spelt(standing['stale'])} open again because the evidence has changed"
        if standing["stale"]
        else "",
        f"{spelt(standing['expired'])} open again because the decision has expired"
        if standing["expired"]
        else "",
        f"{spelt(undecided)} not decided yet" if undecided else "",
    ]
    return (
        f"{counted(len(listed), 'finding')} failed or gave a warning: "
        f"{listing([part for part in parts if part])}. Each decision is bound to the evidence that "
        "it was based on."
    )


def make_signoff(findings: Sequence[Finding], reviews: Reviews) -> SignoffBlock:
    signoff, state = reviews.signoff, reviews.signed(findings)
    facts = (
        ("Signed by", plain(signoff.name)),
        ("As", plain(signoff.role)),
        ("Date", signoff.date.isoformat() if signoff.date else ""),
    )
    return SignoffBlock(
        state=state,
        facts=facts if state != "absent" else (),
        digest=findings_digest(findings),
        signed_digest=signoff.findings_digest or "" if state != "absent" else "",
    )
