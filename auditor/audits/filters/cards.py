"""One filter at length: its words with their votes, its concept, and where it is active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.audits.filters.result import (
    CardResult,
    FilterResult,
    FiltersResult,
    MatchResult,
    WordResult,
)
from auditor.audits.filters.words import noun, overlap, quoted
from auditor.drawing import Tile
from auditor.people import KINDS, Human, said_by
from auditor.wording import (
    count,
    counted,
    number,
    p_value,
    percent,
    plain,
    sentence,
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
        clear: Whether it stands out from what shuffled activations give.
        share: Share of the votes, in words.
        length: The same from 0 to 100, relative to the longest of the card.
        chance: Share that shuffled activations give, in words.
        tick: The same from 0 to 100.
        score: Mean cosine, in words.
    """

    word: str
    novel: bool
    clear: bool
    share: str
    length: float
    chance: str
    tick: float
    score: str


@dataclass(frozen=True, eq=False)
class Card:
    """One filter as the report shows it at length."""

    anchor: str
    unit: int
    title: str
    words: str
    """What a person calls it, else its first words that stand out."""
    mark: str
    """`no name` or `never active`, where it has none."""
    rows: tuple[tuple[Tile, ...], ...]
    bars: tuple[WordBar, ...]
    further: str
    """Words beyond those with bars."""
    told: tuple[str, ...]
    """Sentences: who calls it what, on its words, on its concept, on whether both agree."""


def make_cards(
    audit: str,
    result: FiltersResult,
    active: NDArray[np.bool_],
    people: Mapping[int, Human],
) -> tuple[Card, ...]:
    """The filters that are shown with pictures, in the order of the result.

    Args:
        audit: Id of the audit; anchors begin with it.
        result: Its result.
        active: Active pixels [N, g, g'] of all pictures; N = 0 where the run kept none.
        people: Unit -> what a person said about it.
    """
    units = {unit.unit: unit for unit in result.filters}
    return tuple(
        make_card(audit, units[card.unit], card, active, noun(result), people.get(card.unit))
        for card in result.cards
        if card.unit in units
    )


def make_card(
    audit: str,
    unit: FilterResult,
    card: CardResult,
    active: NDArray[np.bool_],
    called: str,
    said: Human | None,
) -> Card:
    """One card; `called` is what the layer's units are called, such as `filter`."""
    tiles = picture_tiles(unit, card, active, called)
    title = f"{called.capitalize()} {unit.unit}"
    told = (
        *human_told(title, said),
        words_told(unit, called),
        concept_told(unit.match),
        agreement(unit),
    )
    return Card(
        anchor=f"{audit}-filter-{unit.unit}",
        unit=unit.unit,
        title=title,
        words=f"“{plain(said.name)}”" if said else first_words(unit.name, NAMED),
        mark={"no_name": "no name", "dead": "never active"}.get(unit.outcome, ""),
        rows=tuple(tiles[i : i + PER_ROW] for i in range(0, len(tiles), PER_ROW)),
        bars=word_bars(shown_words(unit)),
        further=further(unit),
        told=tuple(filter(None, told)),
    )


def human_told(title: str, said: Human | None) -> tuple[str, ...]:
    """Who calls it what, and whether it should matter."""
    if said is None:
        return ()
    found = [f"{title} is called “{plain(said.name)}” by a person{said_by(said)}."]
    if said.kind:
        found.append(f"Their judgement: {KINDS[said.kind]} ({said.kind}).")
    if said.comment:
        found.append(sentence(plain(said.comment)))
    return (" ".join(found),)


def shown_words(unit: FilterResult) -> tuple[WordResult, ...]:
    """Words with bars, most votes first; those that stand out go before others for a place."""
    places = sorted(range(len(unit.words)), key=lambda k: (not unit.words[k].stands_out, k))
    return tuple(unit.words[k] for k in sorted(places[:BARS]))


def word_bars(words: Sequence[WordResult]) -> tuple[WordBar, ...]:
    """One bar per word, all to the same scale."""
    most = max((max(word.share, word.by_chance) for word in words), default=0.0) or 1.0
    return tuple(
        WordBar(
            word=plain(word.word),
            novel=word.novel,
            clear=word.stands_out,
            share=percent(word.share),
            length=round(100 * word.share / most, 1),
            chance=percent(word.by_chance),
            tick=round(100 * word.by_chance / most, 1),
            score=number(word.score),
        )
        for word in words
    )


def first_words(words: Sequence[WordResult], limit: int) -> str:
    """`cup, handle, mug`."""
    return ", ".join(quoted([word.word for word in words[:limit]]))


def further(unit: FilterResult) -> str:
    """Words without a bar, those apart that do not stand out."""
    bars = shown_words(unit)
    rest = [word for word in unit.words if word not in bars]
    found = []
    for words, clear in (("Also", True), ("Not beyond chance", False)):
        some = quoted([w.word + "*" * w.novel for w in rest if w.stands_out == clear])
        if some:
            found.append(f"{words}: {', '.join(some)}.")
    return " ".join(found)


def words_told(unit: FilterResult, called: str) -> str:
    """Whether its words are a name."""
    p = unit.p_adjusted.value
    after = f" (p {sign(p)}{p_value(p)} after correction)" if p is not None else ""
    match unit.outcome:
        case "named":
            some, listed = len(unit.name), len(unit.words)
            return (
                f"{count(some)} of the {counted(listed, 'word')} listed "
                f"{'stands' if some == 1 else 'stand'} out from what shuffled activations "
                f"give{after}."
            )
        case "no_name":
            kept = ", so they are listed only for the record" if unit.words else ""
            return (
                f"This {called} has no name: its words do not stand out from those that shuffled "
                f"activations give{after}{kept}."
            )
        case "dead":
            return f"This {called} is never active on these pictures."
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
        f", and {overlap(match.held_out)} on pictures that it was not chosen on"
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
        f"union {overlap(match.iou)}{held}. {counts}"
    )


def agreement(unit: FilterResult) -> str:
    """Whether words and concept say the same; only where both do say something."""
    if unit.agrees is None or unit.outcome != "named":
        return ""
    if unit.agrees:
        return "Words and annotation agree: the concept is among the words that stand out."
    return "Words and annotation differ: the concept is not among the words that stand out."


def picture_tiles(
    unit: FilterResult, card: CardResult, active: NDArray[np.bool_], called: str
) -> tuple[Tile, ...]:
    """The most activating pictures, each with its active region where the run kept one."""
    told = f"{called} {unit.unit}"
    if unit.name:
        told += f" ({first_words(unit.name, NAMED)})"
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
