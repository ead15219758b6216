"""The everyday vocabulary: a taxonomy of common words, and directions that are made from it.

The directions are made, not learnt: they know what the outline says and nothing else. Each line
of the outline and each word has 256 signs, the bits of the SHA-256 of its name. A word is the sum,
over every place at which it stands, of the signs of

    its line (its synonyms)          × 4
    the line above (its kind)        × 3
    the one above that               × 2
    the next                         × 1

and once of its own signs × 2, scaled to length 1. Independent signs have cosines around 0 (standard
deviation 1/√256 = 0.06), so in expectation, for words with one place under at least three lines:

    synonyms                                34 - 4 = 30 of 34     0.88
    a word and the kind above it     4·3 + 3·2 + 2·1 = 20 of 34   0.59
    siblings                            9 + 4 + 1 = 14 of 34      0.41
    cousins                                 4 + 1 =  5 of 34      0.15
    unrelated words                                               0.00

Sums are whole numbers, and square root and division are correctly rounded (IEEE 754), so every
machine gets the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from auditor.errors import InputError
from auditor.inventory.vocabulary import everyday_file
from auditor.measure.vocabulary import Vocabulary

NUM_DIMENSIONS = 256
"""As many as SHA-256 has bits."""

OWN = 2
"""Weight of a word's own signs."""

LINEAGE = (4, 3, 2, 1)
"""Weights of the signs of its line and of the lines above, the nearest first."""

INDENT = 2
"""Spaces per level of the outline."""


class Entry(NamedTuple):
    """Words of the outline that mean the same.

    Attributes:
        path: Names of the lines from the outermost one down to this one.
        words: The words; none for a heading that is no word itself.
    """

    path: tuple[str, ...]
    words: tuple[str, ...]


def open_everyday() -> Vocabulary:
    """The words of the packaged outline with their directions."""
    path = everyday_file()
    words, vectors = make_vectors(parse_outline(path.read_text(encoding="utf-8"), str(path)))
    entities = torch.ones(len(words), dtype=torch.bool)
    return Vocabulary(words, torch.from_numpy(vectors), entities)


def parse_outline(text: str, name: str) -> list[Entry]:
    """The entries of an outline, in order.

    Each level is indented by two spaces. `|` divides siblings, which lie under no line of their
    own, and `,` divides synonyms. A line that ends with `:` is a heading and no word. `#` starts a
    comment.

    Args:
        text: The outline.
        name: How messages call it.

    Raises:
        InputError: A line is indented too far, or an entry stands twice under one line.
    """
    entries: list[Entry] = []
    above: list[str] = []
    paths: set[tuple[str, ...]] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.split("#")[0].rstrip()
        if not content:
            continue
        level, rest = divmod(len(content) - len(content.lstrip(" ")), INDENT)
        if rest or level > len(above):
            raise InputError(f"{name}:{number}: this line is not indented like an outline")
        del above[level:]
        siblings = [sibling(part) for part in content.split("|")]
        for title, words in siblings:
            path = (*above, title)
            if not title or path in paths:
                raise InputError(f"{name}:{number}: `{title}` stands here twice, or is no word")
            paths.add(path)
            entries.append(Entry(path, words))
        if len(siblings) == 1:
            above.append(siblings[0][0])
    return entries


def sibling(part: str) -> tuple[str, tuple[str, ...]]:
    """Name and words of one entry."""
    if part.endswith(":"):
        return part.strip().removesuffix(":"), ()
    words = tuple(word.strip() for word in part.split(","))
    return words[0], words


def make_vectors(entries: Sequence[Entry]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """The words in order of their first place, and their directions [W, 256]."""
    lines: dict[tuple[str, ...], NDArray[np.int64]] = {}
    sums: dict[str, NDArray[np.int64]] = {}
    for entry in entries:
        lines[entry.path] = signs(("line", *entry.path))
        lineage = context(entry.path, lines)
        for word in entry.words:
            start = sums[word] if word in sums else OWN * signs(("word", word))
            sums[word] = start + lineage
    table = np.stack(list(sums.values()))
    lengths = np.sqrt((table * table).sum(axis=1).astype(np.float64))
    return tuple(sums), (table / lengths[:, None]).astype(np.float32)


def context(
    path: tuple[str, ...], lines: Mapping[tuple[str, ...], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Weighted signs of a line and of those above it [256]."""
    total = np.zeros(NUM_DIMENSIONS, dtype=np.int64)
    for steps, weight in enumerate(LINEAGE[: len(path)]):
        total += weight * lines[path[: len(path) - steps]]
    return total


def signs(name: Sequence[str]) -> NDArray[np.int64]:
    """256 signs, -1 or 1, from the SHA-256 of a name."""
    digest = hashlib.sha256("\0".join(name).encode()).digest()
    return np.unpackbits(np.frombuffer(digest, dtype=np.uint8)).astype(np.int64) * 2 - 1
