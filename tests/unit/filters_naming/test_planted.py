"""Filters of which it is known what they look at get that name, and noise gets none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import normalize

from auditor.audits.filters.explaining import explained_state
from auditor.audits.filters.recall import KS
from auditor.audits.filters.result import RecallResult
from auditor.measure.state import to_tensors
from auditor.results.outcome import Outcome
from tests.unit.filters_naming.conftest import (
    ANIMALS,
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

PLANTED = len(ANIMALS)


@pytest.fixture(scope="module")
def planted() -> Outcome:
    """Twelve filters with a concept each and four that are noise; whole images tell nothing."""
    return audited(World(blind=(3,)))


def row(outcome: Outcome, *place: object) -> RecallResult:
    """Recall of one method, candidates, scope and k."""
    (one,) = (
        each
        for each in result_of(outcome).recall
        if (each.method, each.candidates, each.scope, each.k) == place
    )
    return one


def test_filters_are_named_by_their_concept_and_noise_is_not_named(planted: Outcome) -> None:
    filters = result_of(planted).filters
    assert [one.outcome for one in filters] == ["named"] * PLANTED + ["no_name"] * 4
    assert tuple(top_word(one) for one in filters[:PLANTED]) == ANIMALS
    for one in filters[:PLANTED]:
        assert one.words[0].share == 1.0
        assert one.words[0].score > 0.9
        # A word that noise gives as often is no name, even where it is right.
        first = one.words[0]
        assert one.agrees == first.stands_out == (first.by_chance < 0.5)
        assert all(word.stands_out for word in one.name)
    assert sum(one.agrees or False for one in filters[:PLANTED]) >= PLANTED - 1
    # Words of filters without a name are kept, for whoever wants to see them.
    assert all(one.words and one.agrees is None for one in filters[PLANTED:])
    assert all(one.name == () for one in filters[PLANTED:])


@pytest.mark.parametrize("candidates", ["concepts", "vocabulary"])
@pytest.mark.parametrize("method", ["paper", "release", "activation", "image"])
def test_recall_of_planted_concepts_is_one(planted: Outcome, method: str, candidates: str) -> None:
    for k in KS:
        one = row(planted, method, candidates, "seen", k)
        assert one.recall.value == one.recall.low == one.recall.high == 1.0
        # One true concept among k answers, or among as many as there are.
        num_candidates = PLANTED if candidates == "concepts" else 24
        assert one.precision.value == pytest.approx(1 / min(k, num_candidates))
        assert one.num_filters == PLANTED


def test_held_out_concepts_are_not_guessed_from_words_at_right_angles(planted: Outcome) -> None:
    # No word tells anything about another one: what was never learnt cannot be recalled.
    unseen = row(planted, "paper", "vocabulary", "held_out", 5)
    assert unseen.recall.value is not None
    assert unseen.recall.value < 0.5
    # The scopes share the pairs out among them.
    pairs = [row(planted, "paper", "concepts", s, 5).num_pairs for s in ("all", "seen", "held_out")]
    assert pairs[0] == pairs[1] + pairs[2] == PLANTED * 10


def test_whole_images_recall_less_and_the_difference_is_measured(planted: Outcome) -> None:
    whole = row(planted, "original", "concepts", "all", 5)
    assert whole.difference is None
    for method in ("paper", "image"):
        one = row(planted, method, "concepts", "all", 5)
        assert one.difference is not None
        assert one.recall.value is not None
        assert whole.recall.value is not None
        assert one.difference.value == pytest.approx(one.recall.value - whole.recall.value)
        assert one.difference.low is not None
        assert one.difference.low > 0
    named = finding(planted, "NAMED_FILTERS")
    assert named.verdict == "pass"
    assert named.estimates["named_share"].value == PLANTED / 16
    assert named.estimates["recall_gain"] == row(planted, "paper", "concepts", "all", 5).difference


def test_names_that_whole_images_give_as_well_are_inconclusive() -> None:
    # Every way of showing an image shows the explainer the same.
    named = finding(audited(World()), "NAMED_FILTERS")
    assert named.verdict == "inconclusive"
    assert "no better" in named.claim


def test_words_that_stand_for_no_annotated_concept_are_marked(planted: Outcome) -> None:
    words = [word for one in result_of(planted).filters for word in one.words]
    assert any(word.novel for word in words)
    assert all(word.novel == word.word.startswith("word") for word in words)


def test_an_entity_list_leaves_its_words_alone() -> None:
    allowed = ("cat", "dog", "cow", "hen", "word0")
    filters = result_of(audited(World(), entities=allowed)).filters
    assert {word.word for one in filters for word in one.words} <= set(allowed)
    assert [top_word(one) for one in filters[:4]] == list(allowed[:4])


def test_a_concept_that_the_vocabulary_lacks_is_listed_and_still_compared() -> None:
    words = tuple(word for word in World().words if word != "hen")
    result = result_of(audited(World(words=words)))
    hen = result.concepts[ANIMALS.index("hen")]
    assert (hen.words, hen.rule, hen.audited, hen.num_detectors) == ((), "unknown", True, 1)
    assert any("Without a word" in problem and "hen" in problem for problem in result.problems)
    looks_at_hen = result.filters[ANIMALS.index("hen")]
    assert looks_at_hen.match is not None
    assert looks_at_hen.match.concept == "hen"
    assert looks_at_hen.agrees is None
    # Nothing is true of its images that could be recalled.
    assert all(each.num_filters == PLANTED - 1 for each in result.recall if each.scope == "all")


def test_a_concept_of_several_words_is_an_answer_of_its_own() -> None:
    names = (*ANIMALS[:-1], "emu bird")
    world = World(concepts=names, words=(*ANIMALS, "bird", "word0", "word1"))
    result = result_of(audited(world))
    both = result.concepts[-1]
    assert (both.words, both.rule) == (("emu", "bird"), "parts")
    assert {word.word for word in result.filters[11].words[:2]} == {"emu", "bird"}
    assert result.filters[11].agrees
    assert not any(word.novel for word in result.filters[11].words[:2])
    seen = [
        each for each in result.recall if (each.candidates, each.scope) == ("vocabulary", "seen")
    ]
    assert {each.recall.value for each in seen if each.method == "paper"} == {1.0}


def test_the_state_is_the_same_every_time() -> None:
    world, spec = World(), make_spec()
    selected = make_selected(world, spec)
    regions = make_regions(world, spec, selected)
    arguments = (spec, make_context(world), selected, regions, make_vocabulary(world.words))
    first, second = (to_tensors(explained_state(*arguments)) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_concepts_and_images_are_held_out_in_equal_parts() -> None:
    world, spec = World(), make_spec()
    selected = make_selected(world, spec)
    regions = make_regions(world, spec, selected)
    state = explained_state(
        spec, make_context(world), selected, regions, make_vocabulary(world.words)
    )
    assert torch.bincount(state.held_out).tolist() == [4, 4, 4]
    assert state.weights.shape[0] == state.best.shape[0] == 4
    assert torch.equal(state.rows, state.rows.sort().values)
    for unit in state.cards.tolist():
        first = selected.pair_row[selected.pair_unit == unit][:2]
        assert torch.isin(first, state.rows).all()


def test_cards_show_distinct_names_first_and_each_picture_once(planted: Outcome) -> None:
    result = result_of(planted)
    tops = [top_word(result.filters[card.unit]) for card in result.cards]
    assert len(tops) == len(set(tops)) == 4
    statistics = [result.filters[card.unit].statistic.value for card in result.cards]
    assert statistics == sorted(statistics, key=lambda value: -(value or 0))
    shown = [image for card in result.cards for image in card.images]
    assert set(planted.images) == set(shown)
    samples = {image: f"Ünit {int(image[4:11])}.jpg" for image in shown}
    assert all(
        samples[i] == s for c in result.cards for i, s in zip(c.images, c.samples, strict=True)
    )
    assert all(content.startswith(b"\xff\xd8") for content in planted.images.values())
    active = planted.arrays["cards"]["active"]
    assert active.shape == (len(shown), 6, 8)
    assert [card.first for card in result.cards] == [0, 2, 4, 6]
    assert set(active[:, 0].ravel()) == {1}
    assert set(active[:, 1:].ravel()) == {0}


def test_tables_have_a_row_per_pair_word_and_recall(planted: Outcome) -> None:
    result = result_of(planted)
    dissection = planted.tables["dissection"]
    assert list(dissection["unit"]) == list(range(PLANTED))
    assert tuple(dissection["concept"]) == ANIMALS
    assert dissection["iou"] == pytest.approx([0.5] * PLANTED)
    assert len(planted.tables["words"]["word"]) == sum(len(one.words) for one in result.filters)
    # Five methods, two sets of candidates, three scopes, three k.
    assert len(planted.tables["recall"]["recall"]) == len(result.recall) == 5 * 2 * 3 * 3


def test_held_out_concepts_are_found_where_words_tell_of_each_other() -> None:
    # What a filter lets through is a linear image of its concept's word vector, so that an
    # explainer can find the words of concepts that it never saw.
    world, spec = World(looks_at=tuple(range(PLANTED))), make_spec()
    generator = torch.Generator().manual_seed(4)
    vectors = normalize(torch.randn(24, 3, generator=generator), dim=1)
    layer = torch.randn(3, world.num_channels, generator=generator)
    selected = make_selected(world, spec)
    regions = make_regions(world, spec, selected)
    asked = vectors[regions.other_unit] @ layer
    regions = replace(
        regions,
        region_features=vectors[regions.region_concept] @ layer,
        other_features=torch.stack([asked, asked, asked, torch.zeros_like(asked)], 1),
    )
    vocabulary = replace(make_vocabulary(world.words), vectors=vectors)
    state = explained_state(spec, make_context(world), selected, regions, vocabulary)
    # Filter × method × candidates × scope × k: among concepts, held out, the first five.
    held_out = state.recall[:, :, 0, 2, 0].mean(0)
    assert held_out[0] > 0.8
    assert held_out[3] < 0.7


def test_the_number_of_threads_changes_nothing() -> None:
    world, spec = World(looks_at=(0, 1, 2, -1)), make_spec()
    selected = make_selected(world, spec)
    regions = make_regions(world, spec, selected)
    arguments = (spec, make_context(world), selected, regions, make_vocabulary(world.words))
    allowed = torch.get_num_threads()
    states = []
    try:
        for num_threads in (1, 2):
            torch.set_num_threads(num_threads)
            states.append(to_tensors(explained_state(*arguments)))
    finally:
        torch.set_num_threads(allowed)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
