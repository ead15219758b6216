"""The report of a failure audit: complete, ordered, in plain words, and closed to hostile names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.audits.failures.describe import strongest
from auditor.compose.yaml_file import read_yaml
from auditor.errors import ArtifactError
from auditor.report.page import make_page
from auditor.report.render import render
from tests.unit.finished_run import Outline, page_of

GOLDEN = Path(__file__).parents[2] / "golden" / "report" / "failures_outline.txt"

HOSTILE = {
    17: "<script>alert(1)</script>",
    4: "{{ 7*7 }}{% include '/etc/passwd' %}",
    63: '"><img src="file:///etc/passwd" onerror="alert(1)">',
    88: "</title></svg><script>alert(2)</script>",
    31: "$\\frac{1}{2}$ \x00\x1b" + "long " * 60,
    7: "</style><style>@import 'http://evil.example/x.css'",
}


@pytest.fixture(scope="module")
def page(run) -> str:
    return page_of(run)


@pytest.fixture(scope="module")
def body(run):
    return make_page(run).sections[0].body


def test_the_page_is_ordered_as_agreed(make_run, fixture_result):
    run = make_run(result=fixture_result(classes=("plane", "frog", "cat"), slices=1, depth=2))
    assert Outline(page_of(run)).text() == GOLDEN.read_text()


def test_the_same_run_gives_the_same_bytes(run, page):
    assert page_of(run) == page


def test_every_picture_and_figure_says_what_it_shows(page):
    images = [a.get("alt") for tag, a in Outline(page).tags if tag == "img"]
    assert len(images) == 6 * 25
    assert all(images)
    assert len(re.findall(r"<svg[^>]*>\s*<title>[^<]+", page)) == len(re.findall("<svg", page))


def test_links_lead_somewhere_and_ids_are_unique(page):
    tags = Outline(page).tags
    ids = Counter(a["id"] for _, a in tags if a.get("id"))
    assert max(ids.values()) == 1
    for tag, attributes in tags:
        if tag == "a":
            assert attributes["href"][1:] in ids


def test_every_check_that_did_not_pass_appears(run, page, body):
    open_groups = {f.subjects[0] for f in run.findings if f.verdict != "pass"}
    groups = {group.id: group for group in run.results["failures"].groups}
    rows = {row.images: row for row in body.groups}
    assert len(body.groups) == len(groups)
    for id_ in open_groups:
        group = groups[id_]
        row = rows[group.images]
        assert row.verdict != "pass"
        if group.outcome == "slice":
            assert row.target is not None
            assert f'id="{row.target}"' in page
        else:
            assert row.reason == group.reason
            assert any(group.images in line.lower() or "more" in line for line in body.untestable)


def test_findings_beyond_the_limit_are_named_and_stay_in_the_table(make_run):
    page = page_of(make_run(max_findings=3))
    assert page.count('<article class="case"') == 3
    assert "3\u00a0more groups with such a part are listed" in page
    assert page.count(">confirmed<") == 6


def test_a_case_shows_the_four_rows_of_pictures_and_successes(run, body):
    case = body.cases[0]
    assert [len(strip.tiles) for strip in case.strips] == [5] * 5
    top, heat, attack, wrong, right = case.strips
    assert [tile.image for tile in top.tiles] == [tile.image for tile in heat.tiles]
    maps = run.arrays("failures", "pictures")["maps"]
    picture = run.results["failures"].pictures[0]
    for k, tile in enumerate(heat.tiles):
        assert (tile.heat == maps[picture.heatmaps + k]).all()
    assert all(tile.heat is None for strip in (top, attack, wrong, right) for tile in strip.tiles)
    assert [tile.image for tile in wrong.tiles] == list(picture.failures)
    assert right.small


def test_cases_come_strongest_first_and_say_numbers_in_words(run, body):
    result = run.results["failures"]
    expected = [group.id for group, _ in strongest(result, 100)]
    assert [case.group for case in body.cases] == expected
    text = " ".join(body.cases[0].numbers)
    group, leaf = strongest(result, 1)[0]
    assert f"On {group.confirmed.size}\u00a0pictures that were held back" in text
    assert f"{round(100 * leaf.error_rate.value)}\u202f% of {leaf.error_rate.num_samples}" in text
    assert "p <\u00a00.001 after correction" in text
    assert "dealt out anew among the pictures 99 times" in text
    assert "used the same feature in 84\u202f% of the cases; next came feature\u00a099" in text


def test_a_suggestion_is_marked_as_one(make_run, fixture_result):
    body = make_page(make_run(result=fixture_result(depth=1, seed=1))).sections[0].body
    words = " ".join(" ".join(case.feature) for case in body.cases)
    assert (
        "It goes with smiling, AUC 0.93 (0.91 to 0.95): a suggestion from the labels, not a "
        "person's judgement." in words
    )
    assert "Nobody has named feature\u00a017 yet" in words


def test_the_extractor_is_told_with_its_clean_and_robust_accuracy(page):
    assert "Features come from Robust ResNet-4B, layer “relu1”" in page
    assert "right about 81\u202f% (80 to 82\u202f%) of the pictures on the split “test”" in page
    assert "about 60\u202f% (59 to 61\u202f%) when they are changed like that" in page
    assert "<dt>Features from</dt><dd>Robust ResNet-4B, layer relu1</dd>" in page


def test_an_exploratory_run_says_so_where_it_is_read(make_run, fixture_result):
    run = make_run(result=fixture_result(exploratory=True, slices=3))
    page = page_of(run)
    assert page.count('<span class="severity exploratory">') == page.count("<article")
    assert "Exploratory: the parts were found and measured on the same pictures" in page
    assert "held back when" not in page
    assert "Numbers are from the pictures it was found on." in page
    assert ">confirmed<" not in page


def test_two_networks_stand_side_by_side(make_run, fixture_result):
    run = make_run(result=fixture_result(inspected=("model", "extractor"), depth=2))
    body = make_page(run).sections[0].body
    assert {row.network for row in body.groups} == {"CIFAR ResNet-56", "Robust ResNet-4B"}
    assert {row.network for row in body.aggregate} == {"CIFAR ResNet-56", "Robust ResNet-4B"}
    assert "Filled dots: CIFAR ResNet-56; Hollow squares: Robust ResNet-4B." in body.gains.caption


def test_hostile_feature_names_are_shown_and_do_nothing(make_run, fixture_result):
    plain = dict.fromkeys(HOSTILE, "x")
    clean = Outline(page_of(make_run(result=fixture_result(names=plain))))
    page = page_of(make_run(result=fixture_result(names=HOSTILE)))
    hostile = Outline(page)
    counts = [Counter(tag for tag, _ in outline.tags) for outline in (clean, hostile)]
    for tag in ("script", "style", "img", "link", "iframe", "svg"):
        assert counts[0][tag] == counts[1][tag]
    assert not [a for _, attributes in hostile.tags for a in attributes if a[:2] == "on"]
    assert "{{ 7*7 }}" in page
    assert "root:x:0" not in page


@pytest.mark.parametrize("mode", ["withheld", "heatmap_only"])
def test_withheld_pictures_are_shown_as_digests(run, mode):
    page = page_of(run, images=mode)
    assert "withheld (digest " in page
    images = [a for tag, a in Outline(page).tags if tag == "img"]
    if mode == "withheld":
        assert images == []
    else:
        assert images
        assert all(a["alt"].startswith("Heat map") for a in images)
        assert all(a["src"].startswith("data:image/png") for a in images)


def test_a_run_without_pictures_has_a_report(make_run, fixture_result):
    page = page_of(make_run(result=fixture_result(pictures=0)))
    assert page.count('<article class="case"') == 6
    assert "<img" not in page


def test_features_from_a_file_have_pictures_without_maps_and_attacks(make_run, fixture_result):
    result = fixture_result()
    bare = tuple(
        p.model_copy(
            update={
                "heatmaps": None,
                "attacked": (),
                "attacked_activations": (),
                "distances": (),
            }
        )
        for p in result.pictures
    )
    run = make_run(result=result.model_copy(update={"pictures": bare, "layer": None}))
    case = make_page(run).sections[0].body.cases[0]
    assert [strip.label.split()[0] for strip in case.strips] == ["Where", "Wrong,", "Right,"]
    assert "<img" in page_of(run)


def test_heat_maps_that_do_not_fit_are_named(make_run, fixture_result):
    result = fixture_result()
    moved = tuple(p.model_copy(update={"heatmaps": 10_000}) for p in result.pictures)
    run = make_run(result=result.model_copy(update={"pictures": moved}))
    with pytest.raises(ArtifactError, match="heat maps"):
        render(run, formats=("html",))


def test_a_result_of_another_kind_than_its_spec_is_named(run):
    spec = run.spec.model_copy(
        update={
            "audits": {
                "failures": run.spec.audits["failures"].model_construct(kind="relationships")
            }
        }
    )
    wrong = replace(run, spec=spec.model_copy(update={"audits": {"failures": OtherKind()}}))
    with pytest.raises(ArtifactError, match="of kind failures, its spec of kind other"):
        render(wrong, formats=("html",))


class OtherKind:
    """A spec of no known kind."""

    kind = "other"


def test_without_slices_the_reader_is_told_so(make_run, fixture_result):
    body = make_page(make_run(result=fixture_result(slices=-1))).sections[0].body
    assert body.cases == ()
    assert "In none of them do the errors gather" in body.result
    assert body.actions == ()
    assert body.snippet == ""


def test_limits_name_power_and_what_could_not_be_tested(body):
    text = " ".join(body.limits)
    assert "2\u00a0groups were not testable" in text
    assert "at least 40\u00a0pictures" in text
    assert "is known to within about" in text
    assert "3\u00a0pictures had no usable label" in text


def test_the_lines_to_copy_are_a_valid_review(run, body):
    text = f"version: 1\n{body.snippet}\n"
    names = read_yaml(text, "review.yaml").plain()["features"]
    from auditor.judge.review import parse_review

    review = parse_review(text, "review.yaml")
    assert set(review.features) == {body.key}
    shown = {str(leaf.path[-1].feature) for _, leaf in strongest(run.results["failures"], 12)}
    assert set(names[body.key]) == shown
