"""Votes of images for words, and the words of each filter. N pairs of a filter and an image.

Each image votes for the words nearest to what the explainer makes of it; a filter's words are
those with most of the votes of its most activating images (LaViSE, CVPR 2022, section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

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
    """

    words: Tensor
    shares: Tensor
    scores: Tensor


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
    *,
    num_units: int,
    count: int,
) -> Named:
    """Words by votes, then by mean cosine over all images of the filter, then by position.

    Args:
        directions: float32 [N, D], rows of length 1.
        votes: Words that each image votes for, int64 [N, s].
        weights: How often each of its votes counts [N].
        units: Filter of each pair, int64 [N].
        vocabulary: The vocabulary.
        num_units: U.
        count: n.
    """
    num_words = len(vocabulary.words)
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
    rank = torch.arange(len(unit)) - torch.searchsorted(unit, unit)
    kept = rank < count
    possible = torch.zeros(num_units, dtype=torch.float64).index_add_(0, units, weights)
    named = Named(
        torch.full((num_units, count), -1),
        torch.zeros(num_units, count, dtype=torch.float64),
        torch.zeros(num_units, count, dtype=torch.float64),
    )
    at = (unit[kept], rank[kept])
    named.words[at] = word[kept]
    named.shares[at] = totals[kept] / possible[unit[kept]]
    named.scores[at] = scores[kept]
    return named


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
