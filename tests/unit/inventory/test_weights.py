"""What a weights file says of itself: its digest, and the shapes in a safetensors header."""

from __future__ import annotations

import hashlib
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from auditor.errors import InputError
from auditor.inventory.weights import take_weights

SHAPES = st.dictionaries(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8),
    st.lists(st.integers(0, 5), max_size=3).map(tuple),
    max_size=4,
)


@given(shapes=SHAPES)
@settings(max_examples=25, deadline=None)
def test_shapes_are_those_that_were_saved(
    shapes: dict[str, tuple[int, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    tensors = {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}
    path.write_bytes(save(tensors, metadata={"made by": "a test"}))
    found = take_weights(path)
    assert found.shapes == shapes
    assert found.num_bytes == path.stat().st_size
    assert found.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_other_formats_are_only_digested(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(b"anything")
    assert take_weights(path).shapes is None


def test_a_rewritten_file_gets_a_new_digest(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    before = take_weights(path).digest
    path.write_bytes(b"other")
    assert take_weights(path).digest != before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234",
        pickle.dumps({"a": 1}),
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 9) + b"{not json",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 7) + b'{"a":1}',
        struct.pack("<Q", 18) + b'{"a":{"shape":"x"}',
        struct.pack("<Q", 20) + b'{"a":{"shape":[-1]}}',
    ],
    ids=["empty", "short", "pickle", "long", "text", "list", "number", "cut", "negative"],
)
def test_what_is_no_safetensors_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a safetensors file"):
        take_weights(path)


def test_a_missing_file_names_the_data_root(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file") as caught:
        take_weights(tmp_path / "nowhere.safetensors")
    assert "data_root" in (caught.value.hint or "")
    with pytest.raises(InputError, match="is a folder"):
        take_weights(tmp_path)
