"""The annotated concepts in the space of the vocabulary: which are audited, which words they are.

A concept is audited where enough photos list it. The explainer learns from audited concepts that
have a word; the others are compared with filters all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.audits.filters.fitting import parts_of_regions
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.states import RegionsState
from auditor.context import Context
from auditor.measure.bootstrap import sample_keys
from auditor.measure.vocabulary import Matched, Vocabulary, match_concepts


@dataclass(frozen=True, eq=False)
class Reference:
    """Annotated concepts, C of them.

    Attributes:
        audited: bool [C], listed by enough photos.
        num_images: int64 [C], photos that list each; 0 where every mask of it is empty.
        matched: Their words; None without a vocabulary.
        learnable: Positions of audited concepts that have a word, ascending, int64 [L].
    """

    audited: Tensor
    num_images: Tensor
    matched: Matched | None
    learnable: Tensor

    @property
    def vectors(self) -> Tensor:
        """Directions of the learnable concepts, float32 [L, D]."""
        if self.matched is None:
            raise ValueError("without a vocabulary concepts have no directions")
        return self.matched.vectors[self.learnable]

    @property
    def words(self) -> tuple[tuple[int, ...], ...]:
        """Positions of the words of each learnable concept."""
        if self.matched is None:
            return ()
        return tuple(self.matched.words[concept] for concept in self.learnable.tolist())

    @property
    def known_words(self) -> frozenset[int]:
        """Words that stand for some audited concept, alone or with others."""
        return frozenset(word for words in self.words for word in words)


def reference_of(
    spec: FiltersSpec, context: Context, regions: RegionsState, vocabulary: Vocabulary | None
) -> Reference:
    """What the annotations offer.

    Args:
        spec: The audit's spec.
        context: Names of the concepts, and the words that the spec gives them.
        regions: How many photos list each.
        vocabulary: The vocabulary; None where the audit looks for no words.
    """
    num_images = regions.images.sum(0).masked_fill(regions.areas.sum(0) == 0, 0)
    audited = num_images >= spec.dissection.min_images
    if vocabulary is None:
        return Reference(audited, num_images, None, torch.zeros(0, dtype=torch.int64))
    names = [concept.name for concept in context.concepts]
    matched = match_concepts(names, vocabulary, context.words.concepts if context.words else {})
    worded = torch.tensor([bool(words) for words in matched.words], dtype=torch.bool)
    return Reference(audited, num_images, matched, (audited & worded).nonzero().flatten())


def why_no_words(
    spec: FiltersSpec, regions: RegionsState, reference: Reference, vocabulary: Vocabulary | None
) -> str | None:
    """Why filters cannot be named, in words; None where they can."""
    if spec.explainer is None:
        return "the spec asks for no words"
    if vocabulary is None:
        return "there is no vocabulary"
    if not bool(vocabulary.entities.any()):
        return "the vocabulary knows none of the words that the spec allows as names"
    if len(set(reference.words)) < 2:
        return (
            "words are learnt by telling annotated concepts apart, and fewer than two of them "
            "are in enough photos and have a word of their own"
        )
    learns, stops = parts_of_regions(spec.explainer, regions, reference.learnable)
    if not (bool(learns.any()) and bool(stops.any())):
        return "there are too few annotated photos to learn words from and to decide when to stop"
    return None


def dealt(names: Sequence[str], parts: int, *, seed: int) -> Tensor:
    """The part of each name, int64 [n]: dealt round robin in the order of a keyed hash.

    A split without replacement, into parts as equal as possible; LaViSE's release draws the
    concepts that it learns from with replacement, so that "70 %" of them are about half.
    """
    keys = sample_keys(names, seed=seed).tolist()
    order = sorted(range(len(names)), key=lambda index: (keys[index], names[index]))
    part = torch.empty(len(names), dtype=torch.int64)
    part[torch.tensor(order, dtype=torch.int64)] = torch.arange(len(names)) % parts
    return part
