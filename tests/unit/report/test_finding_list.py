"""The list of all findings: complete, the gravest first, each with a place to go to."""

from __future__ import annotations

from collections import Counter

from auditor.report.finding_list import GRAVEST_FIRST, make_finding_list
from auditor.report.page import make_page
from auditor.report.paper import for_paper
from tests.unit.finished_run import Outline, page_of


def test_every_finding_is_listed_once_the_gravest_first(run):
    rows = make_page(run).findings.rows
    assert Counter(row.id for row in rows) == Counter(finding.id for finding in run.findings)
    assert [row.rank for row in rows] == sorted(row.rank for row in rows)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert [row.kind for row in rows] == sorted((r.kind for r in rows), key=GRAVEST_FIRST.index)


def test_what_is_shown_at_length_is_led_to_and_the_rest_to_the_table(run):
    page = make_page(run)
    cases = {each: c.anchor for s in page.sections for c in s.body.cases for each in c.ids}
    assert cases
    for row in page.findings.rows:
        assert row.target == cases.get(row.id, "audit-relationships-tested")


def test_without_a_result_the_section_is_led_to(run):
    rows = make_finding_list(run, {"relationships": None}, {}).rows
    assert {row.target for row in rows} == {"audit-relationships"}


def test_choices_count_what_they_show_and_passed_ones_wait(run):
    found = make_page(run).findings
    for kind, choices in (("kind", found.verdicts), ("severity", found.severities)):
        counts = Counter(getattr(row, kind) for row in found.rows)
        assert {choice.value: choice.count for choice in choices} == counts
    assert {choice.value: choice.chosen for choice in found.verdicts}["pass"] is False


def test_a_run_in_which_everything_passed_shows_it(run, make_run):
    passed = [finding for finding in run.findings if finding.verdict == "pass"]
    (choice,) = make_page(make_run(findings=passed)).findings.verdicts
    assert (choice.value, choice.chosen) == ("pass", True)


def test_paper_goes_without_the_list_and_every_link_still_leads_somewhere(run):
    page = page_of(run)
    paper = for_paper(page)
    assert 'id="findings"' in page
    assert len(paper) < len(page)
    assert "findings onscreen" not in paper.partition("</style>")[2]
    tags = Outline(paper).tags
    ids = {attributes.get("id") for _, attributes in tags}
    assert all(a["href"][1:] in ids for tag, a in tags if tag == "a")
