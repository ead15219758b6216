"""What all vocabularies have in common: rows become directions, each word once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from auditor.errors import InputError
from auditor.inventory.digest import existing_file
from auditor.measure.vocabulary import Lookup, Vocabulary
from auditor.near import plural

ROWS_AT_ONCE = 512
"""Rows that are read, checked and scaled together."""

SHOWN = 5
"""Words that a message names before it stops."""


@final
class Collector:
    """Directions of words, filled block by block into one array.

    A word that comes again, a vector of zeros and a word that is no text are left out and counted.
    """

    def __init__(
        self, path: Path, shape: tuple[int, int], place: Callable[[int], str] | None = None
    ) -> None:
        """Make room.

        Args:
            path: The file, as messages name it.
            shape: Rows at most, and dimensions.
            place: Number of a row -> how a message calls it; `FILE: row NUMBER` by default.

        Raises:
            InputError: There is less memory than that.
        """
        self._path = path
        self._place = place or (lambda number: f"{path}: row {number}")
        # Pages that are never written cost nothing, so there may be room for too many rows.
        self._vectors = allocate(path, shape)
        self._words: dict[str, None] = {}
        self._repeated: list[str] = []
        self._zero: list[str] = []
        self._no_text: list[int] = []

    def add(
        self, words: Sequence[str | None], vectors: NDArray[Any], numbers: Sequence[int]
    ) -> None:
        """Take in a block.

        Args:
            words: One per row; None where it is no text.
            vectors: Numbers [R, D].
            numbers: Where each row stands in the file, counted from 1.

        Raises:
            InputError: A row has no word, or a number that is not finite as float32.
        """
        block = np.asarray(vectors, dtype=np.float64)
        with np.errstate(over="ignore"):
            finite = np.isfinite(block.astype(np.float32)).all(axis=1)
        if not finite.all():
            first = int(np.argmin(finite))
            raise InputError(
                f"{self._place(numbers[first])} ({words[first]}) holds a number that is not finite",
                hint="Remove the word, or write its vector again.",
            )
        # Sums of float64, without a block of squares beside the numbers.
        lengths = np.sqrt(np.einsum("rd,rd->r", block, block))
        kept: list[int] = []
        start = len(self._words)
        for row, (word, number) in enumerate(zip(words, numbers, strict=True)):
            if word is None:
                self._no_text.append(number)
            elif not word:
                raise InputError(f"{self._place(number)} has no word")
            elif word in self._words:
                self._repeated.append(word)
            elif lengths[row] == 0.0:
                self._zero.append(word)
            else:
                self._words[word] = None
                kept.append(row)
        self._vectors[start : len(self._words)] = block[kept] / lengths[kept, None]

    def finish(self) -> Vocabulary:
        """The vocabulary.

        Raises:
            InputError: No word is left.
        """
        if not self._words:
            raise InputError(f"{self._path} holds no word with a direction")
        vectors = torch.from_numpy(self._vectors[: len(self._words)])
        entities = torch.ones(len(self._words), dtype=torch.bool)
        return Vocabulary(tuple(self._words), vectors, entities, tuple(self._problems()))

    def _problems(self) -> list[str]:
        found = []
        if self._repeated:
            found.append(f"{counted(self._repeated, 'word')} came again; the first one counts")
        if self._zero:
            found.append(f"{counted(self._zero, 'word')} had only zeros and no direction")
        if self._no_text:
            count = len(self._no_text)
            noun = "word was" if count == 1 else "words were"
            found.append(
                f"{count:,} {noun} no UTF-8 text and left out, the first at "
                f"{self._place(self._no_text[0])}"
            )
        return found


def allocate(path: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    """An array for a vocabulary."""
    try:
        return np.empty(shape, dtype=np.float32)
    except (MemoryError, ValueError) as error:
        raise InputError(
            f"{path} is too large for memory: {shape[0]:,} words of {shape[1]:,} numbers",
            hint="`max_words` keeps only the first ones.",
        ) from error


def counted(words: Sequence[str], noun: str) -> str:
    """`3 words (a, b, c)`."""
    some = ", ".join(words[:SHOWN]) + (", …" if len(words) > SHOWN else "")
    return f"{len(words):,} {noun if len(words) == 1 else plural(noun)} ({some})"


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without the space around them.

    Raises:
        InputError: It is missing, not UTF-8, or has no line.
    """
    try:
        raw = existing_file(path).read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    lines = []
    for number, line in enumerate(raw.rstrip().split(b"\n"), start=1):
        try:
            lines.append(line.decode().strip())
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}:{number}: this is no UTF-8 text", hint="One word per line is needed."
            ) from error
    if not any(lines):
        raise InputError(f"{path} holds no word", hint="One word per line is needed.")
    return lines


def with_entities(vocabulary: Vocabulary, path: Path) -> Vocabulary:
    """The vocabulary with those words marked that a file lists.

    Raises:
        InputError: The file is missing or no text, or none of its words is known.
    """
    listed = list(dict.fromkeys(line for line in read_lines(path) if line))
    lookup = Lookup(vocabulary.words)
    found = {name: lookup.find(name) for name in listed}
    positions = [position for position in found.values() if position is not None]
    if not positions:
        raise InputError(
            f"none of the words in {path} is in the vocabulary",
            hint="No filter could be named; remove `entities`, or list words of the vocabulary.",
        )
    entities = torch.zeros(len(vocabulary.words), dtype=torch.bool)
    entities[positions] = True
    missing = [name for name, position in found.items() if position is None]
    problems = vocabulary.problems
    if missing:
        some = counted(missing, "entity")
        problems += (f"not in the vocabulary: {some} of the {len(listed):,} in {path.name}",)
    return replace(vocabulary, entities=entities, problems=problems)
