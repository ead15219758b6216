"""Review and sign-off: what people decided about the findings, or room for them to do so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from auditor.errors import ArtifactError, SpecError
from auditor.judge.review import Decision, Reviews, Standing, parse_review, reviews_on
from auditor.results.finding import Finding
from auditor.store.reader import Run
from auditor.wording import listing, plain, sentence

STANDINGS: dict[Standing, str] = {
    "open": "open",
    "closed": "closed",
    "expired": "open again: the decision has expired",
    "stale": "open again: the evidence has changed since",
}


@dataclass(frozen=True)
class DecisionRow:
    """One decision about one finding."""

    finding: str
    claim: str
    decision: str
    reviewer: str
    date: str
    expires: str
    comment: str
    standing: str


@dataclass(frozen=True)
class ReviewBlock:
    """Decisions so far. Without any, the report leaves room for a signature.

    Attributes:
        reviewers: Names in one line, empty where nobody has decided anything.
        decisions: One row per decision, in the order of the findings.
        standing: Finding id -> how it stands, for findings that somebody decided about.
    """

    reviewers: str
    decisions: tuple[DecisionRow, ...]
    standing: Mapping[str, str]


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
        review = parse_review(run.review.decode(), "review.yaml")
    except (SpecError, UnicodeDecodeError) as error:
        raise ArtifactError(
            f"{run.paths.review}: {error}",
            hint="Mend the review file that the spec names, then run `auditor report RUN`.",
        ) from error
    return reviews_on(on, review)


def make_review(run: Run) -> ReviewBlock:
    """The review file of a run, held against its findings.

    Raises:
        ArtifactError: the file is not a review.
    """
    reviews = reviews_of(run)
    rows = tuple(
        decision_row(finding, reviews.decisions[finding.id], reviews.standing(finding))
        for finding in run.findings
        if finding.id in reviews.decisions
    )
    names = dict.fromkeys(row.reviewer for row in rows if row.reviewer)
    return ReviewBlock(
        reviewers=listing(list(names)),
        decisions=rows,
        standing={row.finding: row.standing for row in rows},
    )


def decision_row(finding: Finding, decision: Decision, standing: Standing) -> DecisionRow:
    return DecisionRow(
        finding=finding.id,
        claim=sentence(plain(finding.claim)),
        decision=decision.decision.replace("_", " "),
        reviewer=plain(decision.reviewer),
        date=decision.date.isoformat(),
        expires=decision.expires.isoformat() if decision.expires else "never",
        comment=plain(decision.comment),
        standing=STANDINGS[standing],
    )
