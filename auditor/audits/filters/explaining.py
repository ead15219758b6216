"""The solve `explained`: explainers fitted, filters named, ways of showing an image compared.

reference   which concepts are audited, and their words              reference.py
fits        one explainer per part of images and concepts, one more  fitting.py
named       votes, words, and whether they stand out                 naming.py, null.py
scores      recall and precision of four ways of showing an image    recall.py
chosen      what is shown with pictures, what is masked in pixels    here
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from auditor.audits.filters.fitting import answers, fit_all, image_parts
from auditor.audits.filters.naming import (
    Named,
    adjusted,
    ballots,
    name_filters,
    varied,
    vote_weights,
)
from auditor.audits.filters.needs import MASKED
from auditor.audits.filters.null import Distinct, stand_out
from auditor.audits.filters.overlaps import best_of_filters
from auditor.audits.filters.recall import Asked, Scores, joined, score
from auditor.audits.filters.reference import Reference, dealt, reference_of, why_no_words
from auditor.audits.filters.spec import ExplainerSpec, FiltersSpec
from auditor.audits.filters.states import (
    ExplainedState,
    RegionsState,
    SelectedState,
)
from auditor.context import Context
from auditor.measure.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Given:
    """What the solve starts from, where words are possible."""

    spec: FiltersSpec
    recipe: ExplainerSpec
    selected: SelectedState
    regions: RegionsState
    reference: Reference
    vocabulary: Vocabulary
    seed: int


class Chosen(NamedTuple):
    """What is looked at again.

    Attributes:
        rows: Rows of the images, ascending, int64 [R].
        cards: Filters that are shown, int64 [D].
        masked: Evaluated filters whose images are masked in pixels, int64 [D1].
    """

    rows: Tensor
    cards: Tensor
    masked: Tensor


def explained_state(
    spec: FiltersSpec,
    context: Context,
    selected: SelectedState,
    regions: RegionsState,
    vocabulary: Vocabulary | None,
) -> ExplainedState:
    """Words of every filter and how far they can be trusted; without words, what to show.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        selected: Thresholds and chosen pairs of a filter and an image.
        regions: Overlaps, and features to learn from and to answer about.
        vocabulary: The vocabulary; None where the audit looks for no words.
    """
    reference = reference_of(spec, context, regions, vocabulary)
    if (
        spec.explainer is None
        or vocabulary is None
        or why_no_words(spec, regions, reference, vocabulary) is not None
    ):
        return without_words(spec, context, selected, regions, reference)
    given = Given(spec, spec.explainer, selected, regions, reference, vocabulary, seed=context.seed)
    names = [context.concepts[concept].name for concept in reference.learnable.tolist()]
    parts = dealt(names, given.recipe.folds, seed=given.seed)
    fits = fit_all(
        given.recipe, regions, reference.learnable, reference.vectors, parts, seed=given.seed
    )
    named, distinct = named_filters(given, fits.weights[-1])
    scores = compared(given, fits.weights, fits.best, parts)
    chosen = chosen_images(spec, selected, card_order(given, named, distinct), masking=True)
    held_out = torch.full((len(context.concepts),), -1)
    held_out[reference.learnable] = parts
    return ExplainedState(
        rows=chosen.rows,
        cards=chosen.cards,
        masked=chosen.masked,
        words=named.words,
        shares=named.shares,
        scores=named.scores,
        by_chance=named.by_chance,
        stands_out=named.stands_out,
        statistic=distinct.statistic,
        p_values=distinct.p_values,
        held_out=held_out,
        weights=fits.weights,
        history=fits.history,
        best=fits.best,
        recall=scores.recall,
        precision=scores.precision,
        num_pairs=scores.num_pairs,
    )


def named_filters(given: Given, weights: Tensor) -> tuple[Named, Distinct]:
    """Words of every filter by the explainer that saw everything, and whether they stand out."""
    naming, regions, vocabulary = given.spec.naming, given.regions, given.vocabulary
    num_units, num_dimensions = len(given.selected.alive), vocabulary.vectors.shape[1]
    directions = answers(given.recipe, weights, regions.pair_features, num_dimensions)
    votes = ballots(directions, vocabulary, naming.words_per_image)
    null = answers(given.recipe, weights, regions.null_features, num_dimensions)
    distinct = stand_out(
        votes,
        regions.pair_unit,
        regions.pair_extent,
        ballots(null, vocabulary, naming.words_per_image),
        regions.null_unit,
        regions.null_extent,
        num_units=num_units,
        draws=naming.draws,
        seed=given.seed,
    )
    named = name_filters(
        directions,
        votes,
        vote_weights(pair_values(given.selected, regions), naming.votes),
        regions.pair_unit,
        vocabulary,
        distinct,
        alpha=naming.alpha,
        count=naming.words,
    )
    return named, distinct


def pair_values(selected: SelectedState, regions: RegionsState) -> Tensor:
    """Largest activation of the filter in the image of each pair that was read, float32 [S]."""
    values = torch.zeros(len(regions.pair_unit))
    here, there = joined(regions.pair_unit, regions.pair_row, selected.pair_unit, selected.pair_row)
    values[here] = selected.pair_value[there]
    return values


def compared(given: Given, weights: Tensor, best: Tensor, parts: Tensor) -> Scores:
    """Recall and precision of the evaluated filters under four ways of showing an image."""
    regions = given.regions
    asked = asked_about(
        given.recipe,
        given.reference,
        regions,
        given.selected.evaluated,
        regions.other_unit,
        regions.other_row,
        regions.other_features,
    )
    return score(
        given.recipe,
        weights,
        best,
        parts,
        asked,
        given.reference,
        given.vocabulary,
        num_filters=len(given.selected.evaluated),
    )


def asked_about(
    recipe: ExplainerSpec,
    reference: Reference,
    regions: RegionsState,
    evaluated: Tensor,
    unit: Tensor,
    row: Tensor,
    features: Tensor,
) -> Asked:
    """Pairs of evaluated filters with what is true of them.

    Args:
        recipe: Of the explainers.
        reference: The concepts.
        regions: What is true of each pair, and the part of its image.
        evaluated: The filters, ascending, int64 [E].
        unit: Filter of each pair, int64 [N].
        row: Row of its image, int64 [N].
        features: What the explainer is shown, float32 [N, M, d].
    """
    here, there = joined(unit, row, regions.pair_unit, regions.pair_row)
    return Asked(
        torch.searchsorted(evaluated, unit[here]),
        image_parts(regions.pair_bucket[there], recipe.folds),
        regions.pair_truth[there][:, reference.learnable],
        features[here],
    )


def card_order(given: Given, named: Named, distinct: Distinct) -> list[int]:
    """Living filters, the most distinctly named first, each name once before any repeats."""
    alive, statistic = given.selected.alive, distinct.statistic.tolist()
    corrected = adjusted(distinct.p_values, alive & (distinct.statistic >= 0))
    alpha = given.spec.naming.alpha
    order = sorted(alive.nonzero().flatten().tolist(), key=lambda unit: (-statistic[unit], unit))
    tops = called_first(named).tolist()
    clear = [unit for unit in order if (p := corrected[unit]) is not None and p <= alpha]
    others = [unit for unit in order if unit not in set(clear)]
    return [*varied(clear, tops), *varied(others, tops)]


def called_first(named: Named) -> Tensor:
    """The first word of each filter that stands out, else its first word, int64 [U]; -1 without."""
    first = named.stands_out.to(torch.uint8).argmax(1, keepdim=True)
    return named.words.gather(1, first).squeeze(1)


def without_words(
    spec: FiltersSpec,
    context: Context,
    selected: SelectedState,
    regions: RegionsState,
    reference: Reference,
) -> ExplainedState:
    """What is shown where filters get no words: those that overlap a concept most."""
    num_units, num_concepts = len(selected.alive), len(context.concepts)
    best = best_of_filters(spec, context, regions, reference.audited)
    ious = best.iou.tolist()
    order = sorted(
        selected.alive.nonzero().flatten().tolist(), key=lambda unit: (-ious[unit], unit)
    )
    chosen = chosen_images(spec, selected, varied(order, best.concept.tolist()), masking=False)
    nothing = torch.full((len(selected.evaluated), 4, 2, 3, 3), -1.0, dtype=torch.float64)
    no_words = (num_units, spec.naming.words)
    return ExplainedState(
        rows=chosen.rows,
        cards=chosen.cards,
        masked=chosen.masked,
        words=torch.full(no_words, -1),
        shares=torch.zeros(no_words, dtype=torch.float64),
        scores=torch.zeros(no_words, dtype=torch.float64),
        by_chance=torch.zeros(no_words, dtype=torch.float64),
        stands_out=torch.zeros(no_words, dtype=torch.bool),
        statistic=torch.full((num_units,), -1.0, dtype=torch.float64),
        p_values=torch.ones(num_units, dtype=torch.float64),
        held_out=torch.full((num_concepts,), -1),
        weights=torch.zeros(0, 0),
        history=torch.zeros(0, 0, 2, dtype=torch.float64),
        best=torch.zeros(0, dtype=torch.int64),
        recall=nothing,
        precision=nothing.clone(),
        num_pairs=torch.zeros(len(selected.evaluated), 3, dtype=torch.int64),
    )


def chosen_images(
    spec: FiltersSpec, selected: SelectedState, order: list[int], *, masking: bool
) -> Chosen:
    """Images of the first filters for cards, and all images of the filters that are masked.

    Args:
        spec: How many.
        selected: Pairs of a filter and an image, most activating first.
        order: Filters, best first.
        masking: Whether masking in pixels is compared at all.
    """
    cards = torch.tensor(order[: spec.cards.filters], dtype=torch.int64)
    masked = selected.evaluated[: MASKED if masking else 0]
    first = torch.searchsorted(selected.pair_unit, selected.pair_unit)
    rank = torch.arange(len(first)) - first
    shown = torch.isin(selected.pair_unit, cards) & (rank < spec.cards.images)
    wanted = shown | torch.isin(selected.pair_unit, masked)
    return Chosen(torch.unique(selected.pair_row[wanted]), cards, masked)
