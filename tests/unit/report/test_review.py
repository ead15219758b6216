"""Review decisions: shown with their standing, or room for a signature."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.errors import ArtifactError
from auditor.report.page import make_summary
from auditor.report.render import render
from auditor.report.reviewing import make_review
from auditor.results.estimate import Estimate
from auditor.results.finding import findings_digest
from auditor.results.run_record import PolicyOutcome


def review_of(run, *, digest: str | None = None, expires: str = "2030-01-01") -> bytes:
    finding = next(f for f in run.findings if f.verdict == "fail")
    return f"""version: 1
findings:
  {finding.id}:
    decision: accepted_risk
    evidence_digest: {digest or finding.evidence_digest}
    reviewer: Jana <b>Doe</b>
    date: 2025-03-02
    expires: {expires}
    comment: Only sorts the catalogue.
""".encode()


def test_without_a_review_file_there_is_room_to_sign(run):
    (path,) = render(run, formats=("html",))
    page = path.read_text()
    assert "Nobody has reviewed these findings yet." in page
    assert "not yet reviewed" in page


def test_decisions_are_shown_with_reviewer_and_standing(run, make_run):
    reviewed = make_run(review=review_of(run))
    (path,) = render(reviewed, formats=("html",))
    page = path.read_text()
    assert "Jana &lt;b&gt;Doe&lt;/b&gt;" in page
    assert "accepted risk" in page
    (row,) = make_review(reviewed).decisions
    assert row.standing == "closed"


@pytest.mark.parametrize(
    ("change", "standing"),
    [({"digest": "a" * 64}, "evidence has changed"), ({"expires": "2025-01-01"}, "has expired")],
)
def test_a_decision_that_no_longer_holds_says_why(run, make_run, change, standing):
    (row,) = make_review(make_run(review=review_of(run, **change))).decisions
    assert standing in row.standing


def test_a_review_file_that_is_none_is_named(make_run):
    with pytest.raises(ArtifactError, match="review"):
        make_review(make_run(review=b"- not\n- a review\n"))


def test_a_decision_stands_where_its_finding_is(run, make_run):
    reviewed = make_run(review=review_of(run))
    (path,) = render(reviewed, formats=("html",))
    page = path.read_text()
    finding = next(f for f in run.findings if f.verdict == "fail")
    card = page[page.index('<article class="case"') : page.index("</article>")]
    assert finding.id in card
    assert 'class="decided holds"' in card
    assert "accepted risk, by Jana &lt;b&gt;Doe&lt;/b&gt;, 2025-03-02, until 2030-01-01" in card
    assert "Only sorts the catalogue." in card
    assert page.count('class="decided') == 1


def test_a_stale_decision_says_what_changed(run, make_run):
    stale = review_of(run, digest="a" * 64) + b'    based_on: {verdict: fail, robust_z: "3.1"}\n'
    (path,) = render(make_run(review=stale), formats=("html",))
    page = path.read_text()
    assert 'class="decided lapsed"' in page
    assert page.count("robust_z was 3.1, is ") == 2  # beside the finding and in the review
    assert "one open again because the evidence has changed" in page


def signed_by(digest: str) -> bytes:
    return f"""version: 1
signoff:
  name: A. <i>Person</i>
  role: Head of risk
  date: 2025-03-04
  findings_digest: {digest}
""".encode()


def test_an_unsigned_report_has_room_to_sign_for_its_findings(run):
    (path,) = render(run, formats=("html",))
    signoff = path.read_text().partition('id="signoff"')[2]
    assert findings_digest(run.findings) in signoff
    assert '<table class="signature">' in signoff
    assert make_review(run).signoff.state == "absent"


def test_a_sign_off_is_shown_with_the_findings_that_it_covers(run, make_run):
    signed = make_run(review=signed_by(findings_digest(run.findings)))
    (path,) = render(signed, formats=("html",))
    signoff = path.read_text().partition('id="signoff"')[2]
    assert "A. &lt;i&gt;Person&lt;/i&gt;" in signoff
    assert "exactly the findings of this report" in signoff
    assert '<table class="signature">' not in signoff


def test_a_sign_off_of_other_findings_has_to_be_made_again(make_run):
    (path,) = render(make_run(review=signed_by("b" * 64)), formats=("html",))
    signoff = path.read_text().partition('id="signoff"')[2]
    assert "has to be signed again" in signoff
    assert "b" * 64 in signoff
    assert '<table class="signature">' in signoff


def test_expiry_counts_from_the_day_that_the_run_was_judged(run, make_run):
    reviewed = make_run(review=review_of(run, expires="2026-01-01"))
    later = reviewed.record.model_copy(update={"judged_on": "2026-01-02"})
    assert make_review(reviewed).decisions[0].standing == "closed"
    assert "expired" in make_review(replace(reviewed, record=later)).decisions[0].standing


def test_each_rule_of_the_policy_is_listed_with_target_value_interval_and_outcome(run, make_run):
    outcome = PolicyOutcome(
        name="limit:worst",
        target="kl in relationships is at most 1",
        value="kl: 1 of 3 undecided",
        verdict="inconclusive",
        estimate=Estimate(value=0.98, low=-0.5, high=1.04, level=0.95),
    )
    record = run.record.model_copy(update={"policy": (*run.record.policy, outcome)})
    rows = make_summary(replace(run, record=record), make_review(run)).policy
    assert (rows[-1].target, rows[-1].value) == (outcome.target, outcome.value)
    assert rows[-1].interval == "−0.5 to 1.04 (95\N{NARROW NO-BREAK SPACE}%)"
    assert rows[-1].badge.kind == "inconclusive"
    assert rows[0].interval == ""
