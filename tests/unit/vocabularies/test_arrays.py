"""Vectors in npz and safetensors files: the rules of every vocabulary, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from auditor.adapters.vocabularies.collect import ROWS_AT_ONCE
from auditor.adapters.vocabularies.open import open_vocabulary
from auditor.errors import InputError
from auditor.measure.vocabulary import Vocabulary
from auditor.spec.vocabulary import NpzVocabulary, SafetensorsVocabulary

WORDS = ["dog", "nil", "cat", "dog"]
VECTORS = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0], [1.0, 1.0]])
PROBLEMS = (
    "1 word (dog) came again; the first one counts",
    "1 word (nil) had only zeros and no direction",
)


def npz(**options: Any) -> Vocabulary:
    return open_vocabulary(NpzVocabulary(source="npz", path="v.npz", **options))


def tensors(**options: Any) -> Vocabulary:
    return open_vocabulary(
        SafetensorsVocabulary(
            source="safetensors", path="v.safetensors", words="words.txt", **options
        )
    )


def check(found: Vocabulary) -> None:
    """The same words and directions from every format."""
    assert found.words == ("dog", "cat")
    assert found.vectors.dtype == torch.float32
    assert torch.allclose(found.vectors, torch.tensor([[0.6, 0.8], [0.0, -1.0]]), atol=1e-7)
    assert found.problems == PROBLEMS


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8"])
@pytest.mark.parametrize("words", [np.array(WORDS), np.array(WORDS, dtype="S")])
def test_npz_of_any_numbers(here: Path, dtype: str, words: np.ndarray[Any, Any]) -> None:
    np.savez("v.npz", names=words, table=VECTORS.astype(dtype))
    check(npz(words_key="names", vectors_key="table"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_safetensors_of_any_numbers(here: Path, dtype: torch.dtype) -> None:
    save_file({"vectors": torch.from_numpy(VECTORS).to(dtype)}, "v.safetensors")
    Path("words.txt").write_text("\n".join(WORDS) + "\n")
    check(tensors())


def test_max_words_takes_the_first_rows(here: Path) -> None:
    np.savez("v.npz", words=np.array(WORDS), vectors=VECTORS)
    save_file({"vectors": torch.from_numpy(VECTORS)}, "v.safetensors")
    Path("words.txt").write_text("\n".join(WORDS))
    for found in (npz(max_words=2), tensors(max_words=2)):
        assert found.words == ("dog",)
        assert found.problems == PROBLEMS[1:]


def test_many_rows_go_through_in_blocks(here: Path) -> None:
    count = 2 * ROWS_AT_ONCE + 3
    table = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    words = [f"w{index}" for index in range(count)]
    np.savez_compressed("v.npz", words=np.array(words), vectors=table.numpy())
    save_file({"vectors": table}, "v.safetensors")
    Path("words.txt").write_text("\n".join(words))
    for found in (npz(), tensors()):
        assert found.words == tuple(words)
        assert torch.allclose(found.vectors, torch.nn.functional.normalize(table), atol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"words": np.array(WORDS)}, "holds no array `vectors`"),
        ({"words": np.array(WORDS, dtype=object), "vectors": VECTORS}, "as Python objects"),
        ({"words": np.array(WORDS), "vectors": VECTORS.astype(object)}, "as Python objects"),
        ({"words": np.arange(4), "vectors": VECTORS}, "words are a list of texts, not int64"),
        ({"words": np.array([WORDS]), "vectors": VECTORS}, "words are a list of texts"),
        ({"words": np.array(WORDS), "vectors": VECTORS[0]}, "vectors are a table of numbers"),
        ({"words": np.array(WORDS), "vectors": np.array([WORDS] * 4)}, "vectors are a table"),
        ({"words": np.array(WORDS[:3]), "vectors": VECTORS}, "there are 3 words and 4 vectors"),
        ({"words": np.array(["a", ""]), "vectors": VECTORS[[0, 2]]}, "v.npz: row 2 has no word"),
        ({"words": np.array(["a"]), "vectors": np.array([[1.0, np.nan]])}, "v.npz: row 1 (a)"),
        ({"words": np.array(["a"]), "vectors": np.zeros((1, 2))}, "no word with a direction"),
        ({"words": np.array([], dtype=str), "vectors": np.zeros((0, 2))}, "holds no word"),
    ],
)
def test_npz_that_cannot_be_used(here: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez("v.npz", allow_pickle=True, **arrays)
    with pytest.raises(InputError) as caught:
        npz()
    assert message in str(caught.value)


def test_what_is_no_npz(here: Path) -> None:
    np.savez("whole.npz", words=np.array(WORDS), vectors=VECTORS)
    whole = Path("whole.npz").read_bytes()
    np.save("v.npy", VECTORS)
    pickled = b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94."
    for content in (b"", b"words", whole[:-40], whole[:60], Path("v.npy").read_bytes(), pickled):
        Path("v.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"v\.npz cannot be read as an archive"):
            npz()


@pytest.mark.parametrize(
    ("table", "words", "message"),
    [
        ({"other": VECTORS}, "a\nb\nc\nd", "holds no array `vectors`"),
        ({"vectors": VECTORS}, "a\nb\nc", "the shape [4, 2], and words.txt has 3 lines"),
        ({"vectors": VECTORS[0]}, "a\nb", "the shape [2]"),
        ({"vectors": VECTORS}, "a\n\nc\nd", "v.safetensors: row 2 has no word"),
        ({"vectors": VECTORS}, "", "words.txt holds no word"),
        ({"vectors": np.full((4, 2), np.inf)}, "a\nb\nc\nd", "v.safetensors: row 1 (a)"),
    ],
)
def test_safetensors_that_cannot_be_used(
    here: Path, table: dict[str, Any], words: str, message: str
) -> None:
    state = {name: torch.from_numpy(array.copy()) for name, array in table.items()}
    save_file(state, "v.safetensors")
    Path("words.txt").write_text(words)
    with pytest.raises(InputError) as caught:
        tensors()
    assert message in str(caught.value)


def test_a_damaged_safetensors_file_and_words_that_are_no_text(here: Path) -> None:
    Path("words.txt").write_bytes(b"a\nb\nc\n\xff\n")
    Path("v.safetensors").write_bytes(b"no tensors")
    with pytest.raises(InputError, match="is not a safetensors file"):
        tensors()
    save_file({"vectors": torch.from_numpy(VECTORS)}, "v.safetensors")
    with pytest.raises(InputError, match=r"words\.txt:4: this is no UTF-8 text"):
        tensors()
    Path("words.txt").write_text("a\nb\nc\nd")
    whole = Path("v.safetensors").read_bytes()
    Path("v.safetensors").write_bytes(whole[:-8])
    with pytest.raises(InputError, match="is not a safetensors file"):
        tensors()


def test_entities_are_marked_and_unknown_ones_counted(here: Path) -> None:
    np.savez("v.npz", words=np.array(["dog", "traffic_light", "the"]), vectors=np.eye(3))
    Path("e.txt").write_text("Traffic light\ndog\n\nwombat\ndog\n")
    found = npz(entities="e.txt")
    assert found.entities.tolist() == [True, True, False]
    assert found.problems == ("not in the vocabulary: 1 entity (wombat) of the 3 in e.txt",)
    Path("e.txt").write_text("wombat\n")
    with pytest.raises(InputError, match=r"none of the words in e\.txt is in the vocabulary"):
        npz(entities="e.txt")
