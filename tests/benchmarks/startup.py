"""How long `auditor validate` and `auditor --help` take, from a cold start of Python."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "auditor --help": (["--help"], 0.3),
    "auditor validate portraits": (["validate", "portraits"], 1.5),
}
REPEATS = 7


def main() -> None:
    """Print the median wall time of each command beside its target in seconds."""
    auditor = str(Path(sys.executable).with_name("auditor"))
    for name, (arguments, target) in COMMANDS.items():
        seconds = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            subprocess.run([auditor, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - started)
        row = {"name": name, "ours_s": round(statistics.median(seconds), 3), "target_s": target}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
