"""Comparisons as pages and plain lines, and the part that a baseline adds to a report."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pikepdf
import pytest

from auditor.report.comparison import render_comparison
from auditor.results.comparison import Comparison, Sweep
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding
from auditor.store.compare import Member, compare_sweep, diff_runs
from auditor.store.reader import Run
from tests.unit.finished_run import Outline, page_of
from tests.unit.report.conftest import SIX

HOSTILE = "<script>alert(1)</script> {{ 7*7 }} file:///etc/passwd"


def measured(finding: Finding, value: float, **changes: object) -> Finding:
    """The finding with the number that decides it."""
    deviation = Estimate(value=value, low=value - 0.02, high=value + 0.02, level=0.95)
    return finding.model_copy(
        update={"estimates": {"deviation": deviation}, "evidence_digest": f"{value}", **changes}
    )


@pytest.fixture(scope="module")
def before(make_run) -> Run:
    run = make_run(titles=SIX, num_examples=0, clauses=())
    rules = [f for f in run.findings if f.code == "BROKEN_RULE"]
    wrong = {f.id for f in rules[:3]}
    found = [
        measured(f, 0.5 if f.id in wrong else 0.0, verdict="fail" if f.id in wrong else "pass")
        for f in rules
    ]
    return replace(run, findings=tuple(found))


@pytest.fixture(scope="module")
def after(before) -> Run:
    """One is worse, one is fixed, one flips for no reason, one is new; the words are hostile."""
    one, two, three, four, *rest = before.findings
    return replace(
        before,
        findings=(
            measured(one, 0.7, claim=f"Worse: {HOSTILE}."),
            measured(two, 0.0, verdict="pass"),
            measured(three, 0.49, verdict="pass"),
            measured(four, 0.4, verdict="fail", claim=f"New: {HOSTILE}."),
            *rest,
        ),
    )


@pytest.fixture(scope="module")
def comparison(before, after) -> Comparison:
    return diff_runs(before, after)


@pytest.fixture(scope="module")
def page(comparison) -> str:
    return render_comparison(comparison, "html").decode()


@pytest.fixture(scope="module")
def sweep(before, after) -> Sweep:
    members = (
        Member(("model=a",), before, 1),
        Member(("model=b",), None, 2, "there is no file b.pt"),
        Member(("model=c",), after, 1),
    )
    return compare_sweep(members, name="portraits", title="Portraits", baseline=None)


def test_the_page_names_every_change_and_what_it_rests_on(comparison, page):
    assert comparison.tally["new"] == comparison.tally["worse"] == comparison.tally["fixed"] == 1
    for words in (
        "1 new and 1 worse findings.",
        "Failed, 0.50 (0.48 to 0.52)</td><td>Failed, 0.70 (0.68 to 0.72)",
        "The verdict changed from fail to pass, but the intervals overlap.",
        "Intervals decide, not values",
    ):
        assert words in page
    every = page[page.index('id="every"') :]
    assert every.count("<tr><td>") == len(comparison.findings)


def test_the_page_looks_and_locks_like_the_report(page, before):
    report = page_of(before)
    for text in (page, report):
        assert "<style>" in text
    style, script = (
        re.search(rf"<{name}>(.*?)</{name}>", page, re.DOTALL)[1] for name in ("style", "script")
    )
    assert style in report
    assert script in report
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy in report
    outline = Outline(page)
    assert [tag for tag, _ in outline.tags if tag in ("img", "link", "iframe", "object")] == []
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }} file:///etc/passwd" in page
    ids = [attributes["id"] for _, attributes in outline.tags if attributes.get("id")]
    assert len(set(ids)) == len(ids)
    links = [attributes["href"] for tag, attributes in outline.tags if tag == "a"]
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_plain_lines_hold_the_same_and_end_with_the_verdict(comparison):
    lines = render_comparison(comparison, "txt").decode().splitlines()
    assert lines[-1].startswith("verdict: 1 new and 1 worse findings (")
    assert "    deviation: Failed, 0.50 (0.48 to 0.52) -> Failed, 0.70 (0.68 to 0.72)" in lines
    assert [line for line in lines if line in ("new", "worse", "better", "fixed", "unchanged")] == [
        "new",
        "worse",
        "fixed",
        "unchanged",
    ]


def test_json_reads_back_as_the_comparison(comparison, sweep):
    assert Comparison.model_validate_json(render_comparison(comparison, "json")) == comparison
    assert Sweep.model_validate_json(render_comparison(sweep, "json")) == sweep


def test_the_pdf_is_tagged_and_carries_the_comparison(comparison):
    content = render_comparison(comparison, "pdf")
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert pdf.Root.MarkInfo.Marked
        attached = pdf.attachments["comparison.json"].get_file().read_bytes()
        assert "two runs compared" in str(pdf.open_metadata()["dc:title"])
    assert json.loads(attached) == json.loads(render_comparison(comparison, "json"))


def test_a_sweep_shows_each_run_and_where_they_do_not_agree(sweep, after):
    page = render_comparison(sweep, "html").decode()
    text = render_comparison(sweep, "txt").decode()
    assert sweep.exit_code == 2
    assert sweep.reference.findings_digest != sweep.members[2].run.findings_digest
    for words in ("model=b", "there is no file b.pt", "2 of 3"):
        assert words in page
    matrix = page[page.index("Where the runs do not agree") : page.index('id="run-3"')]
    assert '<th scope="col">Run 1</th><th scope="col">Run 3</th>' in matrix
    assert matrix.count("<tr><td>") == 3, "new, fixed and flipped; what got worse failed before"
    assert "member 2: model=b: broke: there is no file b.pt, exit 2" in text
    with pytest.raises(ValueError, match="no format"):
        render_comparison(sweep, "csv")


def test_a_report_shows_its_baseline_after_the_summary_and_only_where_there_is_one(
    before, after, comparison
):
    report = page_of(replace(after, comparison=comparison))
    assert 'id="baseline"' not in page_of(after)
    places = ('<section id="summary"', '<section id="baseline"', 'id="audit-relationships"')
    summary, baseline, audit = (report.index(place) for place in places)
    assert summary < baseline < audit
    assert '<a href="#baseline">Against the baseline</a>' in report
    assert "The severity gate counts only findings that the baseline did not have" in report
