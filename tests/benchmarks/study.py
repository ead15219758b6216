"""`make study`: do the audits find what was planted, and nothing else?

Ten disjoint attribute pairs are planted in the training split of Portraits at bias level tau, a
network is trained on it, and the audit ranks all pairs. The test split is unbiased. Everything
runs through the command line, as a user's audit would. About 90 seconds per network on 2 cores.

Parts with a file of their own, each also by itself (`--parts failures`):
  failures  `planted_failures.py`   a failure that one feature decides, and failures by chance
  groups    `equal_groups.py`       groups dealt out at random, and one filter that tells them apart
  filters   `untrained_filters.py`  names for filters of networks that never learnt anything

Printed per tau (mean of the seeds):
  auc          area under the ROC curve of ranking planted above unplanted pairs, by the audit's
               own ranking statistic, and by other statistics of the same run for comparison
  false        share of unplanted pairs whose rule the audit calls broken
  drop         mean accuracy drop on unbiased images of the top 5 and top 10 failure modes, for
               the audit and for the entropy baseline in both readings
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sklearn.metrics import roc_auc_score

from auditor.spec.portraits import ATTRIBUTES

TAUS = (0.0, 0.25, 0.5, 0.75, 1.0)
SEEDS = (0, 1, 2)
OTHER_PARTS = {
    "failures": "planted_failures.py",
    "groups": "equal_groups.py",
    "filters": "untrained_filters.py",
}
PARTS = ("relationships", *OTHER_PARTS)
STATISTICS = ("robust_z", "cosine", "centred", "divergence_gaussian", "label_correlation")


def planted_pairs(seed: int, count: int) -> list[tuple[str, str]]:
    """Disjoint pairs of attributes, drawn from the seed."""
    names = list(ATTRIBUTES)
    random.Random(seed).shuffle(names)
    return [tuple(sorted(names[2 * k : 2 * k + 2])) for k in range(count)]  # type: ignore[misc]


def run_audit(pairs: list[tuple[str, str]], tau: float, seed: int, out: Path) -> dict[str, Any]:
    """Train and audit one network; returns the audit's `result.json`."""
    planted = ",".join(f"{{between:[{a},{b}],sign:1,tau:{tau}}}" for a, b in pairs)
    auditor = Path(sys.executable).with_name("auditor")
    overrides = [
        f"dataset.splits.train.planted=[{planted}]",
        f"dataset.seed={1000 + seed}",
        f"model.recipe.seed={seed}",
        "report.formats=[html]",
    ]
    where = ["--out", str(out), "--cache-dir", str(out / "cache"), "--fresh"]
    command = [str(auditor), "run", "portraits", "--only", "relationships", *overrides, *where]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode not in (0, 1, 4):
        raise RuntimeError(ended.stderr)
    run = next(line for line in ended.stdout.splitlines() if line.startswith("run: "))
    result = Path(run.removeprefix("run: ")) / "audits" / "relationships" / "result.json"
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def statistic(pair: dict[str, Any], name: str) -> float:
    """One number of a pair, 0 where it could not be measured."""
    value = pair[name]
    if isinstance(value, dict):
        value = value["value"]
    return abs(value) if value is not None else 0.0


def ranking(result: dict[str, Any], planted: set[tuple[str, str]]) -> dict[str, float]:
    """ROC area of each statistic; `audit` is the order in which the audit lists its pairs."""
    pairs = result["pairs"]
    truth = [tuple(sorted((pair["a"], pair["b"]))) in planted for pair in pairs]
    areas = {"audit": roc_auc_score(truth, [-rank for rank in range(len(pairs))])}
    for name in STATISTICS:
        areas[name] = roc_auc_score(truth, [statistic(pair, name) for pair in pairs])
    return {name: float(area) for name, area in areas.items()}


def measure(tau: float, seed: int, out: Path) -> dict[str, Any]:
    """All figures of one network with ten planted pairs."""
    pairs = planted_pairs(seed, 10)
    result = run_audit(pairs, tau, seed, out)
    planted = set(pairs)
    broken = [
        tuple(sorted((pair["a"], pair["b"])))
        for pair in result["pairs"]
        if pair["outcome"] == "broken"
    ]
    unplanted = len(result["pairs"]) - (len(planted) if tau > 0 else 0)
    false = [pair for pair in broken if tau == 0 or pair not in planted]
    learnt = [a["balanced_accuracy"]["value"] for a in result["attributes"]]
    return {
        "auc": ranking(result, planted),
        "hits": sum(pair in planted for pair in broken) / len(planted) if tau > 0 else None,
        "false": len(false) / unplanted,
        "drops": {
            f"{drop['ranking']} top {drop['num_modes']}": drop["drop"]["value"]
            for drop in result["top_drops"]
        },
        "images": result["num_images"],
        "worst_balanced_accuracy": min(learnt),
    }


def mean(values: Iterator[float | None]) -> float | None:
    """Mean of what was measured, rounded for reading."""
    present = [value for value in values if value is not None]
    return round(statistics.fmean(present), 3) if present else None


def summarise(tau: float, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean over the seeds of every figure."""
    return {
        "tau": tau,
        "seeds": len(runs),
        "auc": {name: mean(run["auc"][name] for run in runs) for name in runs[0]["auc"]},
        "hits": mean(run["hits"] for run in runs),
        "false": mean(run["false"] for run in runs),
        "drops": {name: mean(run["drops"].get(name) for run in runs) for name in runs[0]["drops"]},
        "images": mean(run["images"] for run in runs),
        "worst_balanced_accuracy": mean(run["worst_balanced_accuracy"] for run in runs),
    }


def single_pair(seed: int, out: Path) -> dict[str, Any]:
    """One planted pair at tau 1: its place in the audit's ranking, 1 is first."""
    pairs = planted_pairs(seed, 1)
    result = run_audit(pairs, 1.0, seed, out)
    order = [tuple(sorted((pair["a"], pair["b"]))) for pair in result["pairs"]]
    return {"single_pair": pairs[0], "seed": seed, "rank": order.index(pairs[0]) + 1}


def relationships(taus: Sequence[float], seeds: Sequence[int], out: Path) -> None:
    """The relationship audit's part."""
    for tau in taus:
        runs = [measure(tau, seed, out) for seed in seeds]
        print(json.dumps(summarise(tau, runs)), flush=True)
    for seed in seeds:
        print(json.dumps(single_pair(seed, out)), flush=True)


def main() -> None:
    """Print one JSON line per tau and one per single planted pair, then what the others print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--taus", type=float, nargs="*", default=TAUS)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    parser.add_argument("--out", type=Path, default=None, help="keep the runs here")
    arguments = parser.parse_args()
    if "relationships" in arguments.parts:
        with tempfile.TemporaryDirectory() as scratch:
            relationships(arguments.taus, arguments.seeds, arguments.out or Path(scratch))
    for part, file in OTHER_PARTS.items():
        if part in arguments.parts:
            subprocess.run([sys.executable, str(Path(__file__).with_name(file))], check=True)


if __name__ == "__main__":
    main()
