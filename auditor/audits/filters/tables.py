"""The rows of the filter audit's tables: every filter, every concept, every recall."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from auditor.audits.filters.cards import NAMED, first_words
from auditor.audits.filters.result import (
    Candidates,
    ConceptResult,
    FilterResult,
    FiltersResult,
    RecallResult,
    Scope,
)
from auditor.audits.filters.words import (
    KS,
    METHODS,
    OUTCOMES,
    RULES,
    SCOPES,
    overlap,
    quoted,
    recalls,
)
from auditor.people import Human
from auditor.results.estimate import Estimate
from auditor.wording import ABSENT, count, number, p_value, plain


@dataclass(frozen=True)
class FilterRow:
    """One line of the table of all filters."""

    unit: str
    words: str
    outcome: str
    p: str
    concept: str
    iou: str
    held_out: str
    detector: str
    agrees: str
    threshold: str
    target: str | None
    """Anchor of the card that shows the filter with pictures."""


@dataclass(frozen=True)
class ConceptRow:
    """One line of the table of all concepts."""

    name: str
    category: str
    images: str
    audited: str
    words: str
    rule: str
    detectors: str


@dataclass(frozen=True)
class RecallRow:
    """One way of showing a picture: recall and precision of its first answers."""

    method: str
    naming: bool
    """Whether the filters were named this way."""
    scope: str
    recalls: tuple[str, ...]
    precisions: tuple[str, ...]
    filters: str
    pairs: str


def filter_row(
    unit: FilterResult, audit: str, shown: Collection[int], said: Human | None
) -> FilterRow:
    """One filter; a person's name in quotes, and words that do not stand out in brackets."""
    words = first_words(unit.name or unit.words, NAMED)
    if words and not unit.name:
        words = f"({words})"
    if said is not None:
        words = " · ".join(filter(None, (f"“{plain(said.name)}”", words)))
    match = unit.match
    return FilterRow(
        unit=str(unit.unit),
        words=words or ABSENT,
        outcome=OUTCOMES[unit.outcome],
        p=p_value(unit.p_adjusted.value),
        concept=plain(match.concept) if match else ABSENT,
        iou=overlap(match.iou) if match else ABSENT,
        held_out=number(match.held_out.value, 3) if match else ABSENT,
        detector=ABSENT if match is None else "yes" if match.detector else "no",
        agrees=ABSENT if unit.agrees is None else "yes" if unit.agrees else "no",
        threshold=number(unit.threshold),
        target=f"{audit}-filter-{unit.unit}" if unit.unit in shown else None,
    )


def concept_row(concept: ConceptResult, *, worded: bool) -> ConceptRow:
    """One concept and the words it stands for."""
    return ConceptRow(
        name=plain(concept.name),
        category=plain(concept.category or ""),
        images=count(concept.num_images),
        audited="yes" if concept.audited else "too few photos",
        words=", ".join(quoted(concept.words)) or ABSENT,
        rule=RULES.get(concept.rule, plain(concept.rule)) if worded else ABSENT,
        detectors=count(concept.num_detectors) if concept.audited else ABSENT,
    )


def recall_rows(
    result: FiltersResult, candidates: Candidates, scopes: Iterable[Scope]
) -> tuple[RecallRow, ...]:
    """Every way of showing a picture, scope after scope, where all three k were measured."""
    found = []
    for scope in scopes:
        by_k = [recalls(result, candidates, scope, k) for k in KS]
        for method in METHODS:
            rows = [row for each in by_k if (row := each.get(method)) is not None]
            if len(rows) == len(KS):
                found.append(recall_row(result, rows))
    return tuple(found)


def recall_row(result: FiltersResult, rows: list[RecallResult]) -> RecallRow:
    first = rows[0]
    return RecallRow(
        method=METHODS[first.method],
        naming=first.method == result.attention,
        scope=SCOPES[first.scope],
        recalls=tuple(in_percent(row.recall) for row in rows),
        precisions=tuple(in_percent(row.precision) for row in rows),
        filters=count(first.num_filters),
        pairs=count(first.num_pairs),
    )


def in_percent(estimate: Estimate) -> str:
    """`62 (58 to 66)`: the heading of the column says percent."""
    if estimate.value is None:
        return ABSENT
    text = number(100 * estimate.value, 0)
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} ({number(100 * estimate.low, 0)} to {number(100 * estimate.high, 0)})"
