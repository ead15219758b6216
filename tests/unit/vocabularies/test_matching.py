"""Which words a concept stands for, and by which rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from auditor.adapters.vocabularies.open import open_vocabulary
from auditor.measure.vocabulary import Vocabulary, match_concepts
from auditor.spec.vocabulary import NpzVocabulary

WORDS = ("sky", "hot_dog", "TV", "tv", "wall", "brick", "Teddy-Bear", "door", "hot", "dog")


def vocabulary(*words: str) -> Vocabulary:
    """Words with orthonormal directions."""
    return Vocabulary(words, torch.eye(len(words)), torch.ones(len(words), dtype=torch.bool))


@pytest.mark.parametrize(
    ("concept", "rule", "words"),
    [
        ("sky", "whole", ["sky"]),
        ("Sky", "whole", ["sky"]),
        ("hot dog", "whole", ["hot_dog"]),
        ("hot-dog", "whole", ["hot_dog"]),
        ("tv", "whole", ["tv"]),
        ("TV", "whole", ["TV"]),
        ("Tv", "whole", ["TV"]),  # the first of the file
        ("teddy bear", "whole", ["Teddy-Bear"]),
        ("sky-other-merged", "stem", ["sky"]),
        ("door-stuff", "stem", ["door"]),
        ("hot dog-merged", "stem", ["hot_dog"]),
        ("wall-brick", "parts", ["wall", "brick"]),
        ("wall wall-other", "parts", ["wall"]),
        ("brick door-merged", "parts", ["brick", "door"]),
        ("wall-wood", "unknown", []),
        ("other", "unknown", []),
        ("", "unknown", []),
        (" - ", "unknown", []),
    ],
)
def test_the_first_rule_that_finds_words(concept: str, rule: str, words: list[str]) -> None:
    found = match_concepts([concept], vocabulary(*WORDS), {})
    assert found.rules == (rule,)
    assert [WORDS[index] for index in found.words[0]] == words
    expected = torch.zeros(len(WORDS))
    expected[list(found.words[0])] = 1 / max(len(words), 1) ** 0.5
    assert torch.allclose(found.vectors[0], expected)


def test_the_spec_has_the_first_word() -> None:
    named = {"sky": ("wall", "hot dog"), "door": ("gate",), "tv": (), "nothing": ("sky",)}
    found = match_concepts(["sky", "door", "tv", "brick"], vocabulary(*WORDS), named)
    assert found.rules == ("spec", "unknown", "unknown", "whole")
    assert found.words == ((4, 1), (), (), (5,))
    assert torch.equal(found.vectors[1:3], torch.zeros(2, len(WORDS)))


def test_directions_that_cancel_out_are_none() -> None:
    both = Vocabulary(
        ("a", "b"), torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.ones(2, dtype=torch.bool)
    )
    found = match_concepts(["a b", "a"], both, {})
    assert found.rules == ("unknown", "whole")
    assert torch.equal(found.vectors, torch.tensor([[0.0, 0.0], [1.0, 0.0]]))


def test_no_concepts_give_no_rows() -> None:
    found = match_concepts([], vocabulary(*WORDS), {})
    assert (found.words, found.rules, tuple(found.vectors.shape)) == ((), (), (0, len(WORDS)))


def test_every_coco_category_is_found_among_real_word_vectors(shared_data: Path) -> None:
    spec = NpzVocabulary(
        source="npz",
        path=str(shared_data / "words" / "word2vec_googlenews_merged.npz"),
        entities=str(shared_data / "words" / "lavise_entities.txt"),
    )
    words = open_vocabulary(spec)
    assert words.vectors.shape == (8105, 300)
    assert torch.allclose(words.vectors.norm(dim=1), torch.ones(8105), atol=1e-6)
    assert 600 < int(words.entities.sum()) < 1203
    assert len(words.problems) == 1
    assert "of the 1,202 in lavise_entities.txt" in words.problems[0]

    panoptic = json.loads((shared_data / "images" / "coco299" / "panoptic.json").read_text())
    names = [category["name"] for category in panoptic["categories"]]
    found = match_concepts(names, words, {})
    assert len(names) == 133
    assert "unknown" not in found.rules
    assert torch.allclose(found.vectors.norm(dim=1), torch.ones(133), atol=1e-6)
    by_name = dict(zip(names, zip(found.rules, found.words, strict=True), strict=True))
    assert by_name["traffic light"][0] == "whole"
    assert by_name["dog"] == ("whole", (words.words.index("dog"),))
