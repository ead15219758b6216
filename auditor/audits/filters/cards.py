"""One filter at length: its words with their votes, its concept, and where it is active."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.audits.filters.result import CardResult, FilterResult, FiltersResult, MatchResult
from auditor.audits.filters.words import quoted
from auditor.drawing import Tile
from auditor.wording import (
    listing,
    number,
    p_value,
    percent,
    plain,
    with_interval,
)

BARS = 5
"""Words that a card shows with bars; the others are listed."""

PER_ROW = 6
"""Pictures side by side."""

NAMED = 3
"""Words in a heading or a table."""


@dataclass(frozen=True)
class WordBar:
    """One word of a filter.

    Attributes:
        word: The word.
        novel: Whether it stands for none of the annotated concepts.
        share: Share of the votes, in words.
        length: The same from 0 to 100, relative to the most voted word of the card.
        score: Mean cosine, in words.
    """

    word: str
    novel: bool
    share: str
    length: float
    score: str


@dataclass(frozen=True, eq=False)
class Card:
    """One filter as the report shows it at length."""

    anchor: str
    unit: int
    title: str
    words: str
    """Its first words, where it has a name."""
    mark: str
    """`no name` or `never active`, where it has none."""
    rows: tuple[tuple[Tile, ...], ...]
    bars: tuple[WordBar, ...]
    further: str
    """Words beyond those with bars."""
    told: tuple[str, ...]
    """Sentences: on its words, on its concept, on whether both agree."""


def make_cards(audit: str, result: FiltersResult, active: NDArray[np.bool_]) -> tuple[Card, ...]:
    """The filters that are shown with pictures, in the order of the result.

    Args:
        audit: Id of the audit; anchors begin with it.
        result: Its result.
        active: Active pixels [N, g, g'] of all pictures; N = 0 where the run kept none.
    """
    units = {unit.unit: unit for unit in result.filters}
    return tuple(
        make_card(audit, units[card.unit], card, active)
        for card in result.cards
        if card.unit in units
    )


def make_card(audit: str, unit: FilterResult, card: CardResult, active: NDArray[np.bool_]) -> Card:
    named = unit.outcome == "named"
    most = max((word.share for word in unit.words), default=0.0)
    tiles = picture_tiles(unit, card, active)
    return Card(
        anchor=f"{audit}-filter-{unit.unit}",
        unit=unit.unit,
        title=f"Filter {unit.unit}",
        words=first_words(unit, NAMED) if named else "",
        mark={"no_name": "no name", "dead": "never active"}.get(unit.outcome, ""),
        rows=tuple(tiles[i : i + PER_ROW] for i in range(0, len(tiles), PER_ROW)),
        bars=tuple(
            WordBar(
                word=plain(word.word),
                novel=word.novel,
                share=percent(word.share),
                length=round(100 * word.share / most, 1) if most > 0 else 0.0,
                score=number(word.score),
            )
            for word in unit.words[:BARS]
        ),
        further=further(unit),
        told=tuple(filter(None, (words_told(unit), concept_told(unit.match), agreement(unit)))),
    )


def first_words(unit: FilterResult, limit: int) -> str:
    """`cup, handle, mug`."""
    return ", ".join(quoted([word.word for word in unit.words[:limit]]))


def further(unit: FilterResult) -> str:
    rest = unit.words[BARS:]
    if not rest:
        return ""
    return f"Then {listing(quoted([w.word + ('*' if w.novel else '') for w in rest]))}."


def words_told(unit: FilterResult) -> str:
    """Whether its words are a name."""
    p = unit.p_adjusted.value
    after = f" (p {sign(p)}{p_value(p)} after correction)" if p is not None else ""
    match unit.outcome:
        case "named":
            return f"Its words stand out from those that shuffled activations give{after}."
        case "no_name":
            listed = ", so they are listed only for the record" if unit.words else ""
            return (
                "This filter has no name: its words do not stand out from those that shuffled "
                f"activations give{after}{listed}."
            )
        case "dead":
            return "This filter is never active on these pictures."
        case "not_tried":
            return "No words were looked for."


def sign(p: float) -> str:
    """`= ` before a number; `< 0.001` brings its own sign."""
    return "" if p < 0.001 else "= "


def concept_told(match: MatchResult | None) -> str:
    """Which annotated concept it overlaps most, and whether that counts."""
    if match is None:
        return "No annotated concept could be compared with it."
    held = (
        f", and {with_interval(match.held_out)} on pictures that it was not chosen on"
        if match.held_out.value is not None
        else ""
    )
    counts = (
        "That is enough to call it a detector."
        if match.detector
        else "That is too little, or too unsure, to call it a detector."
    )
    return (
        f"Of the annotated concepts it overlaps “{plain(match.concept)}” most: intersection over "
        f"union {with_interval(match.iou)}{held}. {counts}"
    )


def agreement(unit: FilterResult) -> str:
    """Whether words and concept say the same; only where both do say something."""
    if unit.agrees is None or unit.outcome != "named":
        return ""
    if unit.agrees:
        return "Words and annotation agree: the concept is among the words."
    return "Words and annotation differ: the concept is not among the words."


def picture_tiles(
    unit: FilterResult, card: CardResult, active: NDArray[np.bool_]
) -> tuple[Tile, ...]:
    """The most activating pictures, each with its active region where the run kept one."""
    told = f"filter {unit.unit}"
    if unit.outcome == "named":
        told += f" ({first_words(unit, NAMED)})"
    found = []
    for k, (image, value) in enumerate(zip(card.images, card.activations, strict=True)):
        region = active[card.first + k] if len(active) else None
        covers = (
            f"; it is active in {percent(float(region.mean()))} of it" if region is not None else ""
        )
        found.append(
            Tile(
                image,
                f"Picture that activates {told} to {number(value)}{covers}.",
                number(value),
                outline=region,
            )
        )
    return tuple(found)
