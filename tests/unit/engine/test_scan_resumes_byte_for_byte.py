"""A finished shard is never read again, and a scan that died anywhere ends in the same state."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from auditor.needs import Output
from tests.unit.engine.conftest import LOGITS, Bench, look

GRADIENTS = Output(kind="jacobian", layer="1", outputs=(0, 1))
LOOKS = (
    look("stops", GRADIENTS, stop_after=20),
    look("all", LOGITS),
    look("few", LOGITS, GRADIENTS, max_rows=10, audit="b"),
    look("rows", audit="b"),
)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.mark.parametrize("fatal", range(0, 30, 4))
def test_a_scan_that_was_killed_goes_on_where_it_was(
    make_bench: Callable[..., Bench], fatal: int
) -> None:
    whole = make_bench(30)
    whole.store = type(whole.store)(whole.store.root / "whole")
    expected = whole.run(*LOOKS)

    bench = make_bench(30)
    read, seen = type(bench.dataset).read, 0

    class Fatal(type(bench.dataset)):
        def read(self, split: str, rows: list[int], view: object) -> object:
            nonlocal seen
            seen += len(rows)
            if seen > fatal:
                raise Killed
            return read(self, split, rows, view)

    healthy = bench.dataset
    bench.dataset = Fatal(healthy.images)
    with pytest.raises(Killed):
        bench.run(*LOOKS)
    finished = sum(fatal >= stop for stop in (8, 16, 24))
    bench.dataset = healthy
    found = bench.run(*LOOKS)
    assert sum(bench.dataset.decoded.values()) == 30 - 8 * finished
    assert found.states.keys() == expected.states.keys()
    for name, state in expected.states.items():
        assert torch.equal(found.states[name].samples, state.samples)
        assert torch.equal(found.states[name].total, state.total)
    assert found.done == expected.done == {"a/stops"}


def test_a_shard_that_lacks_one_fold_is_computed_again_for_all(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(30)
    bench.run(*LOOKS)
    bench.dataset.decoded.clear()
    bench.store.path("a-all", 2).unlink()
    bench.run(*LOOKS)
    assert sum(bench.dataset.decoded.values()) == 8


def test_a_damaged_shard_counts_as_absent(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(30)
    expected = bench.run(*LOOKS)
    path = bench.store.path("a-all", 0)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    found = bench.run(*LOOKS)
    assert torch.equal(found.states["a/all"].total, expected.states["a/all"].total)


def test_unreadable_images_are_remembered_with_their_shard(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(30, broken=frozenset({3, 17}), max_unreadable=0.1)
    first = bench.run(look("all", LOGITS))
    bench.dataset.decoded.clear()
    again = bench.run(look("all", LOGITS))
    assert not bench.dataset.decoded
    assert again.quarantined == first.quarantined
    assert len(again.quarantined) == 2


def test_a_shard_in_which_an_audit_failed_is_tried_again(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(30)
    assert bench.run(look("x", LOGITS, breaks=True), look("y", LOGITS, audit="b")).failed
    found = bench.run(look("x", LOGITS), look("y", LOGITS, audit="b"))
    assert not found.failed
    assert len(found.states["a/x"].samples) == 30
