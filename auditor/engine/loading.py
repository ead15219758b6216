"""Rows of a split in memory: networks of this size are fitted many times over the same images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from auditor.adapters.datasets.protocol import Dataset
from auditor.adapters.models.preprocess import normalise
from auditor.engine.network import first_answer
from auditor.engine.progress import Progress
from auditor.engine.rows import Labels, decoded, stacked, too_many_unreadable
from auditor.needs import NetworkRole, Source
from auditor.results.run_record import Quarantined
from auditor.spec.model import TrainedModel

READ = 256
"""Images that are decoded at once."""


class Loaded(NamedTuple):
    """Decoded images of some rows.

    Attributes:
        pixels: uint8 [R, 3, h, w], the readable images after resize and crop.
        kept: Their positions among the rows.
        quarantined: The others, each with its reason.
    """

    pixels: Tensor
    kept: tuple[int, ...]
    quarantined: tuple[Quarantined, ...]


def load_rows(
    dataset: Dataset,
    model: TrainedModel,
    role: NetworkRole,
    split: str,
    labels: Labels,
    rows: NDArray[np.int64],
    *,
    max_unreadable: float,
    progress: Progress,
) -> Loaded:
    """Decode some rows of a split, with the preprocessing of the network that is fitted.

    Raises:
        InputError: images differ in size after preprocessing.
        ExecutionError: too many unreadable images.
    """
    source, count = Source(split=split), len(rows)
    pixels: list[Tensor] = []
    kept: list[int] = []
    quarantined: list[Quarantined] = []
    with progress.step(f"load {split}", count, "images") as advance:
        for start in range(0, count, READ):
            some = rows[start : start + READ].tolist()
            part = decoded(dataset, source, labels, some, {role: model.preprocess})
            pixels.extend(part.pixels[role])
            kept.extend(start + place for place in part.kept)
            quarantined.extend(part.quarantined)
            advance(len(some))
    if len(quarantined) > max_unreadable * count:
        raise too_many_unreadable(quarantined, count, split, max_unreadable)
    ids = [labels.ids[int(rows[place])] for place in kept]
    return Loaded(stacked(pixels, ids, role), tuple(kept), tuple(quarantined))


def refuse_unfit_images(
    network: nn.Module, pixels: Tensor, model: TrainedModel, role: NetworkRole
) -> None:
    """Try one image before a long training.

    Raises:
        InputError: the network cannot take images of that size.
    """
    if len(pixels):
        inputs = normalise(pixels[:1], model.preprocess, torch.float32)
        first_answer(network, inputs, model.network.name, role)
