"""Relationships, failures, filters and groups in one spec, against the four one after another.

Both forms are whole runs on drawn portraits, from the spec to the judged record (the report is
not drawn), with the same weights and settings, so that their results must be the same
to the last digit. The weights are random. One after another, every audit reads and computes what
it needs by itself; in one spec an image is drawn once and goes through the network once per wave.

The network is a ResNet-18 that sees 600 portraits at 112 px; a second row shows the small
`portraits_net` at 48 px, where scans cost next to nothing and little can be shared. Relationships
are mined on 256 images of one split, as many as the demo's need, and confirmed on the other, on
which the other three audits look. The explainer is small: 2 folds, 10 epochs, 64 hidden units.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torchvision.models import resnet18

from auditor.adapters.models.networks import build_network
from auditor.compose.composed import Composed
from auditor.compose.load import load_spec
from auditor.engine.execute import RunOptions, execute
from auditor.engine.progress import Silent
from auditor.plan.make import make_plan
from auditor.spec.portraits import ATTRIBUTES

REPEATS = 2
MINED = 256
AUDITS = ("relationships", "failures", "filters", "groups")
SPEC = """\
version: 1
name: together
dataset:
  source: portraits
  splits: {{train: {{count: {mined}}}, test: {{count: {num_images}, start: 1000000}}}}
model: {{{network}, num_outputs: 20, weights: {weights}, preprocess: {{{preprocess}}}}}
extractor: {{source: model, layer: {layer}}}
vocabulary: {{source: everyday}}
attributes: {attributes}
audits:
  relationships: {{kind: relationships, layer: {layer}, sampling: {{method: full}}}}
  failures:
    kind: failures
    group_by: [label]
    attributes: [lipstick, smiling, glasses, hat]
    pictures: {{findings: 3, attack: {{num_steps: 10}}}}
  filters:
    kind: filters
    layer: {layer}
    explainer: {{folds: 2, epochs: 10, num_hidden: 64}}
    naming: {{images: 10, evaluated: 32, draws: 199}}
  groups: {{kind: groups, by: [skin], layer: {layer}}}
engine: {{device: cpu, num_threads: {threads}}}
"""


class Workload(NamedTuple):
    """A network, what it sees, and the layer that all audits look at."""

    name: str
    network: str
    preprocess: str
    layer: str
    num_images: int


class Ended(NamedTuple):
    """What some runs took, in all and by kind of step, and what each audit came to."""

    seconds: float
    parts: dict[str, float]
    results: dict[str, Any]


WORKLOADS = (
    Workload(
        "resnet18, 112 px",
        "source: torchvision, name: resnet18",
        "resize: 112, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]",
        "layer4",
        600,
    ),
    Workload(
        "portraits_net, 48 px",
        "source: builtin, name: portraits_net",
        "mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]",
        "features.7",
        600,
    ),
)


def compose(workload: Workload, folder: Path) -> Composed:
    """The spec with random weights beside it."""
    torch.manual_seed(0)
    small = "portraits_net" in workload.network
    model = build_network("portraits_net", num_outputs=20) if small else resnet18(num_classes=20)
    save_file(model.state_dict(), folder / "weights.safetensors")
    attributes = {name: {"output": i, "column": name} for i, name in enumerate(ATTRIBUTES)}
    path = folder / "together.yaml"
    path.write_text(
        SPEC.format(
            **workload._asdict(),
            mined=MINED,
            weights=folder / "weights.safetensors",
            attributes=json.dumps(attributes),
            threads=min(2, os.cpu_count() or 1),
        )
    )
    return load_spec(str(path), ())


def run(composed: Composed, calls: Iterable[tuple[str, ...]], folder: Path) -> Ended:
    """Fresh runs of some audits each, one after another."""
    parts: dict[str, float] = {}
    results: dict[str, Any] = {}
    started = time.perf_counter()
    for audits in calls:
        plan = make_plan(composed)
        options = RunOptions(
            out=folder, cache_dir=folder, fresh=True, only=audits, progress=Silent()
        )
        run_dir = execute(composed, plan, options)
        record = json.loads((run_dir / "run.json").read_text())
        kinds = {step.id: step.kind for step in plan.steps}
        for step, seconds in record["step_seconds"].items():
            parts[kinds[step]] = parts.get(kinds[step], 0.0) + seconds
        for audit in audits:
            path = run_dir / "audits" / audit / "result.json"
            results[audit] = json.loads(path.read_text())
    return Ended(time.perf_counter() - started, parts, results)


def numbers(value: Any) -> Iterator[float]:
    """Every number of a JSON document, in order; anything else as the hash of its text."""
    if isinstance(value, Mapping):
        for key in value:
            yield from numbers(value[key])
    elif isinstance(value, list):
        for each in value:
            yield from numbers(each)
    elif isinstance(value, int | float):
        yield float(value)
    else:
        yield float(hash(value))


def difference(first: Any, second: Any) -> float:
    """Largest difference of two documents; infinite where their texts or lengths differ."""
    one, other = list(numbers(first)), list(numbers(second))
    if len(one) != len(other):
        return float("inf")
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def row(workload: Workload) -> dict[str, object]:
    """One line of the benchmark: best of some alternating repeats of each form."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        composed = compose(workload, folder)
        ours, theirs = [], []
        for _ in range(REPEATS):
            ours.append(run(composed, [AUDITS], folder))
            theirs.append(run(composed, [(audit,) for audit in AUDITS], folder))
    own, other = min(ours), min(theirs)
    return {
        "name": f"four audits in one spec, {workload.name}, {workload.num_images} images",
        "ratio": round(other.seconds / own.seconds, 2),
        "share": round(own.seconds / other.seconds, 3),
        "ours_s": round(own.seconds, 2),
        "other_s": round(other.seconds, 2),
        "max_abs_diff": difference(own.results, other.results),
        "ours_parts_s": {kind: round(seconds, 2) for kind, seconds in own.parts.items()},
        "other_parts_s": {kind: round(seconds, 2) for kind, seconds in other.parts.items()},
        "num_threads": min(2, os.cpu_count() or 1),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Print one JSON line per network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, help="number of images")
    count = parser.parse_args().count
    for workload in WORKLOADS:
        print(
            json.dumps(row(workload._replace(num_images=count or workload.num_images))), flush=True
        )


if __name__ == "__main__":
    main()
