"""Votes of images for words, and the words of each filter. N pairs of a filter and an image.

Each image votes for the words nearest to what the explainer makes of it; a filter's words are
those with most of the votes of its most activating images (LaViSE, CVPR 2022, section 3.3). Words
that most images vote for anyway come first that often, so what a filter is called by are those of
its words that stand out (see `null`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from auditor.audits.filters.null import Distinct
from auditor.measure.explainer import top_words
from auditor.measure.multiplicity import benjamini_hochberg
from auditor.measure.vocabulary import Vocabulary

CHUNK = 1 << 16
"""Pairs of a filter and a word whose cosines are taken at once."""


class Named(NamedTuple):
    """Words of U filters, n each, best first.

    Attributes:
        words: int64 [U, n], positions in the vocabulary; -1 where fewer words got a vote.
        shares: float64 [U, n], votes of all that there could have been; 0 without a word.
        scores: float64 [U, n], mean cosine over the filter's images; 0 without a word.
        by_chance: float64 [U, n], share of null pairs that vote for it; 0 without a word.
        stands_out: bool [U, n], whether it stands out within its filter.
    """

    words: Tensor
    shares: Tensor
    scores: Tensor
    by_chance: Tensor
    stands_out: Tensor


def ballots(directions: Tensor, vocabulary: Vocabulary, count: int) -> Tensor:
    """The words that each image votes for, int64 [N, at most count], nearest first.

    Where a list of entities was given, no other word can be voted for; LaViSE's release removes
    them only after counting, which leaves some filters with few words.

    Args:
        directions: What the explainer makes of each image, float32 [N, D].
        vocabulary: The vocabulary.
        count: Words per image.
    """
    allowed = vocabulary.entities.nonzero().flatten()
    whole = len(allowed) == len(vocabulary.words)
    vectors = vocabulary.vectors if whole else vocabulary.vectors[allowed]
    _, words = top_words(directions, vectors, min(count, len(allowed)))
    return allowed[words]


def vote_weights(values: Tensor, rule: str) -> Tensor:
    """Votes of each image per word, float64 [N].

    Args:
        values: Largest activation of the filter in the image [N].
        rule: `plain`, one each; `activation`, the whole part of the activation, as LaViSE's release
            repeats words; below 1 that is none.
    """
    if rule == "plain":
        return torch.ones(len(values), dtype=torch.float64)
    return values.double().clamp_min(0).floor()


def name_filters(
    directions: Tensor,
    votes: Tensor,
    weights: Tensor,
    units: Tensor,
    vocabulary: Vocabulary,
    distinct: Distinct,
    *,
    alpha: float,
    count: int,
) -> Named:
    """Words by votes, then by mean cosine over all images of the filter, then by position.

    Where words of a filter stand out, but none of the first n, the one that stands out most goes
    before all others.

    Args:
        directions: float32 [N, D], rows of length 1.
        votes: Words that each image votes for, int64 [N, s].
        weights: How often each of its votes counts [N].
        units: Filter of each pair, int64 [N].
        vocabulary: The vocabulary.
        distinct: How far the same votes stand out.
        alpha: Level at which a word stands out within its filter.
        count: n.
    """
    num_words, num_units = len(vocabulary.words), len(distinct.statistic)
    cast = (units.unsqueeze(1) * num_words + votes).flatten()
    keys, place = torch.unique(cast, return_inverse=True)
    repeated = weights.unsqueeze(1).expand(votes.shape).flatten()
    totals = torch.zeros(len(keys), dtype=torch.float64).index_add_(0, place, repeated)
    keys, totals = keys[totals > 0], totals[totals > 0]
    unit, word = keys // num_words, keys % num_words
    scores = mean_cosines(mean_directions(directions, units, num_units), unit, word, vocabulary)
    # Stable sorts from the last criterion to the first; keys come by filter and position.
    order = torch.argsort(scores, descending=True, stable=True)
    order = order[torch.argsort(totals[order], descending=True, stable=True)]
    order = order[torch.argsort(unit[order], stable=True)]
    unit, word, totals, scores = unit[order], word[order], totals[order], scores[order]
    excess, by_chance, clear = worth(unit * num_words + word, distinct, num_words, alpha)
    rank = torch.arange(len(unit)) - torch.searchsorted(unit, unit)
    rank = clear_first(unit, rank, excess, clear, num_units=num_units, count=count)
    kept = rank < count
    at = (unit[kept], rank[kept])
    possible = torch.zeros(num_units, dtype=torch.float64).index_add_(0, units, weights)

    def table(values: Tensor, empty: float) -> Tensor:
        found = torch.full((num_units, count), empty, dtype=values.dtype)
        found[at] = values[kept]
        return found

    return Named(
        words=table(word, -1),
        shares=table(totals / possible[unit], 0.0),
        scores=table(scores, 0.0),
        by_chance=table(by_chance, 0.0),
        stands_out=table(clear, False),
    )


def worth(
    keys: Tensor, distinct: Distinct, num_words: int, alpha: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Own statistic, share by chance and whether it stands out, one each per filter and word.

    Args:
        keys: unit · W + word of each pair; pairs that were not compared never stand out.
        distinct: What was compared.
        num_words: W.
        alpha: Level.
    """
    here, there = joined_keys(keys, distinct.units * num_words + distinct.words)
    excess = torch.full((len(keys),), -torch.inf, dtype=torch.float64)
    by_chance = torch.zeros(len(keys), dtype=torch.float64)
    clear = torch.zeros(len(keys), dtype=torch.bool)
    excess[here], by_chance[here] = distinct.excess[there], distinct.by_chance[there]
    clear[here] = distinct.word_p_values[there] <= alpha
    return excess, by_chance, clear


def joined_keys(keys: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of keys that are known, and where: `keys[here] == known[there]`.

    Args:
        keys: int64 [N].
        known: int64 [V], ascending, each once.
    """
    there = torch.searchsorted(known, keys)
    here = (there < len(known)).nonzero().flatten()
    here = here[known[there[here]] == keys[here]]
    return here, there[here]


def clear_first(
    unit: Tensor,
    rank: Tensor,
    excess: Tensor,
    clear: Tensor,
    *,
    num_units: int,
    count: int,
) -> Tensor:
    """Ranks in which a filter with words that stand out has one of them among its first ones.

    Args:
        unit: Filter of each word, ascending, int64 [V].
        rank: Rank of the word within its filter, from 0.
        excess: The word's own statistic.
        clear: Whether it stands out.
        num_units: U.
        count: Words that are kept.
    """
    listed = torch.zeros(num_units, dtype=torch.bool)
    listed[unit[clear & (rank < count)]] = True
    rank = rank.clone()
    for each in torch.unique(unit[clear & ~listed[unit]]).tolist():
        own = (unit == each).nonzero().flatten()
        best = own[excess[own].argmax()]
        rank[own[rank[own] < rank[best]]] += 1
        rank[best] = 0
    return rank


def mean_directions(directions: Tensor, units: Tensor, num_units: int) -> Tensor:
    """Mean direction over each filter's images, float64 [U, D]; zero without images."""
    total = torch.zeros(num_units, directions.shape[1], dtype=torch.float64)
    total.index_add_(0, units, directions.double())
    size = torch.bincount(units, minlength=num_units).clamp_min(1)
    return total / size.unsqueeze(1)


def mean_cosines(means: Tensor, units: Tensor, words: Tensor, vocabulary: Vocabulary) -> Tensor:
    """Mean cosine of filters' images with words, float64, one per pair of a filter and a word."""
    found = [
        (means[unit] * vocabulary.vectors[word].double()).sum(1)
        for unit, word in zip(torch.split(units, CHUNK), torch.split(words, CHUNK), strict=True)
    ]
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64)


def adjusted(p_values: Tensor, tested: Tensor) -> tuple[float | None, ...]:
    """p-values after Benjamini-Hochberg over the tested filters; None for the others."""
    pairs = zip(p_values.tolist(), tested.tolist(), strict=True)
    return benjamini_hochberg([p if made else None for p, made in pairs])


def varied(order: Sequence[int], labels: Sequence[int]) -> list[int]:
    """The same filters, those first whose label none before them has.

    Args:
        order: Filters, best first.
        labels: Label of every filter, such as its top word; -1 is no label and never repeats.
    """
    seen: set[int] = set()
    fresh: list[int] = []
    repeated: list[int] = []
    for unit in order:
        known = labels[unit] in seen
        (repeated if known else fresh).append(unit)
        if labels[unit] >= 0:
            seen.add(labels[unit])
    return [*fresh, *repeated]
