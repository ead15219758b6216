"""A scan of decoded images through one network, against the bare forward loop over them.

Both sides read the same uint8 images in batches of the same size, normalise them, and keep every
logit. The scan also shuffles, checks that scores are finite, merges states, and writes each
finished shard to disk.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models import resnet18

from auditor.adapters.datasets.protocol import Regions, Unreadable
from auditor.adapters.models.networks import build_network
from auditor.context import Concept
from auditor.engine.backends.local import LocalBackend
from auditor.engine.lane import Lane
from auditor.engine.network import PlacedNetwork, place
from auditor.engine.progress import Silent
from auditor.engine.rows import Labels, open_rows
from auditor.engine.scan import ScanSettings, run_scan
from auditor.measure.fold import Batch
from auditor.measure.state import Concatenated
from auditor.needs import Fold, Output, Source, View
from auditor.plan.identity import Settled
from auditor.plan.steps import Scan, Shard
from auditor.spec.engine import EngineSpec
from auditor.spec.model import BuiltinModel, Preprocess
from auditor.store.states import StateStore

LOGITS = Output(kind="logits")
SOURCE = Source(split="train")
SHARD = 256
REPEATS = 3
WORKLOADS = {
    "cpu": (("portraits_net, 48 px", 48, 4096, 64), ("resnet18, 112 px", 112, 256, 64)),
    "cuda": (("resnet18, 224 px", 224, 4096, 256),),
}
"""Name, side of the images, number of images, batch size."""


@dataclass(frozen=True)
class Decoded:
    """A dataset whose images are decoded already."""

    images: Tensor
    classes: tuple[str, ...] | None = None
    concepts: tuple[Concept, ...] = ()

    def splits(self) -> tuple[str, ...]:
        return ("train",)

    def ids(self, split: str) -> Sequence[str]:
        return [str(row) for row in range(len(self.images))]

    def column_names(self, split: str) -> tuple[str, ...]:
        return ()

    def column(self, split: str, name: str) -> NDArray[Any]:
        raise KeyError(name)

    def labels(self, split: str) -> None:
        return None

    def predictions(self, split: str) -> None:
        return None

    def read(self, split: str, rows: Sequence[int], view: View) -> list[Tensor | Unreadable]:
        return [self.images[row] for row in rows]

    def regions(
        self, split: str, rows: Sequence[int], view: View
    ) -> list[Regions | Unreadable | None]:
        return [None for _ in rows]


@dataclass(frozen=True)
class Logits:
    """Row numbers and their logits."""

    rows: Concatenated
    logits: Concatenated


class KeepLogits:
    """The fold that keeps every logit."""

    def measure(self, batch: Batch) -> Logits:
        return Logits(torch.tensor([int(name) for name in batch.ids]), batch.outputs[LOGITS].cpu())

    def enough(self, state: Logits) -> bool:
        return False


def scanned(images: Tensor, network: PlacedNetwork, batch_size: int) -> Tensor:
    """Logits of all images, by our scan."""
    dataset, count = Decoded(images), len(images)
    fold = Fold(audit="bench", name="logits", source=SOURCE, outputs=(LOGITS,))
    shards = tuple(
        Shard(start=start, stop=min(start + SHARD, count)) for start in range(0, count, SHARD)
    )
    scan = Scan(
        id="bench",
        ingredients={},
        source=SOURCE,
        num_rows=count,
        outputs=(LOGITS,),
        folds=(fold,),
        shards=shards,
    )
    labels = Labels(dataset.ids("train"), np.zeros((count, 0), dtype=np.float32), None)
    with (
        tempfile.TemporaryDirectory() as folder,
        open_rows(dataset, SOURCE, labels, {"model": Preprocess()}, seed=0, num_workers=0) as rows,
    ):
        found = run_scan(
            scan,
            [Lane(fold, KeepLogits(), Logits, "logits")],
            rows,
            {"model": network},
            settings=ScanSettings(batch_size, 0, 0.0),
            store=StateStore(Path(folder)),
            backend=LocalBackend(),
            progress=Silent(),
        )
    state = found.states["bench/logits"]
    logits: Tensor = state.logits[state.rows.argsort()]
    return logits


def looped(images: Tensor, network: PlacedNetwork, batch_size: int) -> Tensor:
    """Logits of all images, by the bare loop."""
    with torch.no_grad():
        found = [
            network.module(network.prepare(batch)).cpu()
            for batch in torch.split(images, batch_size)
        ]
    return torch.cat(found)


def measured(device: str, name: str, side: int, count: int, batch_size: int) -> dict[str, object]:
    """One row: best of some alternating repeats."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, side, side), generator=generator).to(torch.uint8)
    model: nn.Module = build_network("portraits_net", num_outputs=20)
    if name.startswith("resnet18"):
        model = resnet18(weights=None)
    settled = Settled(device=device, precision="float32", num_threads=torch.get_num_threads())
    spec = BuiltinModel(source="builtin", name="portraits_net", num_outputs=20)
    network = place(model.eval(), spec, EngineSpec(), settled)
    difference = scanned(images, network, batch_size) - looped(images, network, batch_size)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        scanned(images, network, batch_size)
        middle = time.perf_counter()
        looped(images, network, batch_size)
        times.append((middle - start, time.perf_counter() - middle))
    own, other = (min(side) for side in zip(*times, strict=True))
    return {
        "name": f"scan, {name}, {device}",
        "ratio": round(other / own, 3),
        "ours_s": round(own, 4),
        "other_s": round(other, 4),
        "max_abs_diff": difference.abs().max().item(),
    }


def main() -> None:
    """Print one JSON line per row."""
    torch.manual_seed(0)
    for device, workloads in WORKLOADS.items():
        for workload in workloads:
            if device == "cuda" and not torch.cuda.is_available():
                print(json.dumps({"name": f"scan, {workload[0]}, cuda", "ratio": "not measured"}))
            else:
                print(json.dumps(measured(device, *workload)), flush=True)


if __name__ == "__main__":
    main()
