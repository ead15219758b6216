"""The one way from a vocabulary of the spec to words and vectors."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from auditor.adapters.vocabularies.collect import with_entities
from auditor.adapters.vocabularies.everyday import open_everyday
from auditor.adapters.vocabularies.npz import open_npz
from auditor.adapters.vocabularies.safetensors import open_safetensors
from auditor.adapters.vocabularies.sentence_transformers import open_sentences
from auditor.adapters.vocabularies.text import open_text
from auditor.measure.vocabulary import Vocabulary
from auditor.spec.vocabulary import (
    EverydayVocabulary,
    NpzVocabulary,
    SafetensorsVocabulary,
    SentenceVocabulary,
    TextVocabulary,
    VocabularySpec,
)


def open_vocabulary(spec: VocabularySpec) -> Vocabulary:
    """Open a vocabulary: every word once, every vector a direction.

    Raises:
        InputError: A file is missing, damaged, or does not hold words with vectors of one length.
        MissingDependencyError: The package that it needs is not installed.
    """
    vocabulary = open_words(spec)
    if spec.entities is None:
        return vocabulary
    return with_entities(vocabulary, Path(spec.entities))


def open_words(spec: VocabularySpec) -> Vocabulary:
    """The same with every word a possible name."""
    match spec:
        case TextVocabulary():
            return open_text(spec)
        case NpzVocabulary():
            return open_npz(spec)
        case SafetensorsVocabulary():
            return open_safetensors(spec)
        case SentenceVocabulary():
            return open_sentences(spec)
        case EverydayVocabulary():
            return open_everyday()
        case _:
            assert_never(spec)
