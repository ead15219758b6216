"""What a table of features says of itself; nothing in it is executed or read."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auditor.errors import InputError
from auditor.inventory.digest import file_digest
from auditor.inventory.features import take_features, take_table
from auditor.spec.extractor import FeaturesExtractor


class Payload:
    """Unpickling one of these would leave a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", "bool"])
def test_an_array_is_known_by_its_header(dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "test.npy"
    np.save(path, np.zeros((7, 3), dtype=dtype))
    found = take_table(path)
    assert (found.num_rows, found.num_features, found.names) == (7, 3, None)
    assert found.digest == file_digest(path)
    assert found.num_bytes == path.stat().st_size


def test_a_parquet_file_names_its_features(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    pq.write_table(pa.table({"smile": [0.5, 1.5], "tie": [1, 2], "on": [True, False]}), path)
    spec = FeaturesExtractor(source="features", files={"test": str(path)})
    found = take_features(spec)["test"]
    assert (found.num_rows, found.num_features) == (2, 3)
    assert found.names == ("smile", "tie", "on")


def test_an_array_without_rows_is_one(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((0, 3)))
    assert take_table(tmp_path / "a.npy").num_rows == 0


def test_python_objects_are_refused_and_never_unpickled(tmp_path: Path) -> None:
    mark, path = tmp_path / "executed", tmp_path / "test.npy"
    np.save(path, np.array([[Payload(mark)]], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read as an array of numbers") as caught:
        take_table(path)
    assert "Python objects are never opened" in str(caught.value)
    path.write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(InputError, match="cannot be read as an array of numbers"):
        take_table(path)
    assert not mark.exists()


def header(text: str, body: bytes = b"") -> bytes:
    """An `.npy` file with this header."""
    padded = text.encode().ljust(118 - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + body


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"no array at all",
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (10, 4)}", b"short"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4)}"),
        header("__import__('os').system('true')"),
        header("{'descr': '<f4'"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (10**30, 4)}"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 40 + ", 4)}"),
        header("(" * 9000),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': [3, 4]}", b"0" * 48),
        header("{'descr': 'what', 'fortran_order': False, 'shape': (1, 4)}", b"0" * 16),
    ],
)
def test_a_damaged_array_says_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "test.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"test\.npy cannot be read as an array of numbers"):
        take_table(path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5), r"1 dimensions \(5\)"),
        (np.zeros((5, 2, 3)), r"3 dimensions \(5 x 2 x 3\)"),
        (np.zeros(()), r"0 dimensions \(one number\)"),
        (np.zeros((5, 0)), "holds no feature"),
        (np.array([["a", "b"]]), "<U1, not numbers"),
        (np.zeros((2, 2), dtype=complex), "complex128, not numbers"),
        (np.zeros((2, 2), dtype=[("a", "f4")]), "not numbers"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(
    array: np.ndarray, message: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "test.npy", array)
    with pytest.raises(InputError, match=message):
        take_table(tmp_path / "test.npy")


def test_text_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    pq.write_table(pa.table({"id": ["a"], "smile": [0.5], "box": [[1.0, 2.0]]}), path)
    with pytest.raises(InputError) as caught:
        take_table(path)
    assert "'id' (string), 'box' (list" in caught.value.message
    assert "smile" not in caught.value.message
    assert caught.value.hint is not None


def test_a_parquet_file_without_columns_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({}), tmp_path / "test.parquet")
    with pytest.raises(InputError, match="holds no feature"):
        take_table(tmp_path / "test.parquet")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", b"PAR1 no", "cannot be read as a table"),
        ("a.npz", b"PK", r"neither \.npy nor Parquet"),
        ("a.csv", b"x\n1\n", r"neither \.npy nor Parquet"),
        ("a.pkl", b"", r"neither \.npy nor Parquet"),
    ],
)
def test_other_files_are_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        take_table(tmp_path / name)


def test_a_missing_file_is_named_with_the_next_move(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*nowhere\.npy") as caught:
        take_table(tmp_path / "nowhere.npy")
    assert "data_root" in str(caught.value.hint)
