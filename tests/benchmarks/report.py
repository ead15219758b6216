"""How long a large report takes and how big it is: 200 findings at length, 400 pictures.

Beside the 400 pictures stand 800 heat maps and 200 distributions; the run is the synthetic one of
the unit tests, with every finding shown at length.
"""

from __future__ import annotations

import json
import runpy
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from auditor.report.render import render

SYNTHETIC = Path(__file__).parents[1] / "unit" / "report" / "conftest.py"
NUM_FINDINGS = 200
NUM_EXAMPLES = 200
TARGETS = {"html": (5.0, 8e6, 3), "pdf": (30.0, 12e6, 1)}
"""Format -> seconds allowed, bytes allowed, repeats."""


def main() -> None:
    """Print one JSON line per format."""
    synthetic = runpy.run_path(str(SYNTHETIC))
    with tempfile.TemporaryDirectory() as folder:
        run = synthetic["read_run"](large_run(synthetic, Path(folder)))
        for name, (seconds, size, repeats) in TARGETS.items():
            taken = []
            for _ in range(repeats):
                started = time.perf_counter()
                (path,) = render(run, formats=(name,))
                taken.append(time.perf_counter() - started)
            row = {
                "name": f"report {name}, {NUM_FINDINGS} findings, {2 * NUM_FINDINGS} images",
                "ours_s": round(statistics.median(taken), 2),
                "target_s": seconds,
                "megabytes": round(path.stat().st_size / 1e6, 2),
                "target_megabytes": size / 1e6,
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
    main()
