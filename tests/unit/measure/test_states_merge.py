"""States merge to the same whatever the shards, and survive their way to disk."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from auditor.measure.state import (
    Accumulator,
    Concatenated,
    Largest,
    Smallest,
    Summed,
    Top,
    from_tensors,
    largest,
    merge,
    merge_all,
    to_tensors,
)


@dataclass(frozen=True)
class Moments:
    count: Summed
    total: Summed
    low: Smallest
    high: Largest
    rows: Concatenated


@dataclass(frozen=True)
class Highest:
    values: Top
    images: Top


@dataclass(frozen=True)
class Undeclared:
    total: Tensor


def measured(rows: Tensor) -> Moments:
    return Moments(torch.tensor(len(rows)), rows.sum(0), rows.amin(0), rows.amax(0), rows.float())


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 29), unique=True, max_size=6), seed=st.integers(0, 99))
def test_any_split_into_shards_merges_to_the_same(cuts: list[int], seed: int) -> None:
    # Integers in float64: sums are exact, so equality is exact.
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(-50, 50, (30, 3), generator=generator).double()
    shards = torch.tensor_split(rows, sorted(cuts))
    whole, merged = measured(rows), merge_all(measured(shard) for shard in shards)
    for name, tensor in to_tensors(whole).items():
        assert torch.equal(tensor, to_tensors(merged)[name])


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_gathering_gives_the_bytes_of_merging_step_by_step(sizes: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    parts = [measured(torch.randn(n, 3, generator=generator).double()) for n in sizes]
    step_by_step = to_tensors(reduce(merge, parts))
    gathered: Accumulator[Moments] = Accumulator()
    for part in parts:
        gathered.add(part)
    for name, tensor in to_tensors(gathered.merged()).items():
        assert tensor.dtype == step_by_step[name].dtype
        assert tensor.numpy().tobytes() == step_by_step[name].numpy().tobytes()


def test_gathering_lets_go_of_a_piece_as_soon_as_it_was_copied() -> None:
    gathered: Accumulator[Moments] = Accumulator()
    alive: list[weakref.ref[Tensor]] = []
    for _ in range(3):
        part = measured(torch.randn(4, 3, dtype=torch.float64))
        alive.append(weakref.ref(part.rows))
        gathered.add(part)
    del part
    assert all(piece() is not None for piece in alive)
    whole = gathered.merged()
    assert len(whole.rows) == 12
    assert all(piece() is None for piece in alive)
    with pytest.raises(ValueError, match="no state to merge"):
        gathered.merged()


def test_pieces_that_do_not_fit_are_refused_when_they_come() -> None:
    gathered: Accumulator[Moments] = Accumulator()
    gathered.add(measured(torch.randn(2, 3, dtype=torch.float64)))
    with pytest.raises(ValueError, match=r"Moments\."):
        gathered.add(measured(torch.randn(2, 4, dtype=torch.float64)))
    with pytest.raises(TypeError, match="cannot merge Moments with Undeclared"):
        gathered.add(Undeclared(torch.zeros(1)))  # type: ignore[arg-type]


def test_the_same_order_gives_the_same_bytes() -> None:
    shards = torch.randn(40, 3, dtype=torch.float64).split(7)
    first, second = (merge_all([measured(shard) for shard in shards]) for _ in range(2))
    assert first.total.numpy().tobytes() == second.total.numpy().tobytes()


def test_round_trip_through_a_file_is_exact(tmp_path: Path) -> None:
    state = measured(torch.randn(9, 3, dtype=torch.float64))
    save_file(to_tensors(state), tmp_path / "state.safetensors")
    again = from_tensors(Moments, load_file(tmp_path / "state.safetensors"))
    assert all(
        torch.equal(value, to_tensors(again)[name]) for name, value in to_tensors(state).items()
    )


def test_fields_without_a_reduction_are_refused() -> None:
    with pytest.raises(TypeError, match=r"Undeclared\.total must be declared"):
        merge(Undeclared(torch.zeros(1)), Undeclared(torch.zeros(1)))


def test_float32_sums_are_refused() -> None:
    @dataclass(frozen=True)
    class Loose:
        total: Summed

    with pytest.raises(TypeError, match="int64 or float64"):
        merge(Loose(torch.zeros(2)), Loose(torch.zeros(2)))


def test_states_of_other_shapes_do_not_broadcast() -> None:
    wide = measured(torch.zeros(4, 3, dtype=torch.float64))
    narrow = measured(torch.zeros(4, 1, dtype=torch.float64))
    with pytest.raises(ValueError, match="do not merge"):
        merge(wide, narrow)


def test_missing_and_unknown_fields_are_named() -> None:
    tensors = to_tensors(measured(torch.zeros(2, 3, dtype=torch.float64)))
    tensors["extra"] = tensors.pop("low")
    with pytest.raises(ValueError, match="missing low; unknown extra"):
        from_tensors(Moments, tensors)


def highest(rows: Tensor, count: int) -> Highest:
    """The `count` largest of the columns of some rows [N, U], as floats and as whole numbers."""
    return Highest(largest(rows.T.float(), count), largest(rows.T.long(), count))


@settings(max_examples=50, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 40), max_size=12),
    count=st.integers(0, 50),
    spread=st.sampled_from([3, 1000]),
    order=st.sampled_from(["random", "rising", "falling"]),
    seed=st.integers(0, 99),
)
def test_the_largest_values_are_those_of_all_rows_sorted(
    cuts: list[int], count: int, spread: int, order: str, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(-spread, spread, (40, 3), generator=generator)
    if order != "random":
        rows = rows.sort(0, descending=order == "falling").values
    parts = [highest(part, count) for part in rows.tensor_split(sorted(cuts))]
    columns = [sorted(column, reverse=True) for column in rows.T.tolist()]
    for merged in (merge_all(parts), reduce(merge, parts), merge_all(parts[::-1])):
        for field, least in ((merged.values, -torch.inf), (merged.images, -(2**63))):
            expected = [(column + [least] * count)[:count] for column in columns]
            assert field.tolist() == expected
        assert (merged.values.dtype, merged.images.dtype) == (torch.float32, torch.int64)


def test_gathering_the_largest_values_holds_a_few_times_what_it_gives() -> None:
    def held() -> int:
        # By type: asking some lazy objects for their class has side effects.
        found = [value for value in gc.get_objects() if issubclass(type(value), Tensor)]
        return sum(value.numel() for value in found)

    count, gathered, before = 100, Accumulator[Highest](), held()
    for start in range(0, 5000, 10):  # rising: every value enters, none may be left out
        gathered.add(highest(torch.arange(start, start + 10).unsqueeze(1), count))
        if start % 470 == 0:
            assert held() - before <= 2 * (2 * count)
    assert gathered.merged().images.tolist() == [list(range(4999, 4899, -1))]


def test_largest_values_of_other_numbers_do_not_merge() -> None:
    rows = torch.zeros(4, 3)
    gathered: Accumulator[Highest] = Accumulator()
    gathered.add(highest(rows, 5))
    with pytest.raises(ValueError, match=r"Highest\.values: \(3, 5\) and \(3, 6\) do not merge"):
        gathered.add(highest(rows, 6))
    with pytest.raises(ValueError, match=r"Highest\.values: \(3, 5\) and \(3, 6\) do not merge"):
        merge(highest(rows, 5), highest(rows, 6))
