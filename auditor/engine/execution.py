"""A run under way: what it works with, what it has come to, and how each kind of step is run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, assert_never, final

import torch
from torch import Tensor

from auditor.adapters.datasets.labels import attribute_matrix
from auditor.adapters.datasets.protocol import Dataset
from auditor.adapters.models.head import check_logits
from auditor.adapters.models.open import open_network
from auditor.catalog import AuditSpec
from auditor.context import Context
from auditor.engine import dispatch
from auditor.engine.backends.protocol import Backend
from auditor.engine.batch_size import choose_batch_size
from auditor.engine.determinism import reseed
from auditor.engine.lane import Lane, failure_of
from auditor.engine.network import (
    PlacedNetwork,
    layers_of,
    place,
    preprocess_of,
    refuse_missing_layers,
)
from auditor.engine.pieces import arrays_of, state_of
from auditor.engine.progress import Progress
from auditor.engine.rows import Labels, Rows, open_rows
from auditor.engine.scan import ScanSettings, run_scan
from auditor.engine.settle import keep, torch_device
from auditor.engine.train import FittedNetwork, train_network
from auditor.measure.taps import borrowed
from auditor.needs import Fold
from auditor.plan.identity import Settled, content_id, fold_key
from auditor.plan.steps import Scan, Solve, Step, Train
from auditor.results.outcome import Outcome
from auditor.results.run_record import Quarantined
from auditor.spec.model import TrainedModel
from auditor.store.states import StateStore, StoredState

SAMPLED = 16
"""Rows that are tried to find one readable image when a batch size is chosen."""


@final
@dataclass
class Execution:
    """The one place that changes while a run goes on.

    Attributes:
        spec: The spec.
        steps: The steps to run, in order.
        contexts: Audit id to what its computation may know.
        outputs: Index of the output that scores each attribute of the spec.
        dataset: Where images and labels come from.
        settled: Device, precision, threads, batch sizes.
        states_on_disk: Finished shards and solves.
        backend: Where shards run.
        progress: Where to report to.
        cache_dir: Folder of trained networks.
        allow_code: Whether inputs may run code of their own.
        states: (audit, fold or solve) to its state.
        keys: (audit, fold or solve) to the name of that state on disk.
        outcomes: Audit to what it leaves behind.
        failed: Audit to the reason why it broke.
        quarantined: (split, sample) to the image that could not be read.
        step_seconds: Duration of each step.
        trained: The network that a `Train` step fitted, and its record.
    """

    spec: AuditSpec
    steps: tuple[Step, ...]
    contexts: Mapping[str, Context]
    outputs: tuple[int, ...]
    dataset: Dataset
    settled: Settled
    states_on_disk: StateStore
    backend: Backend
    progress: Progress
    cache_dir: Path
    allow_code: bool
    states: dict[tuple[str, str], Any] = field(default_factory=dict)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    quarantined: dict[tuple[str, str], Quarantined] = field(default_factory=dict)
    step_seconds: dict[str, float] = field(default_factory=dict)
    trained: FittedNetwork | None = None
    _network: PlacedNetwork | None = None
    _labels: dict[str, Labels] = field(default_factory=dict)

    def run(self) -> None:
        """Run every step. A failed audit loses its remaining steps, the others lose nothing.

        Raises:
            InputError: an input cannot be used after all.
            ExecutionError: the run broke on this machine.
        """
        for step in self.steps:
            start = time.monotonic()
            match step:
                case Train():
                    self._train(step)
                case Scan():
                    self._scan(step)
                case Solve():
                    self._solve(step)
                case _:
                    assert_never(step)
            self.step_seconds[step.id] = round(time.monotonic() - start, 3)

    def _train(self, step: Train) -> None:
        model = self.spec.model
        assert isinstance(model, TrainedModel)
        self.trained = train_network(
            step,
            self.spec,
            model,
            self.dataset,
            self._labels_of(step.split),
            outputs=self.outputs,
            device=torch_device(self.settled),
            layers=self._layers(),
            cache_dir=self.cache_dir,
            progress=self.progress,
        )
        self._quarantine(self.trained.quarantined)
        trained = {**self.settled.trained, step.network: self.trained.digest}
        self._settle(self.settled.model_copy(update={"trained": trained}))

    def _scan(self, step: Scan) -> None:
        folds = [fold for fold in step.folds if fold.audit not in self.failed]
        if not folds:
            return
        engine = self.spec.engine
        with open_rows(
            self.dataset,
            step.source,
            self._labels_of(step.source.split),
            preprocess_of(self.spec.model),
            seed=engine.seed,
            num_workers=engine.num_workers,
        ) as rows:
            network = self._placed(rows) if any(fold.outputs for fold in folds) else None
            batch_size = self._batch_size(step, rows, network)
            lanes = [lane for fold in folds if (lane := self._lane(step, fold)) is not None]
            found = run_scan(
                step,
                lanes,
                rows,
                network,
                settings=ScanSettings(batch_size, engine.seed, engine.max_unreadable),
                store=self.states_on_disk,
                backend=self.backend,
                progress=self.progress,
            )
        self.failed.update(found.failed)
        self._quarantine(found.quarantined)
        for lane in lanes:
            self._take(lane, found.states.get(lane.name))

    def _take(self, lane: Lane, state: Any) -> None:
        if lane.fold.audit in self.failed:
            return
        if state is None:
            split = lane.fold.source.split
            self.failed[lane.fold.audit] = f"split {split!r} has no image for {lane.fold.name!r}"
            return
        self.states[lane.fold.audit, lane.fold.name] = state
        self.keys[lane.fold.audit, lane.fold.name] = lane.key

    def _solve(self, step: Solve) -> None:
        audit, spec = step.audit, self.spec.audits[step.audit]
        if audit in self.failed:
            return
        states = {name: self.states[audit, name] for name in step.inputs}
        inputs: dict[str, Any] = {name: self.keys[audit, name] for name in step.inputs}
        key = content_id({"solve": step.id, "inputs": inputs})
        kept = None if step.name == "result" else self.states_on_disk.read(key)
        if kept is not None:
            solved = state_of(dispatch.state_type(spec, step.name), kept)
        else:
            reseed(self.spec.engine.seed, step.id)
            try:
                with self.progress.step(f"solve {audit}/{step.name}", 1, "step") as advance:
                    solved = dispatch.solve(spec, self.contexts[audit], step.name, states)
                    advance(1)
            except Exception as error:
                self.failed[audit] = failure_of(error, f"{audit}/{step.name}")
                return
        if isinstance(solved, Outcome):
            self.outcomes[audit] = solved
            return
        if kept is None:
            self.states_on_disk.write(key, StoredState(arrays_of(solved)))
        self.states[audit, step.name] = solved
        self.keys[audit, step.name] = key

    def _lane(self, step: Scan, fold: Fold) -> Lane | None:
        spec, audit = self.spec.audits[fold.audit], fold.audit
        solved = {name: self.states[audit, name] for name in fold.after}
        try:
            measurement = dispatch.measurement(spec, self.contexts[audit], fold.name, solved)
        except Exception as error:
            self.failed[audit] = failure_of(error, f"{audit}/{fold.name}")
            return None
        kind = dispatch.state_type(spec, fold.name)
        return Lane(fold, measurement, kind, fold_key(step, fold, self.settled))

    def _batch_size(self, step: Scan, rows: Rows, network: PlacedNetwork | None) -> int:
        settled = self.settled.batch_sizes.get(step.id)
        if settled is not None:
            return settled
        asked = self.spec.engine.batch_size
        if asked == "auto":
            sample = first_readable(rows) if network is not None else None
            asked = choose_batch_size(network, sample, step.outputs, self.progress)
        sizes = {**self.settled.batch_sizes, step.id: asked}
        self._settle(self.settled.model_copy(update={"batch_sizes": sizes}))
        return asked

    def _settle(self, settled: Settled) -> None:
        if settled != self.settled:
            self.settled = settled
            keep(settled, self.states_on_disk)

    def _placed(self, rows: Rows) -> PlacedNetwork:
        if self._network is None:
            trained = self.trained.path if self.trained is not None else None
            module = open_network(self.spec.model, allow_code=self.allow_code, trained=trained)
            refuse_missing_layers(module, self._layers())
            network = place(module, self.spec.model, self.spec.engine, self.settled)
            self._refuse_missing_outputs(network, rows)
            self._network = network
        return self._network

    def _refuse_missing_outputs(self, network: PlacedNetwork, rows: Rows) -> None:
        # An archive or a Python file tells its outputs only when it runs.
        sample = first_readable(rows)
        if sample is None:
            return
        with torch.no_grad(), borrowed(network.module):
            output = network.module(network.prepare(sample.unsqueeze(0)))
        for context in self.contexts.values():
            check_logits(output, context.attributes)

    def _layers(self) -> dict[str, tuple[str, ...]]:
        return layers_of([step for step in self.steps if isinstance(step, Scan)])

    def _labels_of(self, split: str) -> Labels:
        if split not in self._labels:
            self._labels[split] = Labels(
                ids=self.dataset.ids(split),
                attributes=attribute_matrix(self.dataset, split, self.spec.attributes),
                classes=self.dataset.labels(split),
            )
        return self._labels[split]

    def _quarantine(self, images: Sequence[Quarantined]) -> None:
        self.quarantined |= {(image.split, image.sample): image for image in images}


def first_readable(rows: Rows) -> Tensor | None:
    """Some image of a source, for its size alone."""
    for position in range(min(SAMPLED, len(rows.order))):
        found = rows.images(position, position + 1)
        if found.kept:
            return found.pixels[0]
    return None
