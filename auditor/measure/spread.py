"""Independent pieces of work on as many threads as torch may use, one thread to each piece.

A chain of short steps, each on two threads that wait for each other, stalls as soon as anything
else runs on the machine; whole pieces side by side wait once. The result does not depend on the
number of threads: pieces are cut by the caller and come back in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


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
