"""A `Train` step: a network fitted from a recipe in the spec, once, and kept by what decides it.

    <cache>/networks/<step id>.safetensors    the weights
    <cache>/networks/<step id>.json           their digest, where they were fitted, what was unread

The weights are written last and the digest must fit, so a training that was killed starts again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import save
from torch import Tensor, nn

from auditor.adapters.datasets.protocol import Dataset
from auditor.adapters.models.open import start_network
from auditor.adapters.models.training import fit
from auditor.catalog import AuditSpec
from auditor.engine.device import describe
from auditor.engine.network import refuse_missing_layers
from auditor.engine.progress import Progress
from auditor.engine.rows import Images, Labels, Rows, stacked, too_many_unreadable
from auditor.errors import PlanError
from auditor.inventory.digest import file_digest
from auditor.needs import Source
from auditor.plan.steps import Train
from auditor.results.run_record import InputRecord, Quarantined
from auditor.spec.model import TrainedModel
from auditor.store.atomic import write_bytes, write_text
from auditor.store.history import NETWORKS

READ = 256
"""Images that are decoded at once."""


class Notes(BaseModel):
    """What is kept beside the weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    device: str
    num_threads: int
    quarantined: tuple[Quarantined, ...]


@final
@dataclass(frozen=True)
class FittedNetwork:
    """A fitted network in the cache.

    Attributes:
        path: Its weights, safetensors.
        digest: SHA-256 of that file.
        record: The weights as an input of the run.
        quarantined: Images that it could not be fitted on.
    """

    path: Path
    digest: str
    record: InputRecord
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
) -> FittedNetwork:
    """Take the network from the cache, or fit it now.

    Args:
        step: The step; its id names the files.
        spec: The spec.
        model: Its model.
        dataset: Where images come from.
        labels: Labels of the split that it is fitted on.
        outputs: Index of the output that scores each attribute.
        layers: Layers that audits will ask for, with the audits' ids; looked up before the work.
        device: Where it is fitted.
        cache_dir: Folder of the cache.
        progress: Where to report to.

    Raises:
        InputError: the network has no such layer, or starting weights do not fit.
        PlanError: there are no labels to fit it on.
        ExecutionError: too many unreadable images, or the cache cannot be written.
    """
    path = cache_dir / NETWORKS / f"{step.id}.safetensors"
    notes = read_notes(path)
    if notes is None:
        notes = fit_now(
            path, spec, model, dataset, labels, outputs, layers, device=device, progress=progress
        )
    record = InputRecord(
        role="trained network",
        name=f"recipe {step.id}",
        digest=notes.digest,
        num_bytes=path.stat().st_size,
    )
    return FittedNetwork(path, notes.digest, record, notes.quarantined)


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


def fit_now(
    path: Path,
    spec: AuditSpec,
    model: TrainedModel,
    dataset: Dataset,
    labels: Labels,
    outputs: Sequence[int],
    layers: Mapping[str, Sequence[str]],
    *,
    device: torch.device,
    progress: Progress,
) -> Notes:
    """Fit the network and put it into the cache."""
    targets = targets_of(model, labels, outputs, dataset.classes)
    network = start_network(model, targets.num_targets)
    refuse_missing_layers(network, layers)
    images = load_split(dataset, model, labels, spec.engine.max_unreadable, progress)
    title = f"train {model.network.name}"
    with progress.step(title, model.recipe.epochs, "epochs") as advance:
        fit(
            network,
            images.pixels,
            targets.values[list(images.kept)],
            model.recipe,
            preprocess=model.preprocess,
            device=device,
            head=model.replace_head if model.freeze_backbone else None,
            on_epoch=lambda: advance(1),
        )
    return keep_network(path, network, device, images.quarantined)


def keep_network(
    path: Path, network: nn.Module, device: torch.device, quarantined: tuple[Quarantined, ...]
) -> Notes:
    """Write the weights and what belongs to them.

    Raises:
        ExecutionError: no permission or no space; nothing half-written is left.
    """
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    content = save(state)
    notes = Notes(
        digest=sha256(content).hexdigest(),
        device=describe(device),
        num_threads=torch.get_num_threads(),
        quarantined=quarantined,
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


def load_split(
    dataset: Dataset,
    model: TrainedModel,
    labels: Labels,
    max_unreadable: float,
    progress: Progress,
) -> Images:
    """The whole split in memory, in file order: networks of this size are fitted many times over.

    Raises:
        InputError: images differ in size after preprocessing.
        ExecutionError: too many unreadable images.
    """
    count = len(labels.ids)
    rows = Rows(dataset, Source(split=model.split), labels, np.arange(count), model.preprocess)
    pixels: list[Tensor] = []
    kept: list[int] = []
    quarantined: list[Quarantined] = []
    with progress.step(f"load {model.split}", count, "images") as advance:
        for start in range(0, count, READ):
            part = rows.images(start, min(start + READ, count))
            pixels.extend(part.pixels)
            kept.extend(start + place for place in part.kept)
            quarantined.extend(part.quarantined)
            advance(min(READ, count - start))
    if len(quarantined) > max_unreadable * count:
        raise too_many_unreadable(quarantined, count, model.split, max_unreadable)
    ids = [labels.ids[row] for row in kept]
    return Images(stacked(pixels, ids), tuple(kept), tuple(quarantined))
