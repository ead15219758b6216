"""Names that other sections borrow from the filter audit of the same network and layer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.judge.review import parse_review
from auditor.report.filters import unit_names
from auditor.report.page import make_page
from tests.unit.finished_run import page_of
from tests.unit.report_filters.conftest import WEIGHTS

KEY = f"{WEIGHTS}:features.8"


def review(key: str, unit: int) -> bytes:
    """A file in which a person named one unit."""
    return f"""version: 1
features:
  "{key}":
    "{unit}":
      name: "grin"
      kind: spurious
      reviewer: J. Doe
      date: 2026-03-02
      comment: Only in studio pictures.
""".encode()


@pytest.fixture(scope="module")
def small(fixture_result):
    """Twelve filters: the first has a name, the third has none, the seventh is dead."""
    return fixture_result(units=12, cards=2, images=1)


def test_only_named_filters_and_detectors_have_names(run):
    units = {f.unit: f for f in run.results["filters"].filters}
    names = unit_names(run, "model", "features.8")
    for number, unit in units.items():
        detector = unit.match is not None and unit.match.detector
        assert (number in names) == (unit.outcome == "named" or detector)
        if number in names:
            said = names[number]
            assert bool(said.words) == (unit.outcome == "named")
            assert said.concept == (unit.match.concept if detector else None)


def test_a_name_reads_as_words_with_their_share_else_as_a_concept(run):
    names = unit_names(run, "model", "features.8")
    assert names[0].text() == "hair, face (0.72)"
    concept = next(said for said in names.values() if not said.words)
    assert concept.text() == f"{concept.concept} ({concept.iou.value:.2f})"


def test_other_networks_and_layers_have_no_names(run):
    assert unit_names(run, "extractor", "features.8") == {}
    assert unit_names(run, "model", "features.0") == {}


def test_an_audit_with_words_goes_before_one_without(run, fixture_result):
    bare = replace(run, results={"bare": fixture_result(worded=False), **run.results})
    assert unit_names(bare, "model", "features.8") == unit_names(run, "model", "features.8")


@pytest.mark.parametrize("key", [KEY, WEIGHTS])
def test_a_persons_name_goes_before_words(make_run, small, key):
    run = make_run(result=small, review=review(key, 0))
    said = unit_names(run, "model", "features.8")[0]
    assert said.text() == said.label() == "grin"
    assert said.suggested() == "hair, face"
    assert unit_names(run, "extractor", "features.8") == {}
    page = make_page(run)
    body = page.sections[0].body
    card, row = body.cards[0], body.filters[0]
    assert (card.title, card.words) == ("Filter 0", "“grin”")
    assert card.told[0] == (
        "Filter 0 is called “grin” by a person (J. Doe, 2026-03-02). Their judgement: it should "
        "not matter here (spurious). Only in studio pictures."
    )
    assert row.words == "“grin” · hair, face, eye"
    assert "Names in quotation marks were given by people." in page_of(run)


def test_a_person_may_name_what_has_no_words(make_run, small):
    unit = next(f.unit for f in small.filters if f.outcome == "dead")
    run = make_run(result=small, review=review(KEY, unit))
    assert unit_names(run, "model", "features.8")[unit].label() == "grin"
    assert make_page(run).sections[0].body.filters[unit].words == "“grin”"
    # A layer that no audit looked at keeps the names that people gave it.
    elsewhere = make_run(result=small, review=review(f"{WEIGHTS}:features.0", 3))
    assert {u: s.text() for u, s in unit_names(elsewhere, "model", "features.0").items()} == {
        3: "grin"
    }


@pytest.mark.parametrize("key", ["c" * 64, f"{WEIGHTS}:features.0"])
def test_a_name_for_another_network_or_layer_is_not_used(make_run, small, key):
    run = make_run(result=small, review=review(key, 0))
    assert unit_names(run, "model", "features.8")[0].person is None
    assert "grin" not in page_of(run)


def test_the_lines_to_copy_confirm_what_was_suggested(make_run, small):
    body = make_page(make_run(result=small)).sections[0].body
    text = f"version: 1\n{body.snippet}\n".replace('"…"', '"J. Doe"')
    names = parse_review(text, "review.yaml").features[KEY]
    assert names["0"].name == "hair, face, eye"
    assert set(names) == {str(card.unit) for card in body.cards}
    confirmed = make_page(make_run(result=small, review=text.encode())).sections[0].body
    assert confirmed.cards[0].words == "“hair, face, eye”"
    assert confirmed.key == KEY


def test_without_a_digest_nothing_is_offered_to_copy(run):
    bare = replace(
        run,
        record=run.record.model_copy(
            update={"provenance": run.record.provenance.model_copy(update={"inputs": ()})}
        ),
    )
    body = make_page(bare).sections[0].body
    assert (body.snippet, body.key) == ("", "")
