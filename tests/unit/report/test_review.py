"""Review decisions: shown with their standing, or room for a signature."""

from __future__ import annotations

import pytest

from auditor.errors import ArtifactError
from auditor.report.render import render
from auditor.report.reviewing import make_review


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
