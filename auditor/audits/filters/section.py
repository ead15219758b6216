"""What a reader learns from the filter audit, as plain data in plain words.

The template `sections/filters.html.jinja` arranges these values and adds no wording that depends
on a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.audits.filters import figures
from auditor.audits.filters.cards import NAMED, Card, first_words, make_cards
from auditor.audits.filters.limits import limits
from auditor.audits.filters.result import FiltersResult
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.tables import (
    ConceptRow,
    FilterRow,
    RecallRow,
    concept_row,
    filter_row,
    recall_rows,
)
from auditor.audits.filters.trust import trust
from auditor.audits.filters.words import (
    CANDIDATES,
    SCOPES,
    detected,
    detectors,
    noun,
    quoted,
    with_outcome,
)
from auditor.drawing import Drawing
from auditor.people import Human, review_lines
from auditor.results.base import Verdict
from auditor.results.finding import Finding
from auditor.wording import (
    VERDICTS,
    count,
    counted,
    number,
    percent,
    plain,
    sentence,
    shortened,
)


@dataclass(frozen=True)
class Check:
    """One finding in a line: verdict as a word and a shape, claim, id."""

    kind: Verdict
    word: str
    claim: str
    id: str


@dataclass(frozen=True)
class FiltersSection:
    """Everything that the section's template shows."""

    asked: tuple[str, ...]
    reading: tuple[tuple[str, str], ...]
    result: str
    problems: tuple[str, ...]
    overview: Drawing
    concepts: Drawing | None
    checks: tuple[Check, ...]
    cards: tuple[Card, ...]
    novel: bool
    """Whether a novel word stands on a card, so that the mark needs its legend."""
    worded: bool
    """Whether the audit looked for words."""
    recall: Drawing | None
    trust: tuple[str, ...]
    """Whether the words can be trusted, in sentences."""
    brief: tuple[RecallRow, ...]
    """Recall on all concepts among the annotated ones."""
    recalls: tuple[tuple[str, tuple[RecallRow, ...]], ...]
    """What answers were chosen from, and everything measured of recall and precision then."""
    meaning: tuple[str, ...]
    actions: tuple[str, ...]
    filters: tuple[FilterRow, ...]
    concept_rows: tuple[ConceptRow, ...]
    categories: bool
    """Whether concepts have categories."""
    unknown: str
    """Concepts that the vocabulary lacks, in a sentence; empty where there are none."""
    limits: tuple[str, ...]
    noun: str
    """What the layer's units are called: `filter` or `unit`."""
    named_by_people: bool
    """Whether the table holds names in quotes, so that these need a word."""
    key: str
    """What the units come from, as the review file names it; empty where that is unknown."""
    snippet: str


def make_section(
    *,
    audit: str,
    spec: FiltersSpec,
    result: FiltersResult,
    findings: Sequence[Finding],
    active: NDArray[np.bool_],
    people: Mapping[int, Human],
    key: str | None,
) -> FiltersSection:
    """Turn a result into what its section shows.

    Args:
        audit: Id of the audit; anchors begin with it.
        spec: The audit's spec.
        result: Its result.
        findings: Its findings.
        active: Active pixels [N, g, g'] of the pictures; N = 0 where the run kept none.
        people: Unit -> what a person said about it.
        key: What the units come from, as a review file names it; None where that is unknown.
    """
    cards = make_cards(audit, result, active, people)
    shown = {card.unit for card in cards}
    worded = result.attention is not None
    return FiltersSection(
        asked=asked(result),
        reading=reading(spec, result),
        result=summary(result),
        problems=tuple(sentence(plain(problem)) for problem in result.problems),
        overview=figures.overview(result),
        concepts=figures.concepts(result),
        checks=tuple(
            Check(f.verdict, VERDICTS[f.verdict], sentence(plain(f.claim)), f.id) for f in findings
        ),
        cards=cards,
        novel=any(bar.novel for card in cards for bar in card.bars)
        or any("*" in card.further for card in cards),
        worded=worded,
        recall=figures.recall(result),
        trust=trust(result),
        brief=recall_rows(result, "concepts", ("all",)),
        recalls=tuple(
            (words, rows)
            for candidates, words in CANDIDATES.items()
            if (rows := recall_rows(result, candidates, SCOPES))
        ),
        meaning=meaning(result),
        actions=actions(result, findings),
        filters=tuple(
            filter_row(unit, audit, shown, people.get(unit.unit)) for unit in result.filters
        ),
        concept_rows=tuple(concept_row(concept, worded=worded) for concept in result.concepts),
        categories=any(concept.category for concept in result.concepts),
        unknown=unknown(result),
        limits=limits(spec, result),
        noun=noun(result),
        named_by_people=any(unit.unit in people for unit in result.filters),
        key=key or "",
        snippet=review_lines(key, people, [card.unit for card in cards], suggested(result)),
    )


def suggested(result: FiltersResult) -> dict[int, str]:
    """Unit -> a name to start from: its words that stand out."""
    return {unit.unit: first_words(unit.name, NAMED) for unit in result.filters if unit.name}


def asked(result: FiltersResult) -> tuple[str, ...]:
    many = f"A layer consists of many {noun(result)}s. "
    does = (
        "Each one goes over the picture and responds where it finds what it is tuned to, be it a "
        "colour, a wheel or a face. "
        if result.start is None
        else "Each one answers the picture as a whole with one number, large where it finds what "
        "it is tuned to. "
    )
    annotated = (
        f", in {count(result.num_annotated)} of which people have marked where something is."
        if result.num_annotated
        else "."
    )
    return (
        f"What does the inside of the network look at? {many}{does}Knowing them shows what the "
        "network has learnt to see, and whether it looks at things that should not matter.",
        f"Looked at: the {counted(len(result.filters), noun(result))} of the layer "
        f"“{plain(result.layer)}” of {plain(result.network)}, on "
        f"{counted(result.num_images, 'picture')} of the split “{plain(result.split)}”{annotated}",
    )


def reading(spec: FiltersSpec, result: FiltersResult) -> tuple[tuple[str, str], ...]:
    one = noun(result)
    worded = (
        (
            "Words",
            f"The {counted(spec.naming.images, 'picture')} that activate a {one} most are given "
            f"to a second network, the explainer, which was fitted to put parts of pictures into "
            f"words. Each picture votes for {counted(spec.naming.words_per_image, 'word')}. The "
            f"{count(result.num_words)} words to choose from come from "
            f"{plain(result.vocabulary or 'the vocabulary')}.",
        ),
        (
            "No name",
            f"Not every {one} deserves a word. A {one} has a name only where its words stand out "
            "from those that shuffled activations give. It is called by the words that do: a word "
            "that most pictures vote for anyway says nothing of it.",
        ),
        (
            "Novel word",
            "A word for which there is no annotated concept. It can be right, and nothing in "
            "the annotations can confirm it.",
        ),
        (
            "Recall",
            f"Of the concepts that a {one} truly overlaps in a picture, the share that the "
            "explainer finds among its first answers. It says how far the words can be trusted.",
        ),
    )
    compared = (
        (
            "Intersection over union",
            f"How well the places where a {one} is active fit the regions that people marked as "
            "one concept: the area that both share, divided by the area that either covers. "
            "1 is a perfect fit, 0 means that they never meet.",
        ),
        (
            "Detector",
            f"A {one} whose intersection over union with a concept is above "
            f"{number(result.detector)}, on all pictures and on pictures that the concept was not "
            f"chosen on. {one.capitalize()}s are coarse, so even good ones stay far below 1.",
        ),
    )
    return (
        (
            "Active",
            f"A {one} is active in the {percent(result.share, 1)} of all places in which it "
            "responds most strongly.",
        ),
        *(compared if result.concepts else ()),
        *(worded if result.attention is not None else ()),
        (
            "Numbers in brackets",
            "The range in which the true value lies with 95 % confidence, given the pictures that "
            "were looked at.",
        ),
    )


def summary(result: FiltersResult) -> str:
    total = len(result.filters)
    found = []
    if result.attention is not None:
        named = len(with_outcome(result, "named"))
        found.append(
            f"Of {counted(total, noun(result))}, {count(named)} ({percent(share(named, total))}) "
            "have words that stand out."
        )
    if result.concepts:
        some, different = len(detectors(result)), len(detected(result))
        of = "" if found else f" of {counted(total, noun(result))}"
        found.append(
            f"{count(some)}{of} detect an annotated concept, "
            f"{counted(different, 'concept')} in all."
            if some
            else "None detects an annotated concept."
        )
    dead = len(with_outcome(result, "dead"))
    if dead:
        found.append(f"{count(dead)} {'is' if dead == 1 else 'are'} never active.")
    return " ".join(found) or f"{counted(total, noun(result))} were looked at."


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def meaning(result: FiltersResult) -> tuple[str, ...]:
    one = noun(result)
    last = " What counts for the decision other audits of this report ask."
    found = [
        f"A {one} that looks at something does not yet decide by it: later layers weigh {one}s "
        f"against each other.{last}"
    ]
    if rows := detected(result):
        found.append(
            f"The layer separates {shortened(quoted([name for name, _ in rows]), 6)} from the "
            f"rest of a picture, though nobody marked it in training. Several {one}s for one "
            "concept mean that the network spends much of the layer on it."
        )
    if no_name := len(with_outcome(result, "no_name")):
        found.append(
            f"{counted(no_name, one)} without a name may respond to several things at once, "
            "or to something that has no word. That is usual, most of all in early layers."
        )
    if dead := len(with_outcome(result, "dead")):
        found.append(
            f"{counted(dead, one)} that {'is' if dead == 1 else 'are'} never active on these "
            "pictures carry nothing here. That does no harm to the decision."
        )
    return tuple(found)


def actions(result: FiltersResult, findings: Sequence[Finding]) -> tuple[str, ...]:
    """What the findings ask for, each thing once."""
    found = [sentence(plain(action)) for f in findings for action in f.actions]
    found.append(
        f"Look at the pictures of a {noun(result)} before its words are used anywhere: a word is "
        "right only if the outlined parts show it."
    )
    return tuple(dict.fromkeys(found))


def unknown(result: FiltersResult) -> str:
    names = [concept.name for concept in result.concepts if concept.rule == "unknown"]
    if not names:
        return ""
    have, take = ("has", "takes") if len(names) == 1 else ("have", "take")
    return (
        f"{counted(len(names), 'concept')} {have} no word in the vocabulary and {take} no part in "
        f"naming and recall: {', '.join(quoted(names))}. The spec can name words "
        "for them under “concepts” of the vocabulary."
    )
