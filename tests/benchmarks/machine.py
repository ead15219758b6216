"""How fast this machine is just now, so that the figures of two days can be held side by side.

Rented machines differ, and so does one machine from hour to hour: portraits were once drawn at
1,900 a second, and at 2,500 half an hour before. Rows with a target are to be read beside this one.
"""

from __future__ import annotations

import json
import os
import statistics
import time

import torch

LOOPS = 2_000_000
SIDE = 1024
REPEATS = 5


def python_seconds() -> float:
    """Seconds that two million additions take in plain Python."""
    started = time.perf_counter()
    total = 0
    for number in range(LOOPS):
        total += number
    return time.perf_counter() - started


def gigaflops() -> float:
    """Billions of float32 operations a second in a product of two matrices of 1,024 x 1,024."""
    matrix = torch.ones(SIDE, SIDE)
    started = time.perf_counter()
    matrix @ matrix
    return 2 * SIDE**3 / (time.perf_counter() - started) / 1e9


def main() -> None:
    """Print one JSON line: medians of some repeats."""
    gigaflops()  # the first product starts the threads
    row = {
        "name": "this machine",
        "python_s": round(statistics.median(python_seconds() for _ in range(REPEATS)), 3),
        "gigaflops": round(statistics.median(gigaflops() for _ in range(REPEATS)), 1),
        "num_threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
