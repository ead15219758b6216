"""Vectors as text: what is read, what is left out and counted, what is refused by its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.adapters.vocabularies.collect import ROWS_AT_ONCE
from auditor.adapters.vocabularies.open import open_vocabulary
from auditor.errors import InputError
from auditor.measure.vocabulary import Vocabulary
from auditor.spec.vocabulary import TextVocabulary

Read = Callable[..., Vocabulary]


@pytest.fixture
def read(here: Path) -> Read:
    """Write a file and read it."""

    def call(content: bytes, *, max_words: int | None = None) -> Vocabulary:
        Path("v.txt").write_bytes(content)
        spec = TextVocabulary(source="text", path="v.txt", max_words=max_words)
        return open_vocabulary(spec)

    return call


def test_words_and_directions_in_the_order_of_the_file(read: Read) -> None:
    found = read(b"dog 3 4\ncat 0 -2.5e1\n")
    assert found.words == ("dog", "cat")
    assert found.vectors.dtype == torch.float32
    assert torch.equal(found.vectors, torch.tensor([[0.6, 0.8], [0.0, -1.0]]))
    assert found.entities.tolist() == [True, True]
    assert found.problems == ()


@pytest.mark.parametrize(
    "content",
    [
        b"3 2\nthe 1 0\nhot dog 0 1\na 1 1\n",  # word2vec's header
        b"the 1 0\nhot dog 0 1\na 1 1",  # no line end
        b"the 1 0 \r\nhot dog 0 1 \r\na 1 1 \r\n",  # the ends of fastText and of Windows
        b"the\t1\t0\nhot dog\t0\t1\na\t1\t1\n",
        b"\xef\xbb\xbfthe 1 0\n\nhot dog 0 1\na  1  1\n\n",
    ],
)
def test_the_usual_ways_to_write_them(read: Read, content: bytes) -> None:
    found = read(content)
    assert found.words == ("the", "hot dog", "a")
    assert torch.allclose(found.vectors[2], torch.full((2,), 0.5**0.5))


def test_a_word_with_spaces_may_come_first(read: Read) -> None:
    assert read(b". . . 1 0\nat name@domain.com 0 1\n").words == (". . .", "at name@domain.com")


def test_a_word_may_be_a_number(read: Read) -> None:
    assert read(b"7 1 0 2\n1984 0 1 2\n").words == ("7", "1984")


def test_words_that_are_left_out_are_counted(read: Read) -> None:
    found = read(b"dog 1 0\nnil 0 0\ndog 0 1\n\xff\xfe 1 1\ncat 0 1\ndog 1 1\n")
    assert found.words == ("dog", "cat")
    assert torch.equal(found.vectors, torch.eye(2)), "the first dog counts"
    assert found.problems == (
        "2 words (dog, dog) came again; the first one counts",
        "1 word (nil) had only zeros and no direction",
        "1 word was no UTF-8 text and left out, the first at v.txt:4",
    )


def test_reading_stops_after_max_words(read: Read) -> None:
    content = b"9 2\na 1 0\nb 0 1\nc this is never read\n"
    assert read(content, max_words=2).words == ("a", "b")
    assert read(content, max_words=1).words == ("a",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "v.txt is empty"),
        (b"\n \n", "v.txt is empty"),
        (b"a 1 2\nb 1\n", "v.txt:2: 2 numbers are needed, and 1 entries follow (`b 1`)"),
        (b"a 1 2\n\nb 1 2 3\n", "v.txt:3: 2 numbers are needed, and 3 entries follow"),
        (b"2 3\na 1 2 3\nb 1 2\n", "v.txt:3: 3 numbers are needed"),
        (b"a 1 2\nb 1 x\n", "v.txt:2: `x` is no number (`b 1 x`)"),
        (b"a 1 2\nb 1 2x\n", "v.txt:2: `2x` is no number"),
        (b"a 1 2\nb 1 \xff\n", "v.txt:2: `\ufffd` is no number"),
        (b"a 1 2\n 3 4\n", "v.txt:2: 2 numbers are needed, and 1 entries follow"),
        (b"word\n", "v.txt:1: no number follows the word (`word`)"),
        (b"a 1 2\nb nan 1\n", "v.txt:2 (b) holds a number that is not finite"),
        (b"a 1 2\nb 1 -inf\n", "v.txt:2 (b) holds a number that is not finite"),
        (b"a 1 2\nb 1e39 1\n", "v.txt:2 (b) holds a number that is not finite"),
        (b"a 0 0\n", "v.txt holds no word with a direction"),
        (b"3 2\na 1 2\n", "v.txt:1: the header promises 3 words, and 1 follow"),
        (b"1 2\na 1 2\nb 1 2\n", "v.txt:1: the header promises 1 words, and 2 follow"),
        (b"2 2\na \0\0\x80\x3f\0\0\x80\x3f", "looks binary; binary word2vec files are not read"),
        (b"\x1f\x8b\x08\0rest", "v.txt is compressed"),
        (b"a" * 2**20 + b" 1 2\n", "v.txt:1: this line is too long"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(
    read: Read, content: bytes, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(content)
    assert message in str(caught.value)


def test_lines_are_counted_across_blocks(read: Read) -> None:
    lines = [b"w%d 1 2" % index for index in range(2 * ROWS_AT_ONCE + 9)]
    lines[2 * ROWS_AT_ONCE + 4] = b"bad 1 two"
    with pytest.raises(InputError, match=f"v.txt:{2 * ROWS_AT_ONCE + 5}: `two` is no number"):
        read(b"\n".join(lines))


def test_a_folder_and_a_missing_file_are_named(here: Path) -> None:
    Path("folder").mkdir()
    for path, message in (("folder", "folder is a folder"), ("none.txt", "no file none.txt")):
        with pytest.raises(InputError, match=message):
            open_vocabulary(TextVocabulary(source="text", path=path))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3 * ROWS_AT_ONCE), st.integers(1, 5), st.booleans(), st.integers(0, 2**32))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, num_words: int, size: int, header: bool, seed: int
) -> None:
    """Directions equal those of the numbers as float64, whatever falls into one block."""
    numbers = np.random.default_rng(seed).normal(size=(num_words, size))
    lines = [f"{num_words} {size}"] if header else []
    lines += [f"w{i} {' '.join(map(repr, row.tolist()))}" for i, row in enumerate(numbers)]
    path = tmp_path_factory.mktemp("vectors") / "v.txt"
    path.write_text("\n".join(lines))
    found = open_vocabulary(TextVocabulary(source="text", path=str(path)))
    assert found.words == tuple(f"w{index}" for index in range(num_words))
    expected = numbers / np.linalg.norm(numbers, axis=1, keepdims=True)
    assert np.allclose(found.vectors.numpy(), expected, rtol=1e-6, atol=1e-7)
