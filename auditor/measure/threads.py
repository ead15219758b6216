"""How many threads a computation is worth: one for small work, one per piece for large work.

A chain of short steps, each on two threads that wait for each other, stalls as soon as anything
else runs on the machine; whole pieces side by side wait once. The result does not depend on the
number of threads: pieces are cut by the caller and come back in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

SMALL = 1 << 20
"""Numbers below which handing work to a second thread costs more than it saves."""


def spread(work: Callable[[T], R], pieces: Sequence[T], *, device: torch.device) -> list[R]:
    """Results of `work` on each piece, in order.

    On anything but a CPU, pieces follow each other: the device itself works in parallel.

    Args:
        work: Reads what the pieces share, and writes nothing that they share.
        pieces: What it is called with.
        device: Where it computes.
    """
    allowed = torch.get_num_threads()
    num_threads = min(allowed, len(pieces)) if device.type == "cpu" else 1
    if num_threads <= 1:
        return [work(piece) for piece in pieces]
    try:
        with ThreadPoolExecutor(num_threads, "spread", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(work, pieces))
    finally:
        # The workers' setting is also the one that threads started later would begin with.
        torch.set_num_threads(allowed)


@contextmanager
def threads_for(num_values: int) -> Iterator[None]:
    """One thread inside for small work: many short steps would wait for each other at every step.

    For computations whose result does not depend on the number of threads.
    """
    before = torch.get_num_threads()
    if num_values < SMALL and before > 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)
