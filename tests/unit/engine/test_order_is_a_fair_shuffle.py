"""The order of a scan depends on sample ids and the seed, and on nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.engine.order import shuffled

IDS = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=50)


@settings(max_examples=30, deadline=None)
@given(ids=IDS, seed=st.integers(0, 2**31 - 1))
def test_every_row_is_read_once(ids: list[str], seed: int) -> None:
    assert sorted(shuffled(ids, seed)) == list(range(len(ids)))


@settings(max_examples=30, deadline=None)
@given(ids=IDS, seed=st.integers(0, 2**31 - 1), data=st.data())
def test_the_files_order_does_not_show(ids: list[str], seed: int, data: st.DataObject) -> None:
    moved = data.draw(st.permutations(ids))
    assert [ids[row] for row in shuffled(ids, seed)] == [
        moved[row] for row in shuffled(moved, seed)
    ]


def test_the_order_is_the_same_for_ever() -> None:
    assert shuffled([f"{index}.png" for index in range(8)], 3).tolist() == [7, 3, 5, 1, 0, 4, 6, 2]


def test_another_seed_gives_another_order() -> None:
    ids = [str(index) for index in range(100)]
    assert not np.array_equal(shuffled(ids, 0), shuffled(ids, 1))


def test_a_prefix_of_sorted_rows_is_spread_over_all_of_them() -> None:
    """The mean row of the first tenth lies within four standard errors of the middle."""
    first = shuffled([f"{index:05d}" for index in range(10_000)], 0)[:1000]
    assert abs(first.mean() - 5000) < 4 * 10_000 / np.sqrt(12 * 1000)
