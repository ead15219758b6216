"""Finished pieces come back exactly, and a damaged one counts as not done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from auditor.errors import ArtifactError
from auditor.store.states import StateStore, StoredState, from_file, to_bytes

VALUES = arrays(
    st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_]),
    array_shapes(min_dims=0, min_side=0),
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), VALUES))
@settings(deadline=None, max_examples=30)
def test_what_is_kept_comes_back(kept: dict[str, np.ndarray]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        store = StateStore(Path(folder))
        store.write("key", StoredState(arrays=kept, notes={"bad": "[]"}), shard=3)
        found = store.read("key", shard=3)
    assert found is not None
    assert found.notes == {"bad": "[]"}
    assert found.arrays.keys() == kept.keys()
    for name, array in kept.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()


def test_a_transposed_array_comes_back_in_its_own_order(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3).T
    store = StateStore(tmp_path)
    store.write("key", StoredState(arrays={"a": array}))
    found = store.read("key")
    assert found is not None
    np.testing.assert_array_equal(found.arrays["a"], array)


def test_shards_and_solves_are_told_apart(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    for shard in (2, 0, 11):
        store.write("key", StoredState(arrays={"a": np.array([shard])}), shard=shard)
    store.write("key", StoredState(arrays={"a": np.array([99])}))
    assert store.done("key") == (0, 2, 11)
    assert store.done("other") == ()
    assert store.read("key", shard=1) is None
    solved = store.read("key")
    assert solved is not None
    assert solved.arrays["a"] == 99


@pytest.mark.parametrize("change", ["cut", "flip", "empty", "notes"])
def test_a_damaged_piece_counts_as_not_done(tmp_path: Path, change: str) -> None:
    content = bytearray(to_bytes(StoredState(arrays={"a": np.ones(8)}, notes={"n": "1234"})))
    path = tmp_path / "piece.safetensors"
    if change == "cut":
        content = content[:-1]
    elif change == "flip":
        content[-1] ^= 1
    elif change == "notes":
        content = content.replace(b"1234", b"1235")
    else:
        content = bytearray()
    path.write_bytes(content)
    assert from_file(path) is None


def test_a_key_never_leads_out_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        StateStore(tmp_path).read("../elsewhere")
