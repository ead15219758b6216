"""The report of a comparison of groups: complete, in plain words, with pictures of both sides."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from auditor.audits.groups import figures
from auditor.audits.groups.section import make_section
from auditor.errors import ArtifactError
from auditor.report.groups import active_regions
from auditor.report.page import make_page
from tests.unit.finished_run import Outline, page_of


@pytest.fixture(scope="module")
def page(run) -> str:
    return page_of(run)


@pytest.fixture(scope="module")
def bodies(run):
    return {section.id: section.body for section in make_page(run).sections}


def test_links_lead_somewhere_and_ids_are_unique(page):
    tags = Outline(page).tags
    ids = Counter(a["id"] for _, a in tags if a.get("id"))
    assert max(ids.values()) == 1
    targets = [a["href"][1:] for tag, a in tags if tag == "a"]
    assert set(targets) <= set(ids)


def test_every_picture_and_figure_says_what_it_shows(page):
    images = [a.get("alt") for tag, a in Outline(page).tags if tag == "img"]
    assert images
    assert all(images)
    assert len(re.findall(r"<svg[^>]*>\s*<title>[^<]+", page)) == len(re.findall("<svg", page))


def test_the_largest_difference_comes_first_with_both_shares(bodies):
    body = bodies["filters"]
    assert [case.number for case in body.cases] == [1, 2, 3]
    first = body.cases[0]
    assert first.claim.startswith("Filter 3 is active in ")
    assert "of the pictures whose skin is deep and in" in first.claim
    assert "filter 3 62\u202f% and 6\u202f% (different)" in first.drawing.alt
    assert "ceiling" in first.drawing.caption
    shown = first.shown[0]
    assert (len(shown.first.tiles), len(shown.second.tiles)) == (4, 4)
    assert any(tile.outline is not None for tile in shown.first.tiles)
    assert any("24.5\u202f%" in text and "7 × 7" in text for text in body.limits)


def test_the_group_that_is_named_first_is_on_the_left(run):
    for one in run.results["filters"].comparisons:
        drawing = figures.differences(one, [d.title for d in one.differences], name="chart")
        figure = Figure(figsize=(drawing.width, drawing.height))
        drawing.paint(figure)
        (axes,) = figure.axes
        widths = [bar.get_width() for bar in axes.patches]
        found = one.differences[: figures.MOST_ROWS]
        assert widths[::2] == [-(d.first.value or 0.0) for d in found]
        assert widths[1::2] == [d.second.value for d in found]
        heads = [t.get_text() for t in axes.texts if t.get_text().startswith(("skin", "other"))]
        assert heads == [
            f"{one.first_title} ({one.num_first})",
            f"other pictures ({one.num_second})",
        ]


def test_a_ceiling_is_explained_only_where_it_is_drawn(run):
    one = run.results["filters"].comparisons[0]
    far = one.model_copy(update={"first_ceiling": 1.0, "second_ceiling": 1.0})
    labels = [d.title for d in one.differences]
    assert "ceiling" in figures.differences(one, labels, name="chart").caption
    assert "ceiling" not in figures.differences(far, labels, name="chart").caption


def test_a_single_picture_is_no_larger_than_others(run):
    result = run.results["filters"]
    few = result.pictures[0].model_copy(update={"second": result.pictures[0].second[:1]})
    result = result.model_copy(update={"pictures": (few, *result.pictures[1:])})
    body = make_section(
        audit="filters", spec=run.spec.audits["filters"], result=result, findings=(), names={},
        active=active_regions(run, "filters", result), max_cases=5,
    )  # fmt: skip
    shown = next(c for c in body.cases if c.title.startswith("Skin deep")).shown[0]
    assert (len(shown.first.tiles), shown.first.blanks) == (4, 0)
    assert (len(shown.second.tiles), shown.second.blanks) == (1, 3)


def test_every_comparison_stands_in_the_table(run, bodies):
    for kind in ("filters", "predictions", "pairs"):
        rows = {row.groups for row in bodies[kind].rows}
        assert len(rows) == len(run.results[kind].comparisons)
    assert any("are needed" in row.outcome for row in bodies["predictions"].rows)


def test_overlaps_and_small_groups_are_told(bodies):
    (told,) = bodies["pairs"].untestable
    assert "in both groups took no part" in told
    assert any("Groups overlap" in text for text in bodies["pairs"].limits)
    assert bodies["pairs"].meaning == ("Nothing can be said about these groups, good or bad.",)
    assert len(bodies["predictions"].untestable) == 3
    assert "Bars" not in dict(bodies["pairs"].reading), "there is no chart"
    assert "Bars" in dict(bodies["predictions"].reading)


def test_predictions_read_as_answers_and_not_as_harm(bodies):
    body = bodies["predictions"]
    assert "are called “wearing glasses”, and" in body.cases[0].claim
    assert "no proof of unequal treatment" in body.meaning[0]


def test_two_networks_are_told_apart(bodies):
    body = bodies["networks"]
    assert "Known better to Network A: sky, mouth and glasses; to Network B: hat and dog" in (
        body.result
    )
    assert body.learnt[0].startswith("Network A, layer “relu3”")
    assert "over all pictures together, so no single one is shown" in dict(body.reading)["Overlap"]
    assert "are needed" in body.rows[-1].outcome


def test_names_of_filters_stand_in_chart_claim_and_table(run):
    spec, result = run.spec.audits["filters"], run.results["filters"]
    body = make_section(
        audit="filters", spec=spec, result=result, findings=(), names={3: "wheel, car (0.61)"},
        active=active_regions(run, "filters", result), max_cases=5,
    )  # fmt: skip
    assert body.cases[0].claim.startswith("Filter 3, “wheel, car (0.61)”, is active in")
    assert "3 · wheel, car (0.61)" in body.cases[0].drawing.alt
    assert body.cases[0].shown[0].title == "Filter 3 · wheel, car (0.61)"
    assert "Words behind a filter" in dict(body.reading)


def test_regions_that_do_not_belong_are_refused(run):
    result = run.results["filters"]
    late = result.pictures[-1].model_copy(update={"active": 10_000})
    broken = result.model_copy(update={"pictures": (late,)})
    with pytest.raises(ArtifactError, match="active regions of audit filters"):
        active_regions(run, "filters", broken)


def test_hostile_titles_are_shown_and_not_obeyed(run, make_run):
    hostile = '<script>alert(1)</script>{{ 7*7 }}"><img src=x onerror=alert(2)>'
    page = page_of(make_run(kinds=("filters",), title=hostile))
    assert "<script>alert(1)" not in page
    assert "onerror=alert(2)>" not in page.replace("&gt;", "")
    assert "{{ 7*7 }}" in page


def test_withheld_pictures_are_withheld(run):
    hidden = replace(run, spec=run.spec.model_copy(
        update={"report": run.spec.report.model_copy(update={"images": "withheld"})}
    ))  # fmt: skip
    assert "data:image/" not in page_of(hidden)
