"""Images needed to decide every rule: the sequential sample against the full training split.

Both runs audit the same trained network through the command line. Verdicts may differ only for
pairs whose |m - mu| lies inside the indifference zone around the cut.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def run_audit(method: str, out: Path) -> tuple[dict[str, Any], float]:
    """Result of the Portraits demo under one sampling method, and its wall time in seconds."""
    auditor = str(Path(sys.executable).with_name("auditor"))
    command = [auditor, "run", "portraits", f"audits.relationships.sampling.method={method}"]
    options = ["report.formats=[html]", "--out", str(out / method), "--cache-dir", str(out)]
    started = time.perf_counter()
    ended = subprocess.run([*command, *options], capture_output=True, text=True)
    if ended.returncode not in (0, 1, 4):
        raise RuntimeError(ended.stderr)
    seconds = time.perf_counter() - started
    run = next(line for line in ended.stdout.splitlines() if line.startswith("run: "))
    result = Path(run.removeprefix("run: ")) / "audits" / "relationships" / "result.json"
    return json.loads(result.read_text()), seconds


def distances(result: dict[str, Any]) -> dict[tuple[str, str], float]:
    """|m - mu| of every pair that has a rule with an expectation."""
    means = {relation["name"]: relation["mean"] for relation in result["relations"]}
    return {
        (pair["a"], pair["b"]): abs(pair["cosine"]["value"] - means[pair["expect"]])
        for pair in result["pairs"]
        if pair["expect"] in means
        and means[pair["expect"]] is not None
        and pair["cosine"]["value"] is not None
    }


def main() -> None:
    """Print one JSON line."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        run_audit("sequential", out)  # trains the network once, for both
        sequential, ours = run_audit("sequential", out)
        full, other = run_audit("full", out)
    cut, zone = full["cut"], full["zone"]
    few, every = distances(sequential), distances(full)
    outside = [pair for pair, value in every.items() if abs(value - cut) > zone]
    differ = [pair for pair in outside if (few[pair] > cut) != (every[pair] > cut)]
    row = {
        "name": "images needed to decide the rules",
        "ratio": round(full["num_images"] / sequential["num_images"], 2),
        "ours_images": sequential["num_images"],
        "other_images": full["num_images"],
        "ours_s": round(ours, 2),
        "other_s": round(other, 2),
        "rules_outside_zone": len(outside),
        "verdicts_that_differ": len(differ),
        "max_abs_diff": round(max(abs(few[pair] - every[pair]) for pair in every), 4),
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
