"""A vocabulary in memory, and which of its words a concept stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

Rule = Literal["spec", "whole", "stem", "parts", "unknown"]
"""How the words of a concept were found; see `match_concepts`."""

ENDINGS = re.compile(r"([-_ ](merged|other|stuff))+$", re.IGNORECASE)
"""Endings by which COCO marks leftovers and stuff, such as `sky-other-merged`."""

SEPARATORS = re.compile(r"[\s_-]+")
"""What stands between the parts of a name."""

JOINERS = ("_", " ", "-")
"""What files put between the parts of a phrase, the usual ones first."""


@dataclass(frozen=True)
class Vocabulary:
    """Words with their directions.

    Attributes:
        words: Different words, in the order of the file.
        vectors: float32 [W, D], rows of length 1.
        entities: bool [W], the words that a filter may be named with; all where no list was given.
        problems: What was noticed while it was read, such as words without a direction.
    """

    words: tuple[str, ...]
    vectors: torch.Tensor
    entities: torch.Tensor
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matched:
    """Concepts in the space of a vocabulary.

    Attributes:
        words: Per concept, positions of the words it stands for; empty where none is known.
        vectors: float32 [C, D], mean of the words' directions, length 1; zero where unknown.
        rules: Per concept how its words were found.
    """

    words: tuple[tuple[int, ...], ...]
    vectors: torch.Tensor
    rules: tuple[Rule, ...]


class Lookup:
    """Positions of words, however their parts are joined and whatever is upper case."""

    def __init__(self, words: Iterable[str]) -> None:
        self._exact = {word: index for index, word in enumerate(words)}
        self._lower: dict[str, int] = {}
        for word, index in self._exact.items():
            self._lower.setdefault(word.lower(), index)

    def find(self, name: str) -> int | None:
        """Position of a word: as it stands, else with other joints, else in any case."""
        forms = spellings(name)
        for form in forms:
            if form in self._exact:
                return self._exact[form]
        for form in forms:
            if form.lower() in self._lower:
                return self._lower[form.lower()]
        return None


def spellings(name: str) -> tuple[str, ...]:
    """A name as it stands, and with each joint between its parts."""
    parts = [part for part in SEPARATORS.split(name) if part]
    return tuple(dict.fromkeys((name, *(joiner.join(parts) for joiner in JOINERS))))


def match_concepts(
    concepts: Sequence[str], vocabulary: Vocabulary, named: Mapping[str, Sequence[str]]
) -> Matched:
    """The words of each concept, by the first rule that finds some.

        spec     the spec names the words
        whole    the name is a word: as it stands, else with `_`, a space or `-` between its parts,
                 else in other capitals
        stem     so is the name without the endings that COCO adds (-merged, -other, -stuff)
        parts    every part of the stem is a word: the mean of their directions, as LaViSE splits
                 names of several words
        unknown  otherwise; the concept is left out and listed

    Args:
        concepts: Names of concepts.
        vocabulary: The vocabulary.
        named: Concept -> words, as the spec says; words that the vocabulary lacks make the concept
            unknown, and so does an empty list.
    """
    lookup = Lookup(vocabulary.words)
    vectors = torch.zeros(len(concepts), vocabulary.vectors.shape[1])
    words: list[tuple[int, ...]] = []
    rules: list[Rule] = []
    for row, concept in enumerate(concepts):
        rule, found = words_of(concept, lookup, named.get(concept))
        # Sums of float64: directions that cancel each other out leave none to go in.
        mean = vocabulary.vectors[list(found)].double().sum(dim=0)
        length = float(mean.norm())
        if length <= 1e-6:
            rule, found = "unknown", ()
        else:
            vectors[row] = (mean / length).float()
        words.append(found)
        rules.append(rule)
    return Matched(tuple(words), vectors, tuple(rules))


def words_of(
    concept: str, lookup: Lookup, named: Sequence[str] | None
) -> tuple[Rule, tuple[int, ...]]:
    """The rule and the words of one concept."""
    stem = ENDINGS.sub("", concept)
    tries: list[tuple[Rule, Sequence[str]]] = (
        [("spec", named)]
        if named is not None
        else [
            ("whole", [concept]),
            ("stem", [stem]),
            ("parts", [part for part in SEPARATORS.split(stem) if part]),
        ]
    )
    for rule, names in tries:
        found = [lookup.find(name) for name in names]
        known = tuple(dict.fromkeys(index for index in found if index is not None))
        if known and None not in found:
            return rule, known
    return "unknown", ()
