"""How long a large report takes and how big it is: 200 findings at length, 400 pictures.

Beside the 400 pictures stand 800 heat maps and 200 distributions; the run is the synthetic one of
the unit tests, with every finding shown at length. Each format is made in a process of its own, as
`auditor report` makes it: its time is that of `render`, its memory the process's at its largest.
"""

from __future__ import annotations

import json
import resource
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from auditor.report.render import render
from auditor.store.reader import read_run

SYNTHETIC = Path(__file__).parents[1] / "unit" / "report" / "conftest.py"
NUM_FINDINGS = 200
NUM_EXAMPLES = 200
TARGETS = {"html": (5.0, 8e6, 3), "pdf": (30.0, 12e6, 1)}
"""Format -> seconds allowed, bytes allowed, repeats."""

TARGET_GIB = 1.5


def main() -> None:
    """Print one JSON line per format."""
    synthetic = runpy.run_path(str(SYNTHETIC))
    with tempfile.TemporaryDirectory() as folder:
        run = large_run(synthetic, Path(folder))
        for name in TARGETS:
            subprocess.run([sys.executable, __file__, str(run), name], check=True)


def measure(run: Path, name: str) -> None:
    """Print the line of one format."""
    seconds, size, repeats = TARGETS[name]
    taken, cpu = [], []
    for _ in range(repeats):
        started, busy = time.perf_counter(), time.process_time()
        (path,) = render(read_run(run), formats=(name,))
        taken.append(time.perf_counter() - started)
        cpu.append(time.process_time() - busy)
    row = {
        "name": f"report {name}, {NUM_FINDINGS} findings, {2 * NUM_FINDINGS} images",
        "ours_s": round(statistics.median(taken), 2),
        "cpu_s": round(statistics.median(cpu), 2),
        "target_s": seconds,
        "megabytes": round(path.stat().st_size / 1e6, 2),
        "target_megabytes": size / 1e6,
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20), 2),
        "target_gib": TARGET_GIB,
    }
    print(json.dumps(row), flush=True)


def large_run(synthetic: dict[str, Any], folder: Path) -> Path:
    """A run of 21 attributes whose first 200 pairs break their rules."""
    titles = {**synthetic["TITLES"], "dimples": "dimples"}
    result = synthetic["make_result"](titles)
    model = next(pair for pair in result.pairs if pair.outcome == "broken")
    shown = ("outcome", "cosine", "robust_z", "p_adjusted", "cells", "histogram", "expect")
    broken = {name: getattr(model, name) for name in shown}
    pairs = [
        pair.model_copy(update=broken) if index < NUM_FINDINGS else pair
        for index, pair in enumerate(result.pairs)
    ]
    run: Path = synthetic["write_run"](
        folder,
        titles=titles,
        result=result.model_copy(update={"pairs": tuple(pairs)}),
        num_examples=NUM_EXAMPLES,
        max_findings=NUM_FINDINGS,
    )
    return run


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]), sys.argv[2])
    else:
        main()
