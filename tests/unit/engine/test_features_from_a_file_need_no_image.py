"""Features that were computed elsewhere are read by row, without decoding an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from numpy.typing import NDArray

from auditor.adapters.features import Features, mapped
from auditor.errors import InputError
from auditor.inventory.features import take_table
from auditor.measure.fold import Batch
from auditor.needs import Output
from tests.unit.engine.conftest import LOGITS, Bench, Look, Seen, look

STORED = Output(kind="features", network="extractor")
EVERY_ROW = np.arange(30)


@dataclass(frozen=True)
class Keep(Look):
    """A fold that keeps its batches."""

    batches: list[Batch] = field(default_factory=list)

    def measure(self, batch: Batch) -> Seen:
        self.batches.append(batch)
        return super().measure(batch)


def table(rows: int = 30, columns: int = 7) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)


def saved(path: Path, values: NDArray[np.float32]) -> Features:
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        names = [f"unit {column}" for column in range(values.shape[1])]
        columns = dict(zip(names, values.T, strict=True))
        pa.parquet.write_table(pa.table(columns), path, row_group_size=4)
    return Features(take_table(path))


@pytest.mark.parametrize("name", ["features.npy", "features.NPY", "features.parquet"])
def test_rows_are_read_in_any_order(tmp_path: Path, name: str) -> None:
    values = table()
    np.save(tmp_path / "x.npy", values)
    if name.endswith("NPY"):
        (tmp_path / "x.npy").rename(tmp_path / name)
        features = Features(take_table(tmp_path / name))
    else:
        features = saved(tmp_path / name, values)
    rows = np.array([29, 0, 13, 13, 4])
    found = features.read(rows)
    assert found.dtype == np.float32
    assert found.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(found, values[rows])


@pytest.mark.parametrize("kind", ["<f8", ">f4", "<f2", "<i4", "|b1"])
def test_numbers_of_any_kind_become_float32(tmp_path: Path, kind: str) -> None:
    values = (table() * 3).astype(kind)
    np.save(tmp_path / "x.npy", values)
    found = Features(take_table(tmp_path / "x.npy")).read(EVERY_ROW)
    np.testing.assert_array_equal(found, values.astype(np.float32))


def test_an_array_is_mapped_and_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", table())
    assert isinstance(mapped(tmp_path / "x.npy"), np.memmap)


def test_gaps_are_nan_and_numbers_too_large_are_infinite(tmp_path: Path) -> None:
    columns = {
        "a": pa.array([1, None, 3]),
        "b": pa.array([True, False, None]),
        "c": pa.array([1e300, 0.5, None]),
    }
    pa.parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    found = Features(take_table(tmp_path / "x.parquet")).read(np.arange(3))
    nan, infinite = np.nan, np.inf
    np.testing.assert_array_equal(found, [[1, 1, infinite], [nan, 0, 0.5], [3, nan, nan]])


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    features = saved(path, table())
    np.save(path, np.array([[{"a": 1}]], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read as features"):
        features.read(EVERY_ROW)


@pytest.mark.parametrize("name", ["x.npy", "x.parquet"])
def test_a_file_that_changed_since_planning_is_refused(tmp_path: Path, name: str) -> None:
    features = saved(tmp_path / name, table())
    saved(tmp_path / name, table(columns=6))
    with pytest.raises(InputError, match=r"held 30 x 7 numbers .* holds 30 x 6 now"):
        features.read(EVERY_ROW)


@pytest.mark.parametrize("name", ["x.npy", "x.parquet"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    features = saved(tmp_path / name, table())
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=f"{name} cannot be read as features"):
        features.read(EVERY_ROW)


@pytest.mark.parametrize("name", ["x.npy", "x.parquet"])
def test_a_fold_of_stored_features_sees_every_row_of_unreadable_images(
    make_bench: Callable[..., Bench], tmp_path: Path, name: str
) -> None:
    values = table()
    bench = make_bench(30, broken=frozenset(range(30)), features=saved(tmp_path / name, values))
    fold, _ = look("table", STORED)
    kept = Keep((STORED,))
    found = bench.run((fold, kept))
    assert not found.quarantined
    assert not bench.dataset.decoded
    assert not any(bench.passes.values())
    rows = torch.cat([batch.rows for batch in kept.batches])
    stored = torch.cat([batch.outputs[STORED] for batch in kept.batches])
    assert sorted(rows.tolist()) == list(range(30))
    assert rows.tolist() != list(range(30)), "rows come shuffled"
    assert torch.equal(stored, torch.from_numpy(values)[rows])


def test_stored_features_stay_with_their_images_beside_a_network(
    make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    values = table()
    bench = make_bench(
        30,
        broken=frozenset({3, 17}),
        max_unreadable=0.1,
        features=saved(tmp_path / "x.npy", values),
    )
    fold, _ = look("table", LOGITS, STORED, max_rows=25)
    kept = Keep((LOGITS, STORED))
    bench.run((fold, kept), look("rows", STORED, audit="b"))
    rows = torch.cat([batch.rows for batch in kept.batches])
    stored = torch.cat([batch.outputs[STORED] for batch in kept.batches])
    assert 23 <= len(rows) <= 25
    assert not {3, 17} & set(rows.tolist())
    assert torch.equal(stored, torch.from_numpy(values)[rows])
    assert set(bench.dataset.decoded.values()) == {1}
