"""Vocabularies: words with vectors, in which filters are named. `source` tells the kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from auditor.spec.base import SpecModel, Text


class VocabularyBase(SpecModel):
    """What every vocabulary declares."""

    title: Text = ""
    """The vocabulary as the report names it."""
    concepts: dict[str, tuple[str, ...]] = {}
    """Concept of the dataset -> the words that it stands for; several words are averaged, and an
    empty list leaves the concept without words. A concept that is not listed stands for the word
    of its name, or for the words that its name is made of; `auditor words` shows which."""
    entities: str | None = None
    """Text file with one word per line: filters are named with these words alone."""


class FileVocabulary(VocabularyBase):
    """What every vocabulary file has in common."""

    path: str
    """The file."""
    max_words: int | None = Field(default=None, ge=1)
    """Only the first words of the file: they are the most frequent ones."""


class TextVocabulary(FileVocabulary):
    """Text vectors: one word per line and its numbers, as GloVe and word2vec write them."""

    source: Literal["text"]
    """Kind of vocabulary."""


class NpzVocabulary(FileVocabulary):
    """NumPy archive with `words` and `vectors`."""

    source: Literal["npz"]
    """Kind of vocabulary."""
    words_key: str = "words"
    """Name of the array of words."""
    vectors_key: str = "vectors"
    """Name of the array of vectors [W, D]."""


class SafetensorsVocabulary(FileVocabulary):
    """safetensors file with one array of vectors, and a text file with one word per line."""

    source: Literal["safetensors"]
    """Kind of vocabulary."""
    words: str
    """Text file with one word per line, in the order of the rows."""
    vectors_key: str = "vectors"
    """Name of the array of vectors [W, D]."""


class SentenceVocabulary(VocabularyBase):
    """A sentence-transformers model from a local folder and a list of words (extra `text`)."""

    source: Literal["sentence_transformers"]
    """Kind of vocabulary."""
    folder: str
    """Folder of the model; nothing is downloaded."""
    words: str
    """Text file with one word or phrase per line."""


class EverydayVocabulary(VocabularyBase):
    """The small vocabulary that ships with the package; its vectors are made, not learnt."""

    source: Literal["everyday"]
    """Kind of vocabulary."""


VocabularySpec = Annotated[
    TextVocabulary
    | NpzVocabulary
    | SafetensorsVocabulary
    | SentenceVocabulary
    | EverydayVocabulary,
    Field(discriminator="source"),
]
