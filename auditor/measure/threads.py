"""How many threads a computation is worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL = 1 << 20
"""Numbers below which handing work to a second thread costs more than it saves."""


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
