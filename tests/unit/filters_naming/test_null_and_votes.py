"""Closed forms of votes, null and agreement, and the level of the test by simulation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from auditor.audits.filters.agreement import agreement_of
from auditor.audits.filters.naming import adjusted, name_filters, varied, vote_weights
from auditor.audits.filters.null import MATCHED, Distinct, different, largest, matched, stand_out
from auditor.audits.filters.recall import joined, mean_estimate, places, resamples
from auditor.audits.filters.reference import dealt
from auditor.measure.vocabulary import Vocabulary

WORDS = Vocabulary(("a", "b", "c", "d"), torch.eye(4), torch.ones(4, dtype=torch.bool))


def noise_votes(generator: torch.Generator, images: Tensor, taste: Tensor, effect: float) -> Tensor:
    """Three votes of each image: some words are common, each image likes some more [N, 3]."""
    common = -torch.log(torch.arange(1.0, taste.shape[1] + 1))
    uniform = torch.rand(len(images), taste.shape[1], generator=generator).clamp(1e-6, 1 - 1e-6)
    gumbel = -torch.log(-torch.log(uniform))
    return (common + effect * taste[images] + gumbel).topk(3, 1).indices


@pytest.mark.parametrize(("num_images", "effect"), [(1000, 2.0), (60, 2.0)])
@pytest.mark.parametrize("num_units", [4, 40])
def test_filters_that_look_at_nothing_are_found_no_more_often_than_the_level(
    num_images: int, effect: float, num_units: int
) -> None:
    p_values: list[float] = []
    false_families = 0
    for seed in range(120 // num_units):
        generator = torch.Generator().manual_seed(seed)
        taste = torch.randn(num_images, 100, generator=generator)
        units = torch.arange(num_units).repeat_interleave(10)
        own, null = (
            noise_votes(
                generator,
                torch.cat(
                    [torch.randperm(num_images, generator=generator)[:10] for _ in range(num_units)]
                ),
                taste,
                effect,
            )
            for _ in range(2)
        )
        found = stand_out(
            own,
            units,
            torch.ones(len(units)),
            null,
            units,
            torch.ones(len(units)),
            num_units=num_units,
            draws=99,
            seed=seed,
        )
        p_values += found.p_values.tolist()
        corrected = adjusted(found.p_values, torch.ones(num_units, dtype=torch.bool))
        false_families += any(p is not None and p <= 0.05 for p in corrected)
    # 120 filters at the level of 5 %: more than 12 would come once in 160 runs of a sound test.
    assert sum(p <= 0.05 for p in p_values) <= 12
    assert sum(p <= 0.5 for p in p_values) <= 76
    assert false_families <= max(2, 0.2 * 120 // num_units)


def test_a_filter_whose_images_agree_stands_out() -> None:
    generator = torch.Generator().manual_seed(1)
    taste = torch.randn(500, 100, generator=generator)
    units = torch.arange(6).repeat_interleave(10)
    rows = torch.randint(500, (60,), generator=generator)
    own, null = (noise_votes(generator, rows, taste, 1.0) for _ in range(2))
    own[:10, 0] = 99
    found = stand_out(
        own,
        units,
        torch.ones(len(units)),
        null,
        units,
        torch.ones(len(units)),
        num_units=6,
        draws=199,
        seed=0,
    )
    assert found.p_values[0] == 1 / 200
    assert found.statistic.argmax() == 0


def test_a_filter_is_compared_with_null_pairs_that_show_as_much() -> None:
    """Small maps call up word 0, large ones word 1: nothing else tells filters apart."""
    p_values = []
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        units = torch.arange(40).repeat_interleave(10)
        typical = torch.rand(40, generator=generator)[units]
        votes, extents = [], []
        for _ in range(2):
            small = torch.rand(len(units), generator=generator) < typical
            votes.append(torch.where(small, 0, 1)[:, None])
            extents.append(torch.where(small, 1.0, 30.0))
        found = stand_out(
            votes[0], units, extents[0], votes[1], units, extents[1],
            num_units=40, draws=99, seed=seed,
        )  # fmt: skip
        p_values += found.p_values.tolist()
        blind = torch.ones(len(units))
        unmatched = stand_out(
            votes[0], units, blind, votes[1], units, blind, num_units=40, draws=99, seed=seed
        )
        assert sum(p <= 0.05 for p in unmatched.p_values.tolist()) > 4
    assert sum(p <= 0.05 for p in p_values) <= 40


@pytest.mark.parametrize("seed", range(20))
def test_each_number_takes_its_nearest_of_what_smaller_ones_left(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rest, mine = generator.normal(size=60), generator.normal(size=6)
    left = list(range(60))
    for number in sorted(mine.tolist()):
        left.sort(key=lambda at, number=number: abs(rest[at] - number))
        left = left[MATCHED:]
    assert matched(mine, rest).tolist() == sorted(set(range(60)) - set(left))
    assert matched(mine, rest[: MATCHED * 6]).tolist() == list(range(MATCHED * 6))


def test_the_statistic_is_the_largest_standardised_count() -> None:
    votes = np.array([[0, 1, 0, 2, 0, 1]])
    shares = np.array([0.5, 0.25, 0.1])
    expected = [(3 - 1.5) / np.sqrt(0.75 + 1), (2 - 0.75) / np.sqrt(0.5625 + 1)]
    assert largest(votes, shares, 3) == pytest.approx([max(expected)])


def test_draws_are_without_replacement_and_even() -> None:
    chosen = different(6, 4, 6000, np.random.default_rng(0))
    assert all(len(set(row)) == 4 for row in chosen.tolist())
    # Each position in 4 of 6 draws; the standard deviation of the count is 37.
    assert np.abs(np.bincount(chosen.ravel()) - 4000).max() < 160


def test_without_images_or_null_nothing_stands_out() -> None:
    votes, units = torch.tensor([[0, 1]]), torch.tensor([0])
    found = stand_out(
        votes, units, torch.ones(1), votes, units, torch.ones(1), num_units=2, draws=99, seed=0
    )
    # Filter 0 has no null pairs of other filters, filter 1 has no images.
    assert found.p_values.tolist() == [1.0, 1.0]
    assert found.statistic.tolist() == [-1.0, -1.0]


def nothing_compared(num_units: int) -> Distinct:
    """Filters without a null."""
    nothing = torch.zeros(0, dtype=torch.float64)
    where = torch.zeros(0, dtype=torch.int64)
    statistic = torch.full((num_units,), -1.0, dtype=torch.float64)
    return Distinct(statistic, -statistic, where, where, nothing, nothing, nothing)


def test_every_word_is_held_against_the_largest_of_all_words() -> None:
    # Word 0 is in every image, chosen or not; word 3 only in the images of filter 0.
    own = torch.tensor([[0, 3]] * 8 + [[0, 1], [0, 2]] * 4)
    null = torch.tensor([[0, 1], [0, 2]] * 8)
    units = torch.arange(2).repeat_interleave(8)
    found = stand_out(
        own,
        units,
        torch.ones(len(units)),
        null,
        units,
        torch.ones(len(units)),
        num_units=2,
        draws=199,
        seed=0,
    )
    words = {
        (unit, word): (excess, p, by_chance)
        for unit, word, excess, p, by_chance in zip(
            *(column.tolist() for column in found[2:]), strict=True
        )
    }
    assert list(words) == [(0, 0), (0, 3), (1, 0), (1, 1), (1, 2)]
    assert words[0, 0] == (0.0, 1.0, 1.0)
    # Eight of sixteen pairs, the filter's own and those of the pool, vote for word 3.
    assert words[0, 3][0] == pytest.approx((8 - 4) / np.sqrt(8 * 0.5 * 0.5 + 1))
    assert words[0, 3][1:] == (1 / 200, 0.0)
    assert words[1, 1][2] == 0.5
    # A filter's own numbers are those of its best word.
    assert found.statistic.tolist() == [words[0, 3][0], max(words[1, w][0] for w in (0, 1, 2))]
    assert found.p_values.tolist() == [1 / 200, min(words[1, w][1] for w in (0, 1, 2))]


@pytest.mark.parametrize(("count", "words"), [(2, [3, 0]), (3, [0, 1, 3])])
def test_a_name_is_listed_however_few_votes_it_has(count: int, words: list[int]) -> None:
    votes = torch.tensor([[0, 1, 3]] * 2 + [[0, 1, 2]])
    units = torch.zeros(3, dtype=torch.int64)
    everywhere, seldom = 3 / 4, 1 / 20
    distinct = Distinct(
        statistic=torch.tensor([9.0], dtype=torch.float64),
        p_values=torch.tensor([0.01], dtype=torch.float64),
        units=torch.zeros(4, dtype=torch.int64),
        words=torch.arange(4),
        excess=torch.tensor([0.5, 0.5, 0.2, 9.0], dtype=torch.float64),
        word_p_values=torch.tensor([0.9, 0.9, 1.0, 0.01], dtype=torch.float64),
        by_chance=torch.tensor([everywhere, everywhere, everywhere, seldom], dtype=torch.float64),
    )
    ones = torch.ones(3, dtype=torch.float64)
    named = name_filters(
        torch.eye(4)[:3], votes, ones, units, WORDS, distinct, alpha=0.05, count=count
    )
    assert named.words.tolist() == [words]
    assert named.stands_out.tolist() == [[word == 3 for word in words]]
    assert named.by_chance.tolist() == [[seldom if word == 3 else everywhere for word in words]]
    assert named.shares.tolist() == [[2 / 3 if word == 3 else 1.0 for word in words]]


def test_words_are_ranked_by_votes_then_by_mean_cosine() -> None:
    directions = torch.tensor([[0.6, 0.8, 0, 0], [0.8, 0.6, 0, 0], [0, 1.0, 0, 0]])
    votes = torch.tensor([[0, 1], [0, 1], [2, 3]])
    units = torch.tensor([1, 1, 0])
    weights = torch.ones(3, dtype=torch.float64)
    named = name_filters(
        directions, votes, weights, units, WORDS, nothing_compared(3), alpha=0.05, count=2
    )
    assert not named.stands_out.any()
    # Filter 0: c and d have a vote and cosine 0 each, so the lower position; filter 2: no image.
    assert named.words.tolist() == [[2, 3], [0, 1], [-1, -1]]
    assert named.shares.tolist() == [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]
    assert named.scores[1].tolist() == pytest.approx([0.7, 0.7])
    weighted = name_filters(
        directions,
        torch.tensor([[0], [1], [2]]),
        torch.tensor([1.0, 3.0, 0.0]).double(),
        units,
        WORDS,
        nothing_compared(2),
        alpha=0.05,
        count=2,
    )
    assert weighted.words.tolist() == [[-1, -1], [1, 0]]
    assert weighted.shares[1].tolist() == [0.75, 0.25]


def test_votes_by_activation_are_whole_numbers() -> None:
    values = torch.tensor([0.9, 1.0, 2.7, -3.0])
    assert vote_weights(values, "activation").tolist() == [0, 1, 2, 0]
    assert vote_weights(values, "plain").tolist() == [1, 1, 1, 1]


def test_agreement_by_chance_is_the_mean_over_all_pairs() -> None:
    words = [frozenset({1, 2}), frozenset({3}), frozenset({4}), frozenset({1})]
    concepts = [frozenset({1}), frozenset({3, 7}), frozenset({5}), frozenset({1})]
    found = agreement_of(words, concepts, seed=0)
    assert found.observed.value == 0.75
    # Concept 1 is held by two lists, concept 3 by one, concept 5 by none, concept 1 by two.
    assert found.by_chance.value == 5 / 16
    assert found.by_chance.low is not None
    assert found.by_chance.high is not None
    assert 0.0 <= found.by_chance.low <= 5 / 16 <= found.by_chance.high <= 1.0
    same = agreement_of([frozenset({1})] * 3, [frozenset({1})] * 3, seed=0)
    assert same.by_chance.value == same.by_chance.low == same.by_chance.high == 1.0
    nothing = agreement_of([], [], seed=0)
    assert nothing.observed.reason
    assert nothing.by_chance.reason


def test_concepts_are_dealt_evenly_whatever_their_order() -> None:
    names = [f"concept {k}" for k in range(17)]
    part = dealt(names, 5, seed=2)
    assert sorted(torch.bincount(part).tolist()) == [3, 3, 3, 4, 4]
    assert dealt(names[::-1], 5, seed=2).flip(0).tolist() == part.tolist()
    assert dealt(names, 5, seed=3).tolist() != part.tolist()


def test_labels_do_not_repeat_before_all_were_shown() -> None:
    labels = {4: 8, 2: 8, 0: 7, 1: 7, 3: -1, 5: -1}
    order = [4, 2, 0, 1, 3, 5]
    assert varied(order, [labels[unit] for unit in range(6)]) == [4, 0, 3, 5, 2, 1]


def test_pairs_are_found_by_filter_and_row() -> None:
    here, there = joined(
        torch.tensor([0, 1, 2]), torch.tensor([5, 6, 7]), torch.tensor([2, 0]), torch.tensor([7, 5])
    )
    assert (here.tolist(), there.tolist()) == ([0, 2], [1, 0])
    none, _ = joined(*(torch.zeros(0, dtype=torch.int64) for _ in range(4)))
    assert none.tolist() == []


def test_entries_are_found_among_answers() -> None:
    answered = torch.tensor([[5, 3, 1], [1, 2, 3]])
    assert places(answered, torch.tensor([1, 5, 9])).tolist() == [[2, 0, 20], [0, 20, 20]]


def test_means_over_filters_have_the_interval_of_their_resamples() -> None:
    values = np.array([0.0] * 50 + [1.0] * 50)
    found = mean_estimate(values, resamples(100, seed=1))
    assert found.value == 0.5
    assert found.low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.02)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.02)
    assert mean_estimate(np.array([0.25]), resamples(1, seed=1)).low is None
    assert mean_estimate(np.array([]), resamples(0, seed=1)).reason
