"""A vocabulary in memory, and which of its words a concept stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch


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
        rules: Per concept how its words were found: `spec`, `whole`, `stem`, `parts` or `unknown`.
    """

    words: tuple[tuple[int, ...], ...]
    vectors: torch.Tensor
    rules: tuple[str, ...]


def match_concepts(
    concepts: Sequence[str], vocabulary: Vocabulary, named: Mapping[str, Sequence[str]]
) -> Matched:
    """The words of each concept, by the first rule that finds some.

        spec     the spec names the words
        whole    the name is a word, as it stands or with spaces, `_` or `-` between its parts, or
                 without upper case
        stem     so is the name without the endings that COCO adds (-merged, -other, -stuff)
        parts    every part of the stem is a word: the mean of their directions
        unknown  otherwise; the concept is left out and listed

    Args:
        concepts: Names of concepts.
        vocabulary: The vocabulary.
        named: Concept -> words, as the spec says; words that the vocabulary lacks make the concept
            unknown.
    """
    raise NotImplementedError
