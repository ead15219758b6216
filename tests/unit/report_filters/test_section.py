"""The report of a filter audit: complete, ordered, honest, and closed to hostile names."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from auditor.audits.filters.result import WordResult
from auditor.errors import ArtifactError
from auditor.report.page import make_page
from tests.unit.finished_run import Outline, page_of

HOSTILE = (
    "<script>alert(1)</script>",
    "{{ 7*7 }}{% include '/etc/passwd' %}",
    '"><img src="file:///etc/passwd" onerror="alert(1)">',
    "</title></svg><script>alert(2)</script>",
    "$\\frac{1}{2}$ \x00\x1b" + "long " * 60,
    "</style><style>@import 'http://evil.example/x.css'",
)


@pytest.fixture(scope="module")
def page(run) -> str:
    return page_of(run)


@pytest.fixture(scope="module")
def body(run):
    return make_page(run).sections[0].body


def body_of(make_run, fixture_result, **changes):
    return make_page(make_run(result=fixture_result(**changes))).sections[0].body


def test_the_section_is_ordered_as_every_other(page):
    lines = [line.strip() for line in Outline(page).lines]
    start = next(i for i, line in enumerate(lines) if line.startswith("What the filters look at"))
    headings = [line for line in lines[start:] if not line.startswith("<")]
    first_card = headings.index("Filters with pictures") + 1
    assert headings[1:first_card] == [
        "What was asked",
        "How to read this",
        "Result",
        "How far the words can be trusted",
        "Filters with pictures",
    ]
    assert headings[first_card + 6 : first_card + 10] == [
        "What it means",
        "What to do",
        "Naming the filters",
        "Everything tested",
    ]


def test_the_same_run_gives_the_same_bytes(run, page):
    assert page_of(run) == page


def test_pictures_and_figures_say_what_they_show_and_links_lead_somewhere(page):
    tags = Outline(page).tags
    images = [a.get("alt") for tag, a in tags if tag == "img"]
    assert len(images) == 6 * 6
    assert all(images)
    assert len(re.findall(r"<svg[^>]*>\s*<title>[^<]+", page)) == len(re.findall("<svg", page))
    ids = Counter(a["id"] for _, a in tags if a.get("id"))
    assert max(ids.values()) == 1
    assert all(a["href"][1:] in ids for tag, a in tags if tag == "a")


def test_the_overview_counts_what_the_result_holds(run, body):
    units = run.results["filters"].filters
    named = sum(f.outcome == "named" for f in units)
    dead = sum(f.outcome == "dead" for f in units)
    found = [f.match.concept for f in units if f.match and f.match.detector]
    assert f"have a name: {named} of {len(units)}" in body.overview.alt
    assert f"are never active: {dead} of {len(units)}" in body.overview.alt
    assert f"detect a concept: {len(found)} of {len(units)}" in body.overview.alt
    assert f"different concepts: {len(set(found))} of" in body.overview.alt
    assert "the threshold is at 0.04" in body.overview.alt
    name, times = Counter(found).most_common(1)[0]
    assert f"{name}: {times}\u00a0filters, best " in body.concepts.alt


def test_every_filter_and_every_concept_stands_in_the_tables(run, body):
    result = run.results["filters"]
    assert [row.unit for row in body.filters] == [str(f.unit) for f in result.filters]
    assert [row.name for row in body.concept_rows] == [c.name for c in result.concepts]
    nameless = next(f.unit for f in result.filters if f.outcome == "no_name")
    assert body.filters[nameless].words.startswith("(")
    light, wall, unknown = body.concept_rows[-3:]
    assert (light.words, light.rule) == ("traffic, light", "the parts of the name")
    assert (wall.words, wall.rule) == ("wall", "the name without its ending")
    assert unknown.rule == "unknown to the vocabulary"
    assert "zamboni" in body.unknown
    rows = dict(body.recalls)
    assert {words: len(r) for words, r in rows.items()} == {
        "the annotated concepts": 15,
        "every word": 15,
    }
    assert rows["the annotated concepts"][0].recalls[0] == "52 (48 to 56)"


def test_cards_show_words_concept_and_where_the_filter_is_active(run, page, body):
    result = run.results["filters"]
    active = run.arrays("filters", "cards")["active"]
    card, shown = body.cards[1], result.cards[1]
    tiles = [tile for row in card.rows for tile in row]
    assert [tile.image for tile in tiles] == list(shown.images)
    assert all((t.outline == active[shown.first + k]).all() for k, t in enumerate(tiles))
    unit = result.filters[card.unit]
    # Of ten words every second stands out: these five have bars, and the others are told.
    clear = unit.words[::2]
    assert [bar.word for bar in card.bars] == [word.word for word in clear]
    assert [bar.novel for bar in card.bars] == [word.novel for word in clear]
    assert all(bar.clear for bar in card.bars)
    assert card.bars[0].length == 100.0
    assert card.bars[0].tick == pytest.approx(100 * 0.05 / unit.words[0].share, abs=0.1)
    assert card.words == ", ".join(word.word for word in clear[:3])
    others = [word.word + "*" * word.novel for word in unit.words[1::2]]
    assert card.further == f"Not beyond chance: {', '.join(others)}."
    assert card.told[0].startswith("5 of the 10\u00a0words listed stand out")
    assert f"overlaps “{unit.match.concept}” most" in " ".join(card.told)
    assert "are not among the annotated concepts" in page
    assert body.filters[card.unit].target == card.anchor


def test_a_filter_without_a_name_is_called_so(body):
    card = body.cards[-1]
    assert (card.mark, card.words) == ("no name", "")
    assert len(card.bars) == 5
    assert not any(bar.clear for bar in card.bars)
    assert card.told[0].startswith("This filter has no name: its words do not stand out")


def test_units_without_places_are_not_called_filters(make_run, fixture_result):
    result = fixture_result(units=12, cards=2, images=1, start="features.7")
    run = make_run(result=result)
    body = make_page(run).sections[0].body
    assert body.cards[0].title == "Unit 0"
    assert "12\u00a0units of the layer" in body.asked[1]
    own = (*body.asked, body.result, *body.meaning, *body.limits, *body.actions, body.overview.alt)
    calls = " ".join(own).replace("filter attention", "").replace("filter 7", "")
    assert "filter" not in calls.lower()
    page = page_of(run)
    assert "Units with pictures" in page
    assert "Filters with pictures" not in page


def test_rows_hold_six_pictures(make_run, fixture_result):
    body = body_of(make_run, fixture_result, images=8, cards=1)
    assert [len(row) for row in body.cards[0].rows] == [6, 2]


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ({"paper": 0.5, "original": 0.3, "image": 0.3, "activation": 0.3}, "beats every baseline"),
        ({"paper": 0.5, "original": 0.3, "activation": 0.48}, "though not of all beyond doubt"),
        ({"paper": 0.3, "original": 0.31, "image": 0.5}, "does not beat any baseline"),
        ({"paper": 0.5, "original": 0.3, "image": 0.6}, "beats some baselines and not others"),
        ({"paper": 0.5}, "no other way of looking"),
    ],
)
def test_the_comparison_with_baselines_is_said_whatever_it_is(
    make_run, fixture_result, levels, said
):
    body = body_of(make_run, fixture_result, levels=levels, units=12, cards=0)
    assert said in body.trust[0]


def test_the_paired_difference_decides_against_the_whole_picture(fixture_result):
    from auditor.audits.filters.trust import standings

    result = fixture_result(levels={"paper": 0.35, "original": 0.31})
    rows = {row.method: row for row in result.recall if row.k == 5 and row.scope == "all"}
    assert rows["paper"].recall.low < rows["original"].recall.high
    assert standings(result, "all", 5) == {"original": "clearly_more"}


def test_unmeasured_recall_is_said_in_words(make_run, fixture_result):
    body = body_of(make_run, fixture_result, levels={}, units=12, cards=0)
    assert body.recall is None
    assert body.trust[0] == "How many true concepts the words find could not be measured."


def test_without_words_nothing_is_said_of_words(make_run, fixture_result):
    run = make_run(result=fixture_result(worded=False))
    body, page = make_page(run).sections[0].body, page_of(run)
    assert body.trust == ()
    assert body.recalls == ()
    assert not any(card.bars for card in body.cards)
    assert "have a name" not in body.overview.alt
    assert "How far the words can be trusted" not in page
    assert "Stands for" not in page


def test_limits_name_the_choices_in_force(make_run, fixture_result, body):
    text = " ".join(body.limits)
    assert "at least 10\u00a0photos list it: 14 of 15 concepts" in text
    assert "a grid of 28 by 28 places" in text
    assert "as in the original network dissection" in text
    assert "The thresholds are exact." in text
    assert "Only 800\u00a0pictures carry annotations" in text
    assert "was made, not learnt" in text
    assert "activations of other filters are dealt out at random" in text
    other = body_of(
        make_run, fixture_result, made=False, exact=False, denominator="lite", units=12, cards=0
    )
    text = " ".join(other.limits)
    assert "within 0.041 percentage points" in text
    assert "as in NetDissect-Lite" in text
    assert "was made, not learnt" not in text


def test_findings_stand_with_their_verdicts_and_actions(body):
    assert [check.word for check in body.checks] == ["Passed", "Warning"]
    assert "Look at the pictures of filter 7, and whether the decision uses it." in body.actions


def test_hostile_words_are_shown_and_do_nothing(make_run, fixture_result):
    def with_words(names):
        result = fixture_result(units=6, cards=2, images=2)
        words = tuple(
            WordResult(word=name, share=0.5, by_chance=0.1, stands_out=True, score=0.5, novel=True)
            for name in names
        )
        units = tuple(f.model_copy(update={"words": words}) for f in result.filters)
        concepts = tuple(
            c.model_copy(update={"name": names[i % 6], "words": (names[0],)})
            for i, c in enumerate(result.concepts)
        )
        return result.model_copy(update={"filters": units, "concepts": concepts})

    clean = Outline(page_of(make_run(result=with_words("uvwxyz"))))
    page = page_of(make_run(result=with_words(HOSTILE)))
    hostile = Outline(page)
    counts = [Counter(tag for tag, _ in outline.tags) for outline in (clean, hostile)]
    for tag in ("script", "style", "img", "link", "iframe", "svg"):
        assert counts[0][tag] == counts[1][tag]
    assert not [a for _, attributes in hostile.tags for a in attributes if a[:2] == "on"]
    assert "{{ 7*7 }}" in page
    assert "root:x:0" not in page


@pytest.mark.parametrize("mode", ["withheld", "heatmap_only"])
def test_pictures_show_no_more_than_the_audience_may_see(run, mode):
    page = page_of(run, images=mode)
    images = [a["src"] for tag, a in Outline(page).tags if tag == "img"]
    if mode == "withheld":
        assert images == []
        assert "withheld (digest " in page
    else:
        assert images
        assert all(source.startswith("data:image/png") for source in images)


def test_active_regions_that_do_not_fit_are_named(make_run, fixture_result):
    result = fixture_result(units=12)
    moved = tuple(card.model_copy(update={"first": 10_000}) for card in result.cards)
    run = make_run(result=result.model_copy(update={"cards": moved}))
    with pytest.raises(ArtifactError, match="active regions"):
        page_of(run)
