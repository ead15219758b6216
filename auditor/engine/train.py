"""A `Train` step: a network fitted from a recipe in the spec, once, and kept by what decides it.

    <cache>/networks/<step id>.safetensors    the weights
    <cache>/networks/<step id>.json           their digest, how the fit went, what was unread

The weights are written last and the digest must fit, so a training that was killed starts again.
A fit that came to nothing is kept as well, with the reason: it would end the same way again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import save
from torch import Tensor, nn

from auditor.adapters.datasets.protocol import Dataset
from auditor.adapters.models.open import start_network
from auditor.adapters.models.training import FitReport, fit, training_step_size
from auditor.catalog import AuditSpec
from auditor.engine.accuracy import (
    MAX_IMAGES,
    Accuracies,
    Evaluated,
    measure_accuracies,
    next_move,
)
from auditor.engine.device import describe
from auditor.engine.loading import Loaded, load_rows, refuse_unfit_images
from auditor.engine.network import refuse_missing_layers
from auditor.engine.order import shuffled
from auditor.engine.progress import Progress
from auditor.engine.rows import Labels
from auditor.errors import PlanError
from auditor.inventory.digest import file_digest
from auditor.plan.steps import Train
from auditor.results.estimate import Estimate
from auditor.results.run_record import InputRecord, Quarantined, TrainingRecord
from auditor.spec.extractor import TrainedExtractor
from auditor.spec.model import AdversarySpec, TrainedModel
from auditor.store.atomic import write_bytes, write_text
from auditor.store.history import NETWORKS


class Notes(BaseModel):
    """What is kept beside the weights; notes of an older version count as absent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    device: str
    num_threads: int
    quarantined: tuple[Quarantined, ...]
    training: TrainingRecord


@final
@dataclass(frozen=True)
class FittedNetwork:
    """A fitted network in the cache.

    Attributes:
        path: Its weights, safetensors.
        digest: SHA-256 of that file.
        record: The weights as an input of the run.
        training: How the fit went; nothing may be claimed on the network if it names a reason.
        quarantined: Images that it could not be fitted or measured on.
    """

    path: Path
    digest: str
    record: InputRecord
    training: TrainingRecord
    quarantined: tuple[Quarantined, ...]


def train_network(
    step: Train,
    spec: AuditSpec,
    model: TrainedModel,
    dataset: Dataset,
    labels: Labels,
    *,
    outputs: Sequence[int],
    layers: Mapping[str, Sequence[str]],
    device: torch.device,
    cache_dir: Path,
    progress: Progress,
    evaluated: Labels | None = None,
) -> FittedNetwork:
    """Take the network from the cache, or fit it now.

    Args:
        step: The step; its id names the files.
        spec: The spec.
        model: Its model, or its extractor.
        dataset: Where images come from.
        labels: Labels of the split that it is fitted on.
        outputs: Index of the output that scores each attribute.
        layers: Layers that audits will ask for, with the places that ask; looked up before the
            work.
        device: Where it is fitted.
        cache_dir: Folder of the cache.
        progress: Where to report to.
        evaluated: Labels of the split that an extractor is evaluated on; None measures nothing.

    Raises:
        InputError: the network has no such layer, cannot take the images, or starting weights do
            not fit.
        PlanError: there are no labels to fit it on.
        ExecutionError: too many unreadable images, or the cache cannot be written.
    """
    path = cache_dir / NETWORKS / f"{step.id}.safetensors"
    notes = read_notes(path)
    if notes is None:
        fitting = Fitting(step, spec, model, dataset, outputs, device, progress)
        notes = fitting.run(path, labels, evaluated, layers)
    record = InputRecord(
        role="trained network",
        name=f"recipe {step.id}",
        digest=notes.digest,
        num_bytes=path.stat().st_size,
    )
    return FittedNetwork(path, notes.digest, record, notes.training, notes.quarantined)


def read_notes(path: Path) -> Notes | None:
    """What is kept beside the weights; None where they must be fitted (again)."""
    beside = path.with_suffix(".json")
    if not path.is_file() or not beside.is_file():
        return None
    try:
        notes = Notes.model_validate_json(beside.read_bytes())
    except ValidationError:
        return None
    return notes if file_digest(path) == notes.digest else None


@final
@dataclass(frozen=True)
class Fitting:
    """One network that is fitted now."""

    step: Train
    spec: AuditSpec
    model: TrainedModel
    dataset: Dataset
    outputs: Sequence[int]
    device: torch.device
    progress: Progress

    def run(
        self,
        path: Path,
        labels: Labels,
        evaluated: Labels | None,
        layers: Mapping[str, Sequence[str]],
    ) -> Notes:
        """Fit the network, measure it, and put it into the cache."""
        targets = self._targets(labels)
        network = start_network(self.model, targets.num_targets)
        refuse_missing_layers(network, layers)
        images = self._load(self.model.split, labels, np.arange(len(labels.ids)))
        refuse_unfit_images(network, images.pixels, self.model, self.step.network)
        # Loaded before the work: an unreadable folder should not cost a training.
        test = None if evaluated is None else self._test_images(network, evaluated)
        report = self._fit(network, images.pixels, targets.values[list(images.kept)])
        accuracies = self._measure(network, report, test)
        split = test.evaluated.split if test is not None else None
        training = self._record(report, accuracies, split)
        quarantined = (*images.quarantined, *(test.quarantined if test is not None else ()))
        return keep_network(path, network, self.device, quarantined, training)

    def _fit(self, network: nn.Module, pixels: Tensor, targets: Tensor) -> FitReport:
        model = self.model
        title = f"train {model.network.name}"
        with self.progress.step(title, model.recipe.epochs, "epochs") as advance:
            return fit(
                network,
                pixels,
                targets,
                model.recipe,
                preprocess=model.preprocess,
                device=self.device,
                head=model.replace_head if model.freeze_backbone else None,
                on_epoch=lambda: advance(1),
            )

    def _measure(
        self, network: nn.Module, report: FitReport, test: HeldOut | None
    ) -> Accuracies | None:
        if test is None:
            return None
        if report.diverged is not None:
            absent = Estimate.absent(report.diverged)
            return Accuracies(absent, absent if self.model.recipe.adversary else None, None)
        if not len(test.evaluated.pixels):
            absent = Estimate.absent(f"split {test.evaluated.split!r} has no readable image")
            return Accuracies(absent, absent if self.model.recipe.adversary else None, None)
        return measure_accuracies(
            network,
            self.model,
            self.step.network,
            test.evaluated,
            device=self.device,
            progress=self.progress,
        )

    def _test_images(self, network: nn.Module, labels: Labels) -> HeldOut:
        """All images of the split it is evaluated on, or a fair sample of them."""
        split = evaluated_split(self.model)
        rows = shuffled(labels.ids, self.model.recipe.seed)[:MAX_IMAGES]
        images = self._load(split, labels, rows)
        refuse_unfit_images(network, images.pixels, self.model, self.step.network)
        values = self._targets(labels).values[rows[list(images.kept)]]
        evaluated = Evaluated(images.pixels, values, split, len(labels.ids))
        return HeldOut(evaluated, images.quarantined)

    def _targets(self, labels: Labels) -> Targets:
        return targets_of(self.model, labels, self.outputs, self.dataset.classes)

    def _load(self, split: str, labels: Labels, rows: NDArray[np.int64]) -> Loaded:
        return load_rows(
            self.dataset,
            self.model,
            self.step.network,
            split,
            labels,
            rows,
            max_unreadable=self.spec.engine.max_unreadable,
            progress=self.progress,
        )

    def _record(
        self, report: FitReport, accuracies: Accuracies | None, split: str | None
    ) -> TrainingRecord:
        model, role = self.model, self.step.network
        diverged = accuracies.unlearnt if accuracies is not None else None
        if report.diverged is not None:
            diverged = (
                f"The training of the {role} broke down: {report.diverged}. Nothing is claimed on "
                f"it. {next_move(model, role)}"
            )
        return TrainingRecord(
            network=role,
            name=model.network.name,
            digest="",  # of the weights, once they are written
            device=describe(self.device),
            num_epochs=len(report.epoch_losses),
            epoch_losses=tuple(loss for loss in report.epoch_losses if math.isfinite(loss)),
            adversary=in_words(model.recipe.adversary),
            evaluated_on=split,
            clean_accuracy=accuracies.clean if accuracies is not None else None,
            robust_accuracy=accuracies.robust if accuracies is not None else None,
            diverged=diverged,
        )


class HeldOut(NamedTuple):
    """What a fitted network is measured on, and what of its split could not be read."""

    evaluated: Evaluated
    quarantined: tuple[Quarantined, ...]


def evaluated_split(model: TrainedModel) -> str:
    """The split that a fitted network is measured on.

    Raises:
        ValueError: it names none.
    """
    split = model.evaluate if isinstance(model, TrainedExtractor) else None
    if split is None:
        raise ValueError("labels to evaluate on came for a network that names no split for it")
    return split


def in_words(adversary: AdversarySpec | None) -> str | None:
    """`l2, eps 0.5, 7 steps of 0.18`."""
    if adversary is None:
        return None
    steps = f"{adversary.num_steps} step{'' if adversary.num_steps == 1 else 's'}"
    size = training_step_size(adversary)
    return f"{adversary.norm}, eps {adversary.eps:.3g}, {steps} of {size:.2g}"


def keep_network(
    path: Path,
    network: nn.Module,
    device: torch.device,
    quarantined: tuple[Quarantined, ...],
    training: TrainingRecord,
) -> Notes:
    """Write the weights and what belongs to them.

    Raises:
        ExecutionError: no permission or no space; nothing half-written is left.
    """
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    content = save(state)
    digest = sha256(content).hexdigest()
    notes = Notes(
        digest=digest,
        device=describe(device),
        num_threads=torch.get_num_threads(),
        quarantined=quarantined,
        training=training.model_copy(update={"digest": digest}),
    )
    write_text(path.with_suffix(".json"), f"{notes.model_dump_json(indent=2)}\n")
    write_bytes(path, content)
    return notes


class Targets(NamedTuple):
    """What a network is fitted to.

    Attributes:
        values: float32 [N, T] in {+1, -1, 0 unknown} for the multi-label loss; int64 [N] class
            indices, -1 unknown, for the multi-class loss.
        num_targets: T, or the number of classes.
    """

    values: Tensor
    num_targets: int


def targets_of(
    model: TrainedModel,
    labels: Labels,
    outputs: Sequence[int],
    classes: tuple[str, ...] | None,
) -> Targets:
    """Targets of every row in file order; column k is for output k of the network.

    Raises:
        PlanError: the split has no class labels, or an attribute names an output beyond the last.
    """
    if model.recipe.loss == "multi_class":
        if labels.classes is None or classes is None:
            raise PlanError(
                f"split {model.split!r} has no class labels to fit a network on",
                hint="give the dataset labels and `classes`, or set recipe.loss to multi_label",
            )
        return Targets(torch.from_numpy(labels.classes.astype(np.int64)), len(classes))
    count = model.network.num_outputs if model.replace_head is None else len(outputs)
    if any(index >= count for index in outputs):
        raise PlanError(
            f"an attribute is scored by output {max(outputs)}, but the fitted network has {count}",
            hint=f"number the outputs of the attributes from 0 to {count - 1}",
        )
    values = torch.zeros(len(labels.ids), count)
    values[:, list(outputs)] = torch.from_numpy(labels.attributes)
    return Targets(values, count)
