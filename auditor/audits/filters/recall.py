"""How well the explainer finds the concepts that a filter really overlaps (LaViSE, section 4.2).

A concept is true for a filter and an image where the filter's active pixels overlap its region
(`pair_truth`). Every image is answered by the explainer that never saw it. Recall is the share of
true concepts among the first k answers, precision the share of true ones among these answers: mean
over images with a true concept, then over filters. Filters are resampled for intervals, the same
resamples for all ways of showing an image, so that differences between these are paired.

N pairs, L concepts, E filters, M methods. Only audited concepts with a word count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auditor.audits.filters.fitting import answers
from auditor.audits.filters.reference import Reference
from auditor.audits.filters.result import Candidates, Method, RecallResult, Scope
from auditor.audits.filters.spec import ExplainerSpec
from auditor.measure.explainer import top_words
from auditor.measure.intervals import percentile
from auditor.measure.vocabulary import Vocabulary
from auditor.results.estimate import Estimate

Floats = NDArray[np.float64]

KS = (5, 10, 20)
SCOPES: tuple[Scope, ...] = ("all", "seen", "held_out")
CANDIDATES: tuple[Candidates, ...] = ("concepts", "vocabulary")

RESAMPLES = 1000
LEVEL = 0.95
WHOLE: Method = "original"
"""What other ways of showing an image are compared with: nothing of the filter is in it."""


class Asked(NamedTuple):
    """Pairs of a filter and an image that explainers are asked about.

    Attributes:
        filters: Position among the E filters, int64 [N].
        parts: Part of the image: the explainer of this number never saw it, int64 [N].
        truth: True concepts, bool [N, L].
        features: What the explainer is shown, one way after the other, float32 [N, M, d].
    """

    filters: Tensor
    parts: Tensor
    truth: Tensor
    features: Tensor


class Scores(NamedTuple):
    """Means over the images of each filter, -1 where none has a true concept.

    Attributes:
        recall: float64 [E, M, 2, 3, 3], by candidates, scope and k.
        precision: float64 [E, M, 2, 3, 3].
        num_pairs: int64 [E, 3], images with a true concept, by scope.
    """

    recall: Tensor
    precision: Tensor
    num_pairs: Tensor


def joined(
    unit: Tensor, row: Tensor, known_unit: Tensor, known_row: Tensor
) -> tuple[Tensor, Tensor]:
    """Which pairs of a filter and an image are among known ones, and where.

    Returns:
        Positions of the pairs that are known, int64 [n], and their positions among the known, [n].
    """
    at = {
        pair: k for k, pair in enumerate(zip(known_unit.tolist(), known_row.tolist(), strict=True))
    }
    found = [
        (k, at[pair])
        for k, pair in enumerate(zip(unit.tolist(), row.tolist(), strict=True))
        if pair in at
    ]
    both = torch.tensor(found, dtype=torch.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def ranks(
    directions: Tensor, reference: Reference, vocabulary: Vocabulary
) -> tuple[Tensor, Tensor]:
    """The place of each concept among the answers, from 0; `KS[-1]` where it is not among them.

    Args:
        directions: What the explainer makes of each image, float32 [N, D].
        reference: The concepts.
        vocabulary: The words.

    Returns:
        Among annotated concepts and among all words, int64 [N, L] each. A concept that stands for
        several words is an entry of its own behind the words.
    """
    most, vectors = KS[-1], reference.vectors
    _, answered = top_words(directions, vectors, most)
    concepts = torch.arange(len(vectors))
    several = [k for k, words in enumerate(reference.words) if len(words) > 1]
    scores, words = top_words(directions, vocabulary.vectors, most)
    entries = torch.tensor([words[0] for words in reference.words], dtype=torch.int64)
    if several:
        extra, which = top_words(directions, vectors[several], most)
        behind = len(vocabulary.words)
        entries[several] = behind + torch.arange(len(several))
        order = torch.cat([scores, extra], 1).argsort(dim=1, descending=True, stable=True)
        order = order[:, :most]
        words = torch.cat([words, behind + which], 1).gather(1, order)
    return places(answered, concepts), places(words, entries)


def places(answered: Tensor, entries: Tensor) -> Tensor:
    """Where each of L entries stands in rows of answers [N, n], int64 [N, L]."""
    found = torch.full((len(answered), len(entries)), KS[-1])
    for place in reversed(range(answered.shape[1])):
        found[answered[:, place : place + 1] == entries] = place
    return found


def score(
    spec: ExplainerSpec,
    weights: Tensor,
    best: Tensor,
    held_out: Tensor,
    asked: Asked,
    reference: Reference,
    vocabulary: Vocabulary,
    *,
    num_filters: int,
) -> Scores:
    """Recall and precision of every filter.

    Args:
        spec: Of the explainers.
        weights: Theirs, float32 [F + 1, P].
        best: Epoch that each kept, -1 where none could be fitted; its images are not asked about.
        held_out: The explainer that never saw each concept, int64 [L].
        asked: The pairs.
        reference: The concepts.
        vocabulary: The words.
        num_filters: E.
    """
    num_methods = asked.features.shape[1]
    shape = (num_methods, len(CANDIDATES), len(SCOPES), len(KS))
    recall, precision = (torch.zeros(num_filters, *shape, dtype=torch.float64) for _ in range(2))
    num_pairs = torch.zeros(num_filters, len(SCOPES), dtype=torch.int64)
    sizes = (len(reference.vectors), len(vocabulary.words))
    for part in (best[:-1] >= 0).nonzero().flatten().tolist():
        chosen = (asked.parts == part).nonzero().flatten()
        filters, features = asked.filters[chosen], asked.features[chosen]
        seen = held_out != part
        masks = torch.stack([torch.ones_like(seen), seen, ~seen])
        truth = asked.truth[chosen].unsqueeze(1) & masks
        num_true = truth.sum(2).double()
        num_pairs.index_add_(0, filters, (num_true > 0).long())
        for method in range(num_methods):
            shown = features[:, method]
            directions = answers(spec, weights[part], shown, vocabulary.vectors.shape[1])
            for c, rank in enumerate(ranks(directions, reference, vocabulary)):
                for n, k in enumerate(KS):
                    hits = (truth & (rank < k).unsqueeze(1)).sum(2).double()
                    among = hits / min(k, sizes[c])
                    recall[:, method, c, :, n].index_add_(0, filters, hits / num_true.clamp_min(1))
                    precision[:, method, c, :, n].index_add_(0, filters, among)
    size = num_pairs.reshape(num_filters, 1, 1, len(SCOPES), 1)
    means = [(total / size.clamp_min(1)).where(size > 0, -1.0) for total in (recall, precision)]
    return Scores(means[0], means[1], num_pairs)


def summarised(
    scores: Scores, methods: Sequence[Method], whole: Tensor | None, *, seed: int
) -> tuple[RecallResult, ...]:
    """Means over filters with intervals, for every method, candidates, scope and k.

    Args:
        scores: Of M methods.
        methods: Their names.
        whole: Recall with whole images on the same pairs, float64 [E, 2, 3, 3], which differences
            are taken from; None where there is none.
        seed: Seed of the resamples.
    """
    found = []
    for s, scope in enumerate(SCOPES):
        counted = scores.num_pairs[:, s] > 0
        drawn = resamples(int(counted.sum()), seed=seed)
        num_pairs = int(scores.num_pairs[:, s].sum())
        for m, method in enumerate(methods):
            for c, candidates in enumerate(CANDIDATES):
                for n, k in enumerate(KS):
                    at = (counted, m, c, s, n)
                    recall, precision = scores.recall[at].numpy(), scores.precision[at].numpy()
                    base = None if whole is None else whole[counted, c, s, n].numpy()
                    found.append(
                        RecallResult(
                            method=method,
                            candidates=candidates,
                            scope=scope,
                            k=k,
                            recall=mean_estimate(recall, drawn),
                            precision=mean_estimate(precision, drawn),
                            difference=None
                            if base is None or method == WHOLE
                            else mean_estimate(recall - base, drawn),
                            num_filters=len(recall),
                            num_pairs=num_pairs,
                        )
                    )
    return tuple(found)


def resamples(size: int, *, seed: int) -> Floats:
    """How often each of so many filters is in each bootstrap resample [RESAMPLES, size]."""
    if size == 0:
        return np.zeros((RESAMPLES, 0))
    generator = np.random.default_rng([seed & (2**63 - 1), size])
    counts = generator.multinomial(size, np.full(size, 1 / size), size=RESAMPLES)
    return counts.astype(np.float64)


def mean_estimate(values: Floats, drawn: Floats) -> Estimate:
    """Mean over filters, with the percentile interval of their resamples.

    One filter resamples to itself: its value has no interval.
    """
    if not len(values):
        return Estimate.absent("no filter overlaps such a concept", num_samples=0)
    mean = float(values.mean())
    if len(values) == 1:
        return Estimate(value=mean, num_samples=1)
    _, low, high = percentile(mean, drawn @ values / len(values), level=LEVEL)
    # Rounding must not push an end past the value.
    return Estimate(
        value=mean,
        low=min(low, mean),
        high=max(high, mean),
        level=LEVEL,
        method="bootstrap over filters",
        num_samples=len(values),
    )
