"""A small dataset in memory, a small network and a small fold: enough for a real scan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from auditor.adapters.datasets.protocol import Regions, Unreadable
from auditor.adapters.features import Features
from auditor.context import Concept
from auditor.engine.backends.local import LocalBackend
from auditor.engine.lane import Lane
from auditor.engine.network import PlacedNetwork, roles_of
from auditor.engine.progress import Silent
from auditor.engine.regions import mask_roles
from auditor.engine.rows import Labels, open_rows
from auditor.engine.scan import Scanned, ScanSettings, run_scan
from auditor.measure.fold import Batch
from auditor.measure.state import Concatenated, Summed
from auditor.needs import Fold, NetworkRole, Output, Source, View
from auditor.plan.facts import ROLES
from auditor.plan.steps import Scan, Shard
from auditor.spec.model import Preprocess
from auditor.store.states import StateStore

LOGITS = Output(kind="logits")


@dataclass(frozen=True)
class Memory:
    """Images in memory; it counts how often each row is decoded."""

    images: Tensor
    broken: frozenset[int] = frozenset()
    decoded: Counter[int] = field(default_factory=Counter)
    classes: tuple[str, ...] | None = ("even", "odd")
    concepts: tuple[Concept, ...] = ()
    annotations: Mapping[int, Regions | Unreadable] = field(default_factory=dict)

    def splits(self) -> tuple[str, ...]:
        return ("train",)

    def ids(self, split: str) -> Sequence[str]:
        return [f"{row:03d}" for row in range(len(self.images))]

    def column_names(self, split: str) -> tuple[str, ...]:
        return ()

    def column(self, split: str, name: str) -> NDArray[Any]:
        raise NotImplementedError

    def labels(self, split: str) -> NDArray[np.int64]:
        return np.arange(len(self.images)) % 2

    def predictions(self, split: str) -> NDArray[np.int64] | None:
        return None

    def read(self, split: str, rows: Sequence[int], view: View) -> list[Tensor | Unreadable]:
        self.decoded.update(rows)
        return [Unreadable("truncated") if row in self.broken else self.images[row] for row in rows]

    def regions(
        self, split: str, rows: Sequence[int], view: View
    ) -> list[Regions | Unreadable | None]:
        return [self.annotations.get(row) for row in rows]


@dataclass(frozen=True)
class Seen:
    """Which samples a fold saw, and sums of what was computed for them."""

    samples: Concatenated
    total: Summed


@dataclass(frozen=True)
class Look:
    """A fold that remembers what it saw."""

    outputs: tuple[Output, ...]
    stop_after: int | None = None
    breaks: bool = False

    def measure(self, batch: Batch) -> Seen:
        if self.breaks:
            raise ZeroDivisionError("no variance")
        computed = [output for output in self.outputs if output.kind != "masks"]
        sums = [batch.outputs[output].flatten(1).double().sum(1).cpu() for output in computed]
        total = torch.stack([sum_.sum() for sum_ in sums]) if sums else torch.zeros(1).double()
        return Seen(torch.tensor([int(name) for name in batch.ids]), total)

    def enough(self, state: Seen) -> bool:
        return self.stop_after is not None and len(state.samples) >= self.stop_after


@dataclass
class Bench:
    """A scan ready to run, again and again, with other folds."""

    dataset: Memory
    networks: dict[NetworkRole, PlacedNetwork]
    store: StateStore
    passes: dict[NetworkRole, list[int]] = field(default_factory=dict)
    features: Features | None = None
    preprocess: dict[NetworkRole, Preprocess] = field(default_factory=dict)
    shard_size: int = 8
    batch_size: int = 3
    num_workers: int = 0
    max_unreadable: float = 0.0

    def scan(self, *folds: Fold) -> Scan:
        rows = len(self.dataset.images)
        outputs = tuple(dict.fromkeys(output for fold in folds for output in fold.outputs))
        cuts = range(0, rows, self.shard_size)
        return Scan(
            id="scan " + ", ".join(fold.name for fold in folds),
            ingredients={},
            source=Source(split="train"),
            num_rows=rows,
            outputs=outputs,
            folds=folds,
            shards=tuple(Shard(start=c, stop=min(c + self.shard_size, rows)) for c in cuts),
        )

    @property
    def network(self) -> PlacedNetwork:
        return self.networks["model"]

    def run(self, *looks: tuple[Fold, Look], network: PlacedNetwork | None = None) -> Scanned:
        networks = self.networks if network is None else {**self.networks, "model": network}
        scan = self.scan(*(fold for fold, _ in looks))
        used = {role: networks[role] for role in roles_of(scan.outputs)}
        regions = tuple(output for output in scan.outputs if output.kind == "masks")
        seeing = (*used, *mask_roles(regions))
        count = len(self.dataset.images)
        labels = Labels(
            ids=self.dataset.ids("train"),
            attributes=np.ones((count, 2), dtype=np.float32),
            classes=self.dataset.labels("train"),
        )
        with open_rows(
            self.dataset,
            Source(split="train"),
            labels,
            {role: self.preprocess.get(role, Preprocess()) for role in seeing},
            seed=0,
            num_workers=self.num_workers,
            features=self.features,
            regions=regions,
        ) as rows:
            return run_scan(
                scan,
                [Lane(fold, look, Seen, f"{fold.audit}-{fold.name}") for fold, look in looks],
                rows,
                used,
                settings=ScanSettings(self.batch_size, 0, self.max_unreadable),
                store=self.store,
                backend=LocalBackend(),
                progress=Silent(),
            )


def fold(name: str, *outputs: Output, audit: str = "a", **other: Any) -> Fold:
    return Fold(
        audit=audit, name=name, source=Source(split="train"), outputs=outputs, params=None, **other
    )


def look(name: str, *outputs: Output, audit: str = "a", **other: Any) -> tuple[Fold, Look]:
    """A fold and the look it takes; `stop_after` makes it sequential."""
    stop_after, breaks = other.pop("stop_after", None), other.pop("breaks", False)
    asked = fold(name, *outputs, audit=audit, sequential=stop_after is not None, **other)
    return asked, Look(outputs, stop_after, breaks)


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(4 * 4 * 4, 5),
    ).eval()  # fmt: skip


def placed(module: nn.Module) -> PlacedNetwork:
    return PlacedNetwork(
        module=module,
        compiled=module,
        preprocess=Preprocess(),
        device=torch.device("cpu"),
        dtype=torch.float32,
        channels_last=False,
    )


@pytest.fixture
def make_bench(tmp_path: Path) -> Callable[..., Bench]:
    """Build a bench with some images, of which some may be broken."""

    def make(count: int = 30, *, broken: frozenset[int] = frozenset(), **other: Any) -> Bench:
        generator = torch.Generator().manual_seed(1)
        images = torch.randint(0, 256, (count, 3, 8, 8), generator=generator).to(torch.uint8)
        modules: dict[NetworkRole, nn.Module] = {role: small_network() for role in ROLES}
        networks = {role: placed(module) for role, module in modules.items()}
        bench = Bench(Memory(images, broken), networks, StateStore(tmp_path / "states"), **other)
        for role, module in modules.items():
            sizes = bench.passes.setdefault(role, [])
            module.register_forward_hook(
                lambda _m, given, _o, sizes=sizes: sizes.append(len(given[0]))
            )
        return bench

    return make
