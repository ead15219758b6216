"""One process, on a CPU or one GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, final

from auditor.engine.backends.protocol import Place

T = TypeVar("T")


@final
class LocalBackend:
    """Runs every shard here, one after another."""

    def launch(self, errand: Callable[[], T]) -> T:
        return errand()

    def place(self) -> Place:
        return Place(rank=0, world_size=1)

    def in_order(self, shards: Iterable[int], work: Callable[[int], T]) -> Iterator[T]:
        for shard in shards:
            yield work(shard)
