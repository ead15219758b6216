"""Whether a filter's votes stand out from those for shuffled activations.

The pool holds votes of null pairs: a random image, seen under a filter's activations shuffled over
its places. What is common in the images, and what the explainer likes to say, is in the pool too.
For a filter with p images the statistic is the largest, over words w, of

    (X_w - p q_w) / sqrt(p q_w (1 - q_w) + 1)

with X_w the images that vote for w, and q_w the share of all pairs, the filter's own and those of
the pool, that do. The 1 keeps a single vote for a word that hardly anything votes for from standing
out.

For a filter that looks at nothing its own pairs are like any others, so its p-value comes from a
permutation test: p of all pairs are drawn without replacement, and the maximum over words is taken
again, so that choosing the best of many words is paid for (Westfall & Young, Resampling-based
multiple testing, 1993). It holds its level however small the pool is. A filter is compared with the
null pairs of the *other* filters, which share no activation with its own.

What an explainer says also depends on how much of an image it is shown: a filter that is active in
one place calls up other words than one that is active everywhere, whatever lies there. So each of
the filter's own pairs brings those `MATCHED` null pairs into the pool whose maps are carried by
most nearly as many places. Without that, 17 % of filters with shuffled images and places had names.

A word stands out by itself where its own statistic reaches what the maximum reaches in a share α of
the draws: the single-step maxT p-value of Westfall & Young, which bounds by α the chance that any
word of a filter that looks at nothing is taken for standing out.

Several null pairs may come from one random image, while a filter's own images all differ. Repeated
images make draws a little more extreme, never less: the test is careful where images are few.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auditor.measure.threads import spread

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

BLOCK = 1 << 21
"""Votes of draws that are counted at once."""


MATCHED = 8
"""Null pairs that each pair of a filter is compared with."""


class Distinct(NamedTuple):
    """How far each filter's votes stand out, and each of the V pairs of a filter and a word that
    one of its images votes for, by filter and then by word.

    Attributes:
        statistic: float64 [U], in standard errors; -1 where nothing could be compared.
        p_values: float64 [U]; 1 there.
        units: int64 [V], filter of each pair; filters that could not be compared have none.
        words: int64 [V], position of its word in the vocabulary.
        excess: float64 [V], the word's own statistic.
        word_p_values: float64 [V], maxT p-value of the word within its filter.
        by_chance: float64 [V], share of the null pairs in the pool that vote for the word.
    """

    statistic: Tensor
    p_values: Tensor
    units: Tensor
    words: Tensor
    excess: Tensor
    word_p_values: Tensor
    by_chance: Tensor


class Votes(NamedTuple):
    """Words of one filter, as columns of `Distinct`; `known` are positions among known words."""

    known: Positions
    excess: Floats
    p_values: Floats
    by_chance: Floats


def stand_out(
    votes: Tensor,
    units: Tensor,
    extents: Tensor,
    null_votes: Tensor,
    null_units: Tensor,
    null_extents: Tensor,
    *,
    num_units: int,
    draws: int,
    seed: int,
) -> Distinct:
    """Statistic and p-value, (1 + draws at least as large) / (1 + draws), of filters and words.

    Each image counts once, whatever the rule that ranks words.

    Args:
        votes: Words that each image votes for, int64 [N, s].
        units: Filter of each pair, int64 [N].
        extents: Places that carry its map, float32 [N].
        null_votes: The same of null pairs, int64 [N0, s].
        null_units: Filter whose activations were shuffled, int64 [N0].
        null_extents: Places that carry the shuffled map, float32 [N0].
        num_units: U.
        draws: Draws of the null.
        seed: Seed of the audit.
    """
    known, places = np.unique(
        np.concatenate([votes.numpy().ravel(), null_votes.numpy().ravel()]), return_inverse=True
    )
    own, pool = np.split(places.astype(np.int64), [votes.numel()])
    own, pool = own.reshape(votes.shape), pool.reshape(null_votes.shape)
    whose, others = units.numpy(), null_units.numpy()
    shown, blind = logarithms(extents), logarithms(null_extents)

    def one(unit: int) -> Votes:
        mine, rest = whose == unit, (others != unit).nonzero()[0]
        return words_of(
            own[mine],
            pool[rest[matched(shown[mine], blind[rest])]],
            num_words=len(known),
            draws=draws,
            generator=np.random.default_rng([seed & (2**63 - 1), unit]),
        )

    found = spread(one, range(num_units), device=torch.device("cpu"))
    sizes = [len(votes.known) for votes in found]
    position, excess, p_values, by_chance = (
        torch.from_numpy(np.concatenate(column)) for column in zip(*found, strict=True)
    )
    return Distinct(
        statistic=torch.tensor([max(votes.excess, default=-1.0) for votes in found]).double(),
        p_values=torch.tensor([min(votes.p_values, default=1.0) for votes in found]).double(),
        units=torch.arange(num_units).repeat_interleave(torch.tensor(sizes)),
        words=torch.from_numpy(known)[position],
        excess=excess,
        word_p_values=p_values,
        by_chance=by_chance,
    )


def logarithms(extents: Tensor) -> Floats:
    """Numbers of places by which pairs are matched: twice as many are as far off as half."""
    found: Floats = np.log(extents.double().clamp_min(1).numpy())
    return found


def words_of(
    mine: Positions,
    rest: Positions,
    *,
    num_words: int,
    draws: int,
    generator: np.random.Generator,
) -> Votes:
    """The words that a filter's images vote for, each against the maximum over words of draws.

    Args:
        mine: Votes of the filter's images, positions among the known words, [p, s].
        rest: Votes of the null pairs that they are compared with [N, s].
        num_words: Known words.
        draws: Draws of the null.
        generator: Its source of chance.
    """
    if not len(mine) or not len(rest):
        nothing = np.zeros(0)
        return Votes(np.zeros(0, np.int64), nothing, nothing, nothing)
    own, others = (np.bincount(votes.ravel(), minlength=num_words) for votes in (mine, rest))
    every = np.concatenate([mine, rest])
    shares = (own + others) / len(every)
    voted = own.nonzero()[0]
    excess = standardised(own[voted], shares[voted], len(mine))
    drawn = np.sort(drawn_statistics(every, shares, len(mine), draws, generator))
    as_large = draws - np.searchsorted(drawn, excess)
    return Votes(voted, excess, (1 + as_large) / (1 + draws), others[voted] / len(rest))


def matched(mine: Floats, rest: Floats) -> Positions:
    """The `MATCHED` of some numbers [N] nearest to each of mine [p], none of them twice.

    Each takes its nearest of those that the smaller ones before it have left.

    Returns:
        Positions among `rest`, ascending; all of them where there are no more than are asked for.
    """
    if len(rest) <= MATCHED * len(mine):
        return np.arange(len(rest))
    left = np.argsort(rest, kind="stable")
    taken = []
    for number in np.sort(mine):
        values = rest[left]
        # The nearest of sorted numbers stand side by side, around where this one would go.
        first = max(0, int(np.searchsorted(values, number)) - MATCHED)
        starts = np.arange(first, min(first + MATCHED, len(left) - MATCHED) + 1)
        far = np.maximum(number - values[starts], values[starts + MATCHED - 1] - number)
        start = int(starts[far.argmin()])
        taken.append(left[start : start + MATCHED])
        left = np.delete(left, np.s_[start : start + MATCHED])
    return np.sort(np.concatenate(taken)) if taken else np.arange(0)


def drawn_statistics(
    votes: Positions, shares: Floats, size: int, draws: int, generator: np.random.Generator
) -> Floats:
    """The statistic of draws of `size` different rows of votes [N, s], float64 [draws]."""
    at_once = max(1, BLOCK // (size * votes.shape[1]))
    found = []
    for start in range(0, draws, at_once):
        rows = min(at_once, draws - start)
        chosen = different(len(votes), size, rows, generator)
        found.append(largest(votes[chosen].reshape(rows, -1), shares, size))
    return np.concatenate(found)


def different(total: int, size: int, rows: int, generator: np.random.Generator) -> Positions:
    """`size` of `total` positions without replacement in each row, int64 [rows, size].

    Floyd's algorithm (Bentley & Floyd, CACM 1987), all rows side by side: it needs neither a
    permutation of all positions nor a second try.
    """
    chosen = np.full((rows, size), -1)
    for step in range(size):
        last = total - size + step
        drawn = generator.integers(last + 1, size=rows)
        taken = (chosen[:, :step] == drawn[:, None]).any(axis=1)
        chosen[:, step] = np.where(taken, last, drawn)
    return chosen


def largest(votes: Positions, shares: Floats, size: int) -> Floats:
    """The largest standardised number of votes among all words, one per row, float64 [B].

    Words without a vote never have the largest: votes and expectations have the same sum.

    Args:
        votes: Words voted for in each row, [B, size · s].
        shares: q_w, share of all pairs that vote for each word.
        size: Images behind each row.
    """
    ordered = np.sort(votes, axis=1)
    position = np.arange(ordered.shape[1])
    new = np.ones(ordered.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    start = np.maximum.accumulate(np.where(new, position, 0), axis=1)
    # Votes so far: the last place of each word has them all, and the value grows up to there.
    found: Floats = standardised(position - start + 1, shares[ordered], size).max(axis=1)
    return found


def standardised(counts: Positions, shares: Floats, size: int) -> Floats:
    """(X - p q) / sqrt(p q (1 - q) + 1), as above.

    Args:
        counts: X, images that vote for a word.
        shares: q, share of all pairs that vote for it, of the same shape.
        size: p, images in all.
    """
    found: Floats = (counts - size * shares) / np.sqrt(size * shares * (1 - shares) + 1)
    return found
