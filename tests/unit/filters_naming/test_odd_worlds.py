"""What cannot be named says why, and findings answer to the spec's concepts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from auditor.audits.filters.reference import reference_of, why_no_words
from auditor.context import Words
from auditor.results.outcome import Outcome
from tests.unit.filters_naming.conftest import (
    World,
    audited,
    finding,
    make_context,
    make_regions,
    make_selected,
    make_spec,
    make_vocabulary,
    result_of,
    top_word,
)

DEAD, NOISE = -2, -1
NO_WORDS: dict[str, Any] = {"explainer": None}


@pytest.fixture(scope="module")
def plain() -> Outcome:
    """A few filters compared with annotations alone; one of them is dead."""
    return audited(
        World(looks_at=(0, 1, NOISE, DEAD)),
        explainer=None,
        unwanted=("cat", "cow", "unicorn"),
        expected=("dog", "hen", "catt"),
        severity="error",
    )


def test_without_an_explainer_nothing_is_named_and_no_vocabulary_is_needed(plain: Outcome) -> None:
    result = result_of(plain)
    assert [one.outcome for one in result.filters] == ["not_tried"] * 3 + ["dead"]
    assert (result.recall, result.learning, result.vocabulary) == ((), None, None)
    assert (result.attention, result.num_words, result.problems) == (None, 0, ())
    assert result.filters[0].statistic.reason == "the spec asks for no words"
    assert result.filters[0].match is not None
    assert {concept.rule for concept in result.concepts} == {"none"}
    # Filters that overlap a concept most are shown.
    assert [card.unit for card in result.cards] == [0, 1, 2]
    named = finding(plain, "NAMED_FILTERS")
    assert named.verdict == "pass"
    assert named.estimates["detector_share"].value == pytest.approx(2 / 3)


def test_dead_filters_are_counted(plain: Outcome) -> None:
    dead = finding(plain, "DEAD_FILTERS")
    assert (dead.verdict, dead.severity) == ("warn", "note")
    assert dead.estimates["dead_share"].value == 0.25
    assert result_of(plain).filters[3].threshold is None
    assert finding(audited(World(looks_at=(0, 1)), **NO_WORDS), "DEAD_FILTERS").verdict == "pass"


@pytest.mark.parametrize(
    ("code", "concept", "verdict"),
    [
        ("UNWANTED_CONCEPT", "cat", "fail"),
        ("UNWANTED_CONCEPT", "cow", "pass"),
        ("EXPECTED_CONCEPT", "dog", "pass"),
        ("EXPECTED_CONCEPT", "hen", "fail"),
    ],
)
def test_concepts_of_the_spec_are_looked_for(
    plain: Outcome, code: str, concept: str, verdict: str
) -> None:
    found = finding(plain, code, concept)
    assert (found.verdict, found.severity) == (verdict, "error")
    assert bool(found.actions) == (verdict == "fail")
    seen = (code == "UNWANTED_CONCEPT") == (verdict == "fail")
    assert found.estimates["iou"].value == pytest.approx(0.5 if seen else 0.0)


def test_a_misspelt_concept_is_inconclusive_and_the_near_one_is_offered(plain: Outcome) -> None:
    found = finding(plain, "EXPECTED_CONCEPT", "catt")
    assert found.verdict == "inconclusive"
    assert "`cat`" in found.claim
    assert finding(plain, "UNWANTED_CONCEPT", "unicorn").verdict == "inconclusive"


def test_a_concept_in_too_few_photos_is_inconclusive() -> None:
    found = audited(
        World(looks_at=(0, 1)), explainer=None, unwanted=("cat",), dissection={"min_images": 21}
    )
    cat = finding(found, "UNWANTED_CONCEPT", "cat")
    assert cat.verdict == "inconclusive"
    assert "20" in cat.claim
    assert "21" in cat.claim


def test_a_weak_overlap_is_no_detection() -> None:
    result = audited(World(looks_at=(0, 1), iou=0.03), explainer=None, unwanted=("cat",))
    assert finding(result, "UNWANTED_CONCEPT").verdict == "pass"
    assert [one.match and one.match.detector for one in result_of(result).filters] == [False] * 2


def test_without_audited_concepts_no_filter_is_tried() -> None:
    found = audited(World(), dissection={"min_images": 1000})
    result = result_of(found)
    assert {one.outcome for one in result.filters} == {"not_tried"}
    assert all(one.match is None and one.statistic.reason for one in result.filters)
    named = finding(found, "NAMED_FILTERS")
    assert named.verdict == "inconclusive"
    assert "fewer than two" in named.claim
    assert result.recall == ()
    assert result.learning is None
    assert any("left out" in problem for problem in result.problems)


def test_one_annotated_concept_is_compared_but_teaches_no_words() -> None:
    found = audited(World(concepts=("cat",), looks_at=(0, NOISE), words=("cat", "dog")))
    result = result_of(found)
    assert [one.outcome for one in result.filters] == ["not_tried"] * 2
    assert result.filters[0].match is not None
    assert result.filters[0].match.detector
    assert finding(found, "NAMED_FILTERS").verdict == "inconclusive"


def test_two_concepts_give_words_but_no_explainer_can_do_without_either() -> None:
    found = audited(World(concepts=("cat", "dog"), looks_at=(0, 1, 0, 1), words=("cat", "dog")))
    result = result_of(found)
    assert [top_word(one) for one in result.filters] == ["cat", "dog", "cat", "dog"]
    # Two of the three explainers know one concept alone; the third holds out nothing.
    held_out = [row for row in result.recall if row.scope == "held_out"]
    assert all(row.recall.reason and row.num_pairs == 0 for row in held_out)
    assert any("too few regions" in problem for problem in result.problems)


def test_too_few_photos_to_stop_by_are_a_reason() -> None:
    world, spec = World(), make_spec()
    context, vocabulary = make_context(world), make_vocabulary(world.words)
    regions = make_regions(world, spec, make_selected(world, spec))
    reference = reference_of(spec, context, regions, vocabulary)
    assert why_no_words(spec, regions, reference, vocabulary) is None
    for bucket in (0, 3):
        # All photos decide when to stop, or none does.
        same = replace(regions, region_bucket=torch.full_like(regions.region_bucket, bucket))
        reason = why_no_words(spec, same, reference, vocabulary)
        assert reason is not None
        assert "too few annotated photos" in reason


def test_everything_dead() -> None:
    found = audited(World(looks_at=(DEAD, DEAD)))
    result = result_of(found)
    assert [one.outcome for one in result.filters] == ["dead", "dead"]
    assert all(one.words == () and one.match is None for one in result.filters)
    assert (result.cards, found.images, found.arrays) == ((), {}, {})
    named = finding(found, "NAMED_FILTERS")
    assert named.verdict == "inconclusive"
    assert "ever active" in named.claim
    assert finding(found, "DEAD_FILTERS").estimates["dead_share"].value == 1.0


def test_votes_by_activation_can_leave_a_filter_without_words() -> None:
    # Activations are between 2 and 3: two votes each and three for the largest.
    world = World(looks_at=(0, 1, 2, 3))
    naming = {"images": 10, "words": 5, "words_per_image": 3, "draws": 99, "votes": "activation"}
    result = result_of(audited(world, naming=naming))
    shares = [word.share for one in result.filters for word in one.words]
    assert all(round(share * 21) == pytest.approx(share * 21) for share in shares)
    assert result.filters[0].words[0].share == 1.0


def test_a_made_vocabulary_is_called_so() -> None:
    world = World(looks_at=(0, 1, 2), blind=(3,))
    context = replace(make_context(world), words=Words("everyday words", made=True, concepts={}))
    found = audited(world, context=context)
    assert result_of(found).made
    assert "not learnt from texts" in finding(found, "NAMED_FILTERS").claim
    assert "not learnt" not in finding(audited(world), "NAMED_FILTERS").claim
