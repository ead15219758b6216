"""Where the shards of a scan run.

Three questions that every backend answers apart from each other:

    launch     who starts the processes: we do (local, Ray), or somebody did (torchrun)
    place      where am I: this process among all that work on the run
    in_order   how results come together: every process sees all shards, in shard order

Shards may run anywhere and in any order. Because states merge in shard order, the number of
processes never shows in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Place(NamedTuple):
    """This process among those that work on a run."""

    rank: int
    world_size: int


class Backend(Protocol):
    """A way to run shards."""

    def launch(self, errand: Callable[[], T]) -> T:
        """Start the processes where that is ours to do, and run the errand in each."""
        ...

    def place(self) -> Place:
        """Which process this is."""
        ...

    def in_order(self, shards: Iterable[int], work: Callable[[int], T]) -> Iterator[T]:
        """Results of `work` for each shard, in shard order, in every process.

        A caller that has seen enough stops iterating. Shards that were computed ahead of that
        point, elsewhere, are thrown away.
        """
        ...
