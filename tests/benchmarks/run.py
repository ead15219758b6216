"""`make bench`: every benchmark after the other, one JSON line per row.

A row compares ours with the plain alternative, both measured in this run: `name`, `ratio`
(other / ours: above 1 means that ours is faster), `ours_s`, `other_s`, `max_abs_diff`. Rows that
need a GPU say `not measured` where there is none.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "machine",
    "startup",
    "portraits",
    "scan",
    "gradients",
    "features",
    "groups",
    "attention",
    "dissection",
    "together",
    "decide",
    "report",
)


def main() -> int:
    """Run each file by itself, so that no benchmark sees another one's memory or caches."""
    failed = 0
    for name in BENCHMARKS:
        ended = subprocess.run([sys.executable, str(Path(__file__).with_name(f"{name}.py"))])
        failed += ended.returncode != 0
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
