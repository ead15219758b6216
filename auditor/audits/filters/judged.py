"""Every filter and every concept, judged: names, matches, and whether the two agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from auditor.audits.filters.agreement import Agreement, agreement_of
from auditor.audits.filters.naming import adjusted
from auditor.audits.filters.overlaps import best_of_filters, detects, estimates
from auditor.audits.filters.reference import Reference
from auditor.audits.filters.result import (
    ConceptResult,
    FilterOutcome,
    FilterResult,
    MatchResult,
    RecallResult,
    WordResult,
)
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.states import ExplainedState, RegionsState, SelectedState
from auditor.context import Context
from auditor.measure.vocabulary import Vocabulary
from auditor.results.estimate import Estimate
from auditor.wording import counted, shortened

SHOWN = 20
"""Concepts that a remark lists before it stops."""


class Judged(NamedTuple):
    """Everything that filters are judged by.

    Attributes:
        spec: The audit's spec.
        context: What it may know of the rest.
        selected: Thresholds.
        regions: Overlaps.
        explained: Words.
        reference: Concepts and their words.
        vocabulary: Words; None without.
        reason: Why there are no words; None where there are.
    """

    spec: FiltersSpec
    context: Context
    selected: SelectedState
    regions: RegionsState
    explained: ExplainedState
    reference: Reference
    vocabulary: Vocabulary | None
    reason: str | None


def filter_results(judged: Judged) -> tuple[FilterResult, ...]:
    """Every filter of the layer."""
    alive = judged.selected.alive.tolist()
    explained = judged.explained
    tested = judged.selected.alive & (explained.statistic >= 0)
    corrected = adjusted(explained.p_values, tested)
    best = best_of_filters(judged.spec, judged.context, judged.regions, judged.reference.audited)
    found = []
    for unit, lives in enumerate(alive):
        match = None
        concept = int(best.concept[unit])
        if lives and concept >= 0:
            match = match_result(judged, concept, *estimates(best, unit))
        outcome, numbers = named_or_not(judged, unit, lives, corrected[unit])
        words = word_results(judged, unit) if lives and not judged.reason else ()
        found.append(
            FilterResult(
                unit=unit,
                outcome=outcome,
                threshold=float(judged.selected.thresholds[unit]) if lives else None,
                peak=float(judged.selected.peak[unit]),
                words=words,
                statistic=numbers[0],
                p_value=numbers[1],
                p_adjusted=numbers[2],
                match=match,
                agrees=agrees(judged, unit, concept) if match and outcome == "named" else None,
            )
        )
    return tuple(found)


def match_result(judged: Judged, concept: int, whole: Estimate, held_out: Estimate) -> MatchResult:
    """The concept that a filter overlaps most."""
    known = judged.context.concepts[concept]
    return MatchResult(
        concept=known.name,
        category=known.category,
        iou=whole,
        held_out=held_out,
        detector=detects(judged.spec, whole, held_out),
    )


def named_or_not(
    judged: Judged, unit: int, alive: bool, p_adjusted: float | None
) -> tuple[FilterOutcome, tuple[Estimate, Estimate, Estimate]]:
    """What came of a filter: statistic, p-value and adjusted p-value, or why there are none."""
    reason = "the filter is never active" if not alive else judged.reason
    if reason is None and p_adjusted is None:
        reason = "none of its images could be compared with the null"
    if reason is not None or p_adjusted is None:
        nothing = Estimate.absent(reason or "")
        outcome: FilterOutcome = "dead" if not alive else "not_tried"
        if alive and judged.reason is None:
            outcome = "no_name"
        return outcome, (nothing, nothing, nothing)
    draws = judged.spec.naming.draws
    numbers = (
        Estimate(value=float(judged.explained.statistic[unit])),
        Estimate(
            value=float(judged.explained.p_values[unit]), method="monte carlo", num_samples=draws
        ),
        Estimate(value=p_adjusted, method="benjamini-hochberg"),
    )
    return "named" if p_adjusted <= judged.spec.naming.alpha else "no_name", numbers


def word_results(judged: Judged, unit: int) -> tuple[WordResult, ...]:
    """The words of a filter, most votes first."""
    explained, vocabulary = judged.explained, judged.vocabulary
    known = judged.reference.known_words
    if vocabulary is None:
        return ()
    columns = (
        explained.words[unit],
        explained.shares[unit],
        explained.by_chance[unit],
        explained.stands_out[unit],
        explained.scores[unit],
    )
    return tuple(
        WordResult(
            word=vocabulary.words[word],
            share=share,
            by_chance=by_chance,
            stands_out=stands_out,
            score=score,
            novel=word not in known,
        )
        for word, share, by_chance, stands_out, score in zip(
            *(column.tolist() for column in columns), strict=True
        )
        if word >= 0
    )


def concept_words(judged: Judged, concept: int) -> frozenset[int]:
    """Positions of the words of a concept; empty without any."""
    matched = judged.reference.matched
    return frozenset(matched.words[concept] if matched else ())


def agrees(judged: Judged, unit: int, concept: int) -> bool | None:
    """Whether a filter's name holds a word of a concept; None where the concept has none."""
    meant = concept_words(judged, concept)
    return bool(meant & name_of(judged, unit)) if meant else None


def name_of(judged: Judged, unit: int) -> frozenset[int]:
    """Positions of the words of a filter that stand out."""
    explained = judged.explained
    return frozenset(explained.words[unit][explained.stands_out[unit]].tolist())


def agreement_among(judged: Judged, filters: Sequence[FilterResult]) -> Agreement:
    """Agreement of words and annotations among detectors with a name."""
    position = {concept.name: k for k, concept in enumerate(judged.context.concepts)}
    named, meant = [], []
    for one in filters:
        if one.agrees is not None and one.match is not None and one.match.detector:
            named.append(name_of(judged, one.unit))
            meant.append(concept_words(judged, position[one.match.concept]))
    return agreement_of(named, meant, seed=judged.context.seed)


def concept_results(judged: Judged, filters: Sequence[FilterResult]) -> tuple[ConceptResult, ...]:
    """Every annotated concept."""
    reference, vocabulary = judged.reference, judged.vocabulary
    matches = [one.match.concept for one in filters if one.match and one.match.detector]
    found = []
    for k, concept in enumerate(judged.context.concepts):
        words = sorted(concept_words(judged, k))
        found.append(
            ConceptResult(
                name=concept.name,
                category=concept.category,
                words=tuple(vocabulary.words[word] for word in words) if vocabulary else (),
                rule=reference.matched.rules[k] if reference.matched else "none",
                num_images=int(reference.num_images[k]),
                audited=bool(reference.audited[k]),
                num_detectors=matches.count(concept.name),
            )
        )
    return tuple(found)


def remarks(judged: Judged, recall: Sequence[RecallResult]) -> tuple[str, ...]:
    """What a reader should know."""
    spec, reference = judged.spec, judged.reference
    names = [concept.name for concept in judged.context.concepts]
    found = list(judged.vocabulary.problems) if judged.vocabulary else []
    if judged.reason and spec.explainer is not None:
        found.append(f"Filters have no words: {judged.reason}.")
    rare = [name for name, kept in zip(names, reference.audited.tolist(), strict=True) if not kept]
    if rare:
        photos = counted(spec.dissection.min_images, "photo")
        found.append(f"In fewer than {photos}, and left out: {shortened(rare, SHOWN)}.")
    if reference.matched is not None:
        audited = reference.audited.tolist()
        words = reference.matched.words
        unknown = [n for n, a, w in zip(names, audited, words, strict=True) if a and not w]
        if unknown:
            found.append(
                f"Without a word in the vocabulary, and not learnt from: "
                f"{shortened(unknown, SHOWN)}."
            )
    if recall:
        found.append(
            "Ways of showing a picture are compared on the same "
            f"{counted(len(judged.selected.evaluated), 'filter')}, chosen at random; masking in "
            f"pixels on {counted(len(judged.explained.masked), 'filter')} of these."
        )
    if recall and bool((judged.explained.best[:-1] < 0).any()):
        found.append(
            "Some parts of the images have too few regions of concepts to learn from without them: "
            "recall leaves them out."
        )
    return tuple(found)
