"""Vectors as text, as GloVe and word2vec write them: streamed, in the memory of the result.

A line is a word and its numbers, divided by spaces. The word itself may hold spaces (GloVe's Common
Crawl files have such lines), so a line is divided from the right. A first line of two whole numbers
is word2vec's header: words and dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from auditor.adapters.vocabularies.collect import ROWS_AT_ONCE, Collector
from auditor.errors import InputError
from auditor.inventory.digest import existing_file
from auditor.measure.vocabulary import Vocabulary
from auditor.spec.vocabulary import TextVocabulary

MAX_LINE = 2**20
"""Bytes of the longest line; a longer one is no vector."""

LOOK_AHEAD = 2**16
"""Bytes in which a binary file gives itself away."""

BOM = b"\xef\xbb\xbf"
"""What some editors put before UTF-8 text."""

SHOWN = 40
"""Letters of a bad entry that a message quotes."""

TEXT_HINT = (
    "Text with one word and its numbers per line is needed. gensim's `KeyedVectors` writes it: "
    "load_word2vec_format(FILE, binary=True).save_word2vec_format(TEXT, binary=False)."
)


class Line(NamedTuple):
    """A line that is not blank, and its number."""

    number: int
    content: bytes


def open_text(spec: TextVocabulary) -> Vocabulary:
    """Read a file of text vectors.

    Raises:
        InputError: The file is missing, empty, binary or cut off, or a line is no word with as many
            numbers as the first one; the line is named.
    """
    path = existing_file(Path(spec.path))
    try:
        num_lines = examine(path)
        with path.open("rb") as stream:
            return read_text(path, stream, num_lines, spec.max_words)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def examine(path: Path) -> int:
    """Lines of a file, at most.

    Raises:
        InputError: It is empty, compressed or binary.
    """
    with path.open("rb") as stream:
        start = stream.read(LOOK_AHEAD)
        if not start.strip():
            raise InputError(f"{path} is empty", hint=TEXT_HINT)
        if start.startswith((b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ")):
            raise InputError(f"{path} is compressed", hint="Unpack it first.")
        if b"\0" in start:
            raise InputError(
                f"{path} looks binary; binary word2vec files are not read", hint=TEXT_HINT
            )
        count = start.count(b"\n")
        while chunk := stream.read(2**20):
            count += chunk.count(b"\n")
    return count + 1


def read_text(path: Path, stream: BinaryIO, num_lines: int, max_words: int | None) -> Vocabulary:
    """The vocabulary of an open file."""
    lines = numbered(path, stream)
    first = next(lines)
    header = header_of(first)
    declared, size = header or (None, num_numbers(path, first))
    rest = lines if header else chain([first], lines)
    # A number takes two bytes at least, so a small file cannot ask for much memory.
    most = min(num_lines, path.stat().st_size // (2 * size) + 1, max_words or num_lines)
    collector = Collector(path, (most, size), lambda number: f"{path}:{number}")
    num_words = 0
    while block := list(islice(rest, min(ROWS_AT_ONCE, (max_words or num_lines) - num_words))):
        words, numbers = parse(path, block, size)
        collector.add(words, numbers, [line.number for line in block])
        num_words += len(block)
    if declared is not None and num_words != min(declared, max_words or declared):
        raise InputError(
            f"{path}:1: the header promises {declared:,} words, and {num_words:,} follow",
            hint="The file is cut off, or was changed after its header was written.",
        )
    return collector.finish()


def numbered(path: Path, stream: BinaryIO) -> Iterator[Line]:
    """The lines that are not blank, without the space around them."""
    number = 0
    while line := stream.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE:
            raise InputError(f"{path}:{number}: this line is too long", hint=TEXT_HINT)
        if content := (line.removeprefix(BOM) if number == 1 else line).strip():
            yield Line(number, content)


def header_of(first: Line) -> tuple[int, int] | None:
    """Words and dimensions, where the first line is word2vec's header."""
    parts = first.content.split()
    if len(parts) == 2 and all(part.isdigit() and int(part) > 0 for part in parts):
        return int(parts[0]), int(parts[1])
    return None


def num_numbers(path: Path, first: Line) -> int:
    """Numbers at the end of the first line: the dimensions of every vector."""
    parts = first.content.split()
    count = 0
    while count < len(parts) - 1 and is_number(parts[-1 - count]):
        count += 1
    if not count:
        raise malformed(path, first, "no number follows the word")
    return count


def parse(
    path: Path, block: Sequence[Line], size: int
) -> tuple[list[str | None], NDArray[np.float64]]:
    """Words and numbers [R, D] of some lines; None for a word that is not UTF-8.

    Raises:
        InputError: A line is no word with so many numbers.
    """
    divided = [divide(line.content, size) or divide_strictly(path, line, size) for line in block]
    numbers = numbers_of(b" ".join(tail for _, tail in divided))
    if numbers is None:
        # Something is no number, or is not divided by single spaces: look at every line.
        divided = [divide_strictly(path, line, size) for line in block]
        numbers = numbers_of(b" ".join(tail for _, tail in divided))
        assert numbers is not None
    return [decoded(head) for head, _ in divided], numbers.reshape(len(block), size)


def divide(content: bytes, size: int) -> tuple[bytes, bytes] | None:
    """The word of a line and its numbers, where as many spaces follow the word as there should."""
    head, _, tail = content.partition(b" ")
    return (head, tail) if tail.count(b" ") == size - 1 else None


def divide_strictly(path: Path, line: Line, size: int) -> tuple[bytes, bytes]:
    """The word of a line and its numbers, divided by single spaces.

    Raises:
        InputError: There are fewer numbers than in the first line, or more, or something else.
    """
    parts = line.content.rsplit(None, size)
    inner = parts[0].split()
    if len(parts) != size + 1 or (len(inner) > 1 and is_number(inner[-1])):
        found = len(line.content.split()) - 1
        raise malformed(path, line, f"{size} numbers are needed, and {found} entries follow")
    for entry in parts[1:]:
        if not is_number(entry):
            raise malformed(path, line, f"`{shown(entry)}` is no number")
    return parts[0], b" ".join(parts[1:])


def is_number(entry: bytes) -> bool:
    return numbers_of(entry) is not None


def numbers_of(text: bytes) -> NDArray[np.float64] | None:
    """Numbers divided by single spaces; None where anything else is among them."""
    try:
        # Arrow reads numbers twice as fast as numpy, and refuses what is none.
        entries = pc.split_pattern(pa.array([text], pa.string()), pattern=" ").flatten()
        numbers: NDArray[np.float64] = pc.cast(entries, pa.float64()).to_numpy()
    except (pa.ArrowInvalid, UnicodeError):
        return None
    return numbers


def decoded(head: bytes) -> str | None:
    """A word as text; None where it is not UTF-8, as when a tool cut it inside a letter."""
    try:
        return head.decode()
    except UnicodeDecodeError:
        return None


def malformed(path: Path, line: Line, reason: str) -> InputError:
    return InputError(
        f"{path}:{line.number}: {reason} (`{shown(line.content)}`)",
        hint="Each line is a word and its numbers, as many as in the first line.",
    )


def shown(content: bytes) -> str:
    """The start of some bytes, as a message quotes them."""
    text = content[: SHOWN + 4].decode(errors="replace")
    return f"{text[:SHOWN]}…" if len(text) > SHOWN else text
