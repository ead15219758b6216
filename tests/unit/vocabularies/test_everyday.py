"""The vocabulary that ships with the package: its outline, its directions, its bytes."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import combinations

import pytest
import torch

from auditor.adapters.vocabularies.everyday import Entry, make_vectors, open_everyday, parse_outline
from auditor.errors import InputError
from auditor.inventory.vocabulary import everyday_file
from auditor.measure.vocabulary import Vocabulary, match_concepts
from auditor.spec.portraits import ATTRIBUTES, PARTS

DIGEST = "0f2c5da284febafb765e4da9aa25ddc7554da470e923ebb068e580bbf45e79f7"
"""SHA-256 of the words and vectors. It changes with the outline and with nothing else."""


@pytest.fixture(scope="module")
def everyday() -> Vocabulary:
    return open_everyday()


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return parse_outline(everyday_file().read_text(encoding="utf-8"), "everyday.txt")


def cosine(vocabulary: Vocabulary, a: str, b: str) -> float:
    first, second = (vocabulary.vectors[vocabulary.words.index(word)] for word in (a, b))
    return float(first @ second)


def test_the_bytes_are_the_same_on_every_machine(everyday: Vocabulary) -> None:
    digest = hashlib.sha256("\n".join(everyday.words).encode())
    digest.update(everyday.vectors.numpy().astype("<f4").tobytes())
    assert digest.hexdigest() == DIGEST


def test_directions_have_length_one(everyday: Vocabulary) -> None:
    assert everyday.vectors.shape == (len(everyday.words), 256)
    assert torch.allclose(everyday.vectors.norm(dim=1), torch.ones(len(everyday.words)))
    assert len(set(everyday.words)) == len(everyday.words) > 2000


def test_no_line_says_a_word_twice(entries: list[Entry]) -> None:
    for entry in entries:
        assert len(set(entry.words)) == len(entry.words), entry
        assert all(word and word == " ".join(word.split()) for word in entry.words), entry
    places = [(entry.path[:-1], word) for entry in entries for word in entry.words]
    assert [place for place, count in Counter(places).items() if count > 1] == []


def test_mean_cosines_are_those_that_the_weights_promise(
    everyday: Vocabulary, entries: list[Entry]
) -> None:
    """Over words with one place, on the fourth level: kin as the module says, strangers at 0."""
    count = Counter(word for entry in entries for word in entry.words)
    chosen = [
        (word, entry.path)
        for entry in entries
        for word in entry.words
        if count[word] == 1 and len(entry.path) == 4
    ]
    position = {word: index for index, word in enumerate(everyday.words)}
    vectors = everyday.vectors[[position[word] for word, _ in chosen]].double()
    cosines = vectors @ vectors.T

    def same(levels: int) -> torch.Tensor:
        """Pairs of words whose first levels are the same."""
        ids = {path[:levels]: index for index, (_, path) in enumerate(chosen)}
        numbers = torch.tensor([ids[path[:levels]] for _, path in chosen])
        return numbers[:, None] == numbers

    itself = torch.eye(len(chosen), dtype=torch.bool)
    kin = {
        "synonyms": same(4) & ~itself,
        "siblings": same(3) & ~same(4),
        "cousins": same(2) & ~same(3),
        "strangers": ~same(1),
    }
    means = {name: float(cosines[pairs].mean()) for name, pairs in kin.items()}
    expected = {"synonyms": 30 / 34, "siblings": 14 / 34, "cousins": 5 / 34, "strangers": 0.0}
    assert means == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("word", "kin", "stranger"),
    [
        ("eyes", "face", "car"),
        ("lips", "mouth", "bus"),
        ("spectacles", "sunglasses", "dog"),
        ("cap", "hat", "river"),
        ("brooch", "earring", "pizza"),
        ("necktie", "bow tie", "horse"),
        ("terrier", "dog", "oven"),
        ("banana", "fruit", "sofa"),
        ("truck", "bus", "smile"),
        ("oak", "tree", "laptop"),
    ],
)
def test_kin_are_nearer_than_strangers(
    everyday: Vocabulary, word: str, kin: str, stranger: str
) -> None:
    assert cosine(everyday, word, kin) > cosine(everyday, word, stranger) + 0.1


def test_a_kind_is_nearer_than_a_sibling(everyday: Vocabulary) -> None:
    siblings = ["apple", "banana", "pear", "lemon", "plum", "mango", "strawberry"]
    to_kind = [cosine(everyday, word, "fruit") for word in siblings]
    among = [cosine(everyday, a, b) for a, b in combinations(siblings, 2)]
    assert sum(to_kind) / len(to_kind) > sum(among) / len(among)


def test_it_knows_the_portraits_and_their_neighbours(everyday: Vocabulary) -> None:
    neighbours = [
        "lips",
        "smile",
        "spectacles",
        "cap",
        "brooch",
        "shirt",
        "collar",
        "chin",
        "forehead",
        "tooth",
        "wink",
    ]
    for name in (*PARTS, *ATTRIBUTES, *neighbours):
        assert match_concepts([name], everyday, {}).rules == ("whole",), name


def test_an_outline_has_kinds_siblings_synonyms_and_headings() -> None:
    text = "# a comment\nfood:\n  fruit\n    apple | fig, figs\ncolour, color  # spelt twice\n"
    assert parse_outline(text, "o") == [
        Entry(("food",), ()),
        Entry(("food", "fruit"), ("fruit",)),
        Entry(("food", "fruit", "apple"), ("apple",)),
        Entry(("food", "fruit", "fig"), ("fig", "figs")),
        Entry(("colour",), ("colour", "color")),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\n b\n", 2), ("a\n    b\n", 2), ("  a\n", 1), ("a | b\n  c\n", 2), ("a\nb\na\n", 3),
     ("a | a\n", 1), ("a | \n", 1)],
)  # fmt: skip
def test_a_crooked_outline_is_refused(text: str, line: int) -> None:
    with pytest.raises(InputError, match=f"^o:{line}: "):
        parse_outline(text, "o")


def test_a_word_in_two_places_is_near_both() -> None:
    outline = "fruit\n  orange | lemon\ncolour\n  orange | red\n"
    words, vectors = make_vectors(parse_outline(outline, "o"))
    assert words == ("fruit", "orange", "lemon", "colour", "red")
    cosines = vectors @ vectors.T
    # Its two lines and their kinds, 2 · (4² + 3²), and its own signs, 2²; a neighbour has half of
    # the former: 3² in common of √(54 · 29), but for chance.
    assert cosines[1, 2] == pytest.approx(9 / (54 * 29) ** 0.5, abs=0.25)
    assert cosines[1, 4] == pytest.approx(9 / (54 * 29) ** 0.5, abs=0.25)
    assert abs(cosines[2, 4]) < 0.25
