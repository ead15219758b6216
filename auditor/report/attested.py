"""Evidence that people gave in writing: in the spec, or in the review file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from auditor.judge.review import Reviews
from auditor.report.answer import (
    COVER,
    REPRODUCTION,
    REVIEW,
    SIGN_OFF,
    SUMMARY,
    Answer,
)
from auditor.results.finding import Finding
from auditor.spec.policy import PolicySpec
from auditor.store.reader import Run
from auditor.wording import clipped, count, counted, listing, plain

QUOTED = 240
"""Characters of a text from the spec before it is cut; the whole stands on the cover."""


TEXTS = {
    "purpose": "what the model is for",
    "out_of_scope": "what the model is not meant for",
    "owner": "who answers for the model",
}
"""Texts of the spec and what they say."""


def text(run: Run, key: Literal["purpose", "out_of_scope", "owner"]) -> Answer:
    """A text of the spec, as its author wrote it."""
    written = {
        "purpose": run.spec.purpose,
        "out_of_scope": run.spec.out_of_scope,
        "owner": run.spec.owner,
    }[key]
    if not written:
        return Answer.missing(f"The spec does not say {TEXTS[key]}.")
    return Answer.attested(f"“{clipped(plain(written), QUOTED)}”", COVER)


def reasons(run: Run) -> Answer:
    reasoned = [rule for rule in run.rules if rule.why]
    if not reasoned:
        return Answer.missing("No rule of the spec states a reason.")
    of = f"{count(len(reasoned))} of {counted(len(run.rules), 'rule')}"
    return Answer.attested(f"{of} on attributes state why they hold.", REPRODUCTION)


def policy(run: Run) -> Answer:
    if run.spec.policy == PolicySpec():
        return Answer.missing("The spec sets no policy of its own.")
    return Answer.attested(
        f"The spec sets a policy of {counted(len(run.record.policy), 'target')}.", SUMMARY
    )


def decisions(run: Run, reviews: Reviews) -> Answer:
    failing = [f for f in run.findings if f.verdict in {"fail", "warn"}]
    made = [f for f in run.findings if reviews.decided(f) is not None]
    holding = [f for f in made if reviews.holds(f)]
    found = counted(len(failing), "finding")
    if not holding:
        gone = f" Decisions that no longer hold: {count(len(made))}." if made else ""
        return Answer.missing(f"No decision holds; {found} failed or warned.{gone}")
    ids = {f.id for f in failing}
    about = sum(f.id in ids for f in holding)
    who = names(reviews, holding)
    return Answer.attested(
        f"{counted(len(holding), 'decision')} by {who}; {count(about)} of "
        f"{found} that failed or warned are decided about.",
        REVIEW,
    )


def names(reviews: Reviews, findings: Iterable[Finding]) -> str:
    found = [reviews.decisions[finding.id].reviewer for finding in findings]
    return listing(list(dict.fromkeys(plain(name) for name in found if name))) or "nobody named"


def sign_off(run: Run, reviews: Reviews) -> Answer:
    signed = reviews.signed(run.findings)
    who = reviews.signoff
    if signed == "absent":
        return Answer.missing("Nobody has signed the run.")
    if signed == "stale":
        return Answer.missing(f"{plain(who.name)} signed other findings than these.")
    role = f", {plain(who.role)}" if who.role else ""
    on = f", {who.date.isoformat()}" if who.date else ""
    return Answer.attested(f"Signed by {plain(who.name)}{role}{on}.", SIGN_OFF)
