"""A run under way: what it works with, what it has come to, and how each kind of step is run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, assert_never, final

from torch import Tensor

from auditor.adapters.datasets.labels import attribute_matrix, group_codes
from auditor.adapters.datasets.protocol import Dataset
from auditor.adapters.features import Features
from auditor.adapters.vocabularies.open import open_vocabulary
from auditor.catalog import AuditSpec
from auditor.context import Context
from auditor.engine import dispatch
from auditor.engine.backends.protocol import Backend
from auditor.engine.batch_size import choose_batch_size
from auditor.engine.determinism import reseed
from auditor.engine.lane import Lane, failure_of
from auditor.engine.network import PlacedNetwork, layers_of, preprocess_of, roles_of
from auditor.engine.networks import Networks, audits_with, model_of
from auditor.engine.pieces import (
    QUARANTINED,
    arrays_of,
    quarantine_note,
    quarantined_in,
    state_of,
)
from auditor.engine.progress import Progress
from auditor.engine.regions import mask_roles
from auditor.engine.rows import Labels, Rows, open_rows
from auditor.engine.scan import ScanSettings, run_scan
from auditor.engine.settle import keep, torch_device
from auditor.engine.train import train_network
from auditor.engine.visit import visited
from auditor.inventory.features import FeatureTable
from auditor.measure.state import from_tensors, to_tensors
from auditor.measure.taps import borrowed
from auditor.measure.vocabulary import Vocabulary
from auditor.needs import Fold, NetworkRole, Output
from auditor.plan.identity import Settled, content_id, fold_key
from auditor.plan.steps import Scan, Solve, Step, Train, Visit
from auditor.results.outcome import Outcome
from auditor.results.run_record import Quarantined
from auditor.spec.model import PredictionsModel, TrainedModel
from auditor.store.states import StateStore, StoredState

VOCABULARY = "vocabulary"
"""Name of the vocabulary among the states of a solve that asks for it."""

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
        features: Split to the table of its features, where they were computed elsewhere.
        allow_code: Whether inputs may run code of their own.
        states: (audit, fold or solve) to its state.
        keys: (audit, fold or solve) to the name of that state on disk.
        outcomes: Audit to what it leaves behind.
        failed: Audit to the reason why it broke.
        quarantined: (split, sample) to the image that could not be read.
        step_seconds: Duration of each step.
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
    features: Mapping[str, FeatureTable]
    allow_code: bool
    states: dict[tuple[str, str], Any] = field(default_factory=dict)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    quarantined: dict[tuple[str, str], Quarantined] = field(default_factory=dict)
    step_seconds: dict[str, float] = field(default_factory=dict)
    _labels: dict[str, Labels] = field(default_factory=dict)
    _vocabulary: Vocabulary | None = None

    def __post_init__(self) -> None:
        self.networks = Networks(self.spec, self.steps, self.contexts, self.allow_code)

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
                case Visit():
                    self._visit(step)
                case _:
                    assert_never(step)
            self.step_seconds[step.id] = round(time.monotonic() - start, 3)

    def _train(self, step: Train) -> None:
        role = step.network
        model = model_of(self.spec, role)
        assert isinstance(model, TrainedModel)
        fitted = train_network(
            step,
            self.spec,
            model,
            self.dataset,
            self._labels_of(step.split),
            outputs=self.outputs,
            layers=layers_of(self.steps, role),
            device=torch_device(self.settled),
            cache_dir=self.cache_dir,
            progress=self.progress,
            evaluated=None if step.evaluate is None else self._labels_of(step.evaluate),
        )
        self.networks.trained[role] = fitted
        self._quarantine(fitted.quarantined)
        if fitted.training.diverged is not None:
            reason = f"the {role} cannot be used: {fitted.training.diverged}"
            self.failed |= dict.fromkeys(audits_with(self.steps, role), reason)
        trained = {**self.settled.trained, role: fitted.digest}
        self._settle(self.settled.model_copy(update={"trained": trained}))

    def _scan(self, step: Scan) -> None:
        folds = [fold for fold in step.folds if fold.audit not in self.failed]
        if not folds:
            return
        engine, split = self.spec.engine, step.source.split
        outputs = tuple({output: None for fold in folds for output in fold.outputs})
        roles = roles_of(outputs)
        regions = tuple(output for output in outputs if output.kind == "masks")
        seeing = tuple(dict.fromkeys((*roles, *mask_roles(regions))))
        stored = any(output.from_file for output in outputs)
        with open_rows(
            self.dataset,
            step.source,
            self._everything_of(split, folds),
            {role: preprocess_of(model_of(self.spec, role)) for role in seeing},
            seed=engine.seed,
            num_workers=engine.num_workers,
            features=Features(self.features[split]) if stored else None,
            regions=regions,
        ) as rows:
            networks = {role: self.networks.placed(role, self.settled) for role in roles}
            sample = first_readable(rows) if networks else None
            for role, image in (sample or {}).items():
                if role in networks:
                    self.networks.try_out(role, image)
            batch_size = self._batch_size(step, networks, sample, outputs)
            lanes = [lane for fold in folds if (lane := self._lane(step, fold)) is not None]
            found = run_scan(
                step,
                lanes,
                rows,
                networks,
                settings=ScanSettings(batch_size, engine.seed, engine.max_unreadable),
                store=self.states_on_disk,
                backend=self.backend,
                progress=self.progress,
            )
        self.failed.update(found.failed)
        self._quarantine(found.quarantined)
        for lane in lanes:
            self._take(lane, found.states.pop(lane.name, None))

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
        if step.vocabulary:
            states[VOCABULARY] = self._opened_vocabulary()
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

    def _visit(self, step: Visit) -> None:
        audit, spec = step.audit, self.spec.audits[step.audit]
        if audit in self.failed:
            return
        states = {name: self.states[audit, name] for name in step.after}
        inputs: dict[str, Any] = {name: self.keys[audit, name] for name in step.after}
        key = content_id({"visit": step.id, "inputs": inputs})
        kept = self.states_on_disk.read(key)
        if kept is not None:
            self._quarantine(quarantined_in(kept.notes))
            looked = state_of(dispatch.state_type(spec, step.name), kept)
        else:
            reseed(self.spec.engine.seed, step.id)
            try:
                rows = states[step.after[0]].rows.tolist()
                with self.progress.step(f"visit {audit}/{step.name}", len(rows), "images") as done:
                    looked, unreadable = self._look(step, rows, states)
                    done(len(rows))
            except Exception as error:
                self.failed[audit] = failure_of(error, f"{audit}/{step.name}")
                return
            self._quarantine(unreadable)
            notes = {QUARANTINED: quarantine_note(unreadable)}
            self.states_on_disk.write(key, StoredState(arrays_of(looked), notes))
        self.states[audit, step.name] = looked
        self.keys[audit, step.name] = key

    def _look(
        self, step: Visit, rows: list[int], states: Mapping[str, Any]
    ) -> tuple[Any, tuple[Quarantined, ...]]:
        role: NetworkRole = step.network or "model"
        network = self.networks.placed(role, self.settled) if step.network is not None else None
        model = model_of(self.spec, role)
        found, unreadable = visited(
            self.dataset,
            step.source,
            self._labels_of(step.source.split),
            rows,
            network=network,
            preprocess=None if isinstance(model, PredictionsModel) else model.preprocess,
            role=role,
        )
        context = self.contexts[step.audit]
        with borrowed(network.module) if network is not None else nullcontext():
            spec = self.spec.audits[step.audit]
            looked = dispatch.visit(spec, context, step.name, states, found)
        # What a resumed run would read back.
        return from_tensors(type(looked), to_tensors(looked)), unreadable

    def _opened_vocabulary(self) -> Vocabulary:
        if self._vocabulary is None:
            assert self.spec.vocabulary is not None
            with self.progress.step("read the vocabulary", 1, "file") as advance:
                self._vocabulary = open_vocabulary(self.spec.vocabulary)
                advance(1)
        return self._vocabulary

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

    def _batch_size(
        self,
        step: Scan,
        networks: Mapping[NetworkRole, PlacedNetwork],
        sample: Mapping[NetworkRole, Tensor] | None,
        outputs: tuple[Output, ...],
    ) -> int:
        settled = self.settled.batch_sizes.get(step.id)
        if settled is not None:
            return settled
        asked = self.spec.engine.batch_size
        if asked == "auto":
            asked = choose_batch_size(networks, sample, outputs, self.progress)
        sizes = {**self.settled.batch_sizes, step.id: asked}
        self._settle(self.settled.model_copy(update={"batch_sizes": sizes}))
        return asked

    def _settle(self, settled: Settled) -> None:
        if settled != self.settled:
            self.settled = settled
            keep(settled, self.states_on_disk)

    def _labels_of(self, split: str) -> Labels:
        if split not in self._labels:
            self._labels[split] = Labels(
                ids=self.dataset.ids(split),
                attributes=attribute_matrix(self.dataset, split, self.spec.attributes),
                classes=self.dataset.labels(split),
            )
        return self._labels[split]

    def _everything_of(self, split: str, folds: Sequence[Fold]) -> Labels:
        """Labels of a split with the recorded predictions and the groups that some folds ask for.

        Values of a column are those of the split: audits that share it agree on them.
        """
        columns: dict[str, Sequence[str]] = {}
        for fold in folds:
            columns |= self.contexts[fold.audit].columns
        recorded = isinstance(self.spec.model, PredictionsModel)
        return replace(
            self._labels_of(split),
            predictions=self.dataset.predictions(split) if recorded else None,
            columns=group_codes(self.dataset, split, columns),
        )

    def _quarantine(self, images: Sequence[Quarantined]) -> None:
        self.quarantined |= {(image.split, image.sample): image for image in images}


def first_readable(rows: Rows) -> Mapping[NetworkRole, Tensor] | None:
    """Some image of a source as each network gets it, for its size alone."""
    for position in range(min(SAMPLED, len(rows.order))):
        found = rows.images(position, position + 1)
        if found.kept:
            return {role: pixels[0] for role, pixels in found.pixels.items()}
    return None
