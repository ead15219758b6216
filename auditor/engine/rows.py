"""The rows of one source in reading order: who they are at once, their pixels when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auditor.adapters.datasets.protocol import Dataset, Unreadable
from auditor.adapters.features import Features
from auditor.adapters.models.preprocess import fit_geometry
from auditor.engine.order import shuffled
from auditor.engine.regions import masks_of, read_regions
from auditor.errors import ExecutionError, InputError
from auditor.measure.fold import Masks
from auditor.needs import NetworkRole, Output, Source
from auditor.results.run_record import Quarantined
from auditor.spec.model import Preprocess

Geometry = tuple[int | None, int | None]
"""Resize and crop of a preprocessing."""


class Images(NamedTuple):
    """Decoded images of a range of rows.

    Attributes:
        pixels: uint8 [R, 3, h, w] per network, the readable images after its resize and crop.
            Networks that resize and crop alike share one tensor.
        kept: Positions of the readable images inside the range.
        quarantined: The others, each with its reason; also readable images whose annotated regions
            cannot be used.
        masks: The regions, for each output that asks for them.
    """

    pixels: Mapping[NetworkRole, Tensor]
    kept: tuple[int, ...]
    quarantined: tuple[Quarantined, ...]
    masks: Mapping[Output, Masks]


@dataclass(frozen=True)
class Labels:
    """What is known of every row of a split without looking at an image, in file order.

    Attributes:
        ids: Sample ids.
        attributes: float32 [N, A], +1 present, -1 absent, 0 unknown.
        classes: int64 [N], -1 unknown; None where the dataset has no classes.
        predictions: int64 [N], -1 unknown; None where the model is a network.
        columns: Group column to int64 [N], positions in `Context.columns`, -1 unknown.
    """

    ids: Sequence[str]
    attributes: NDArray[np.float32]
    classes: NDArray[np.int64] | None
    predictions: NDArray[np.int64] | None = None
    columns: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Rows:
    """Rows of a source in the order of a scan; positions count from its start.

    Attributes:
        dataset: Where images come from.
        source: Which split, under which view.
        labels: Everything else about the rows.
        order: Row number at each position.
        preprocess: Resize and crop, for each network that will look at the images.
        features: Features of every row of the split that were computed elsewhere.
        regions: The outputs of the kind `masks` that are wanted with the images.
    """

    dataset: Dataset
    source: Source
    labels: Labels
    order: NDArray[np.int64]
    preprocess: Mapping[NetworkRole, Preprocess]
    features: Features | None = None
    regions: tuple[Output, ...] = ()
    _pool: ThreadPoolExecutor | None = None
    _ahead: dict[tuple[int, int], Future[Images]] = field(default_factory=dict)

    def ids(self, start: int, stop: int) -> tuple[str, ...]:
        """Sample ids of a range."""
        return tuple(self.labels.ids[row] for row in self.order[start:stop])

    def numbers(self, start: int, stop: int) -> Tensor:
        """Row numbers of a range in file order, int64 [B]."""
        return torch.from_numpy(self.order[start:stop])

    def attributes(self, start: int, stop: int) -> Tensor:
        """Attribute labels of a range, float32 [B, A]."""
        return torch.from_numpy(self.labels.attributes[self.order[start:stop]])

    def classes(self, start: int, stop: int) -> Tensor | None:
        """Class labels of a range, int64 [B]."""
        found = self.labels.classes
        return None if found is None else torch.from_numpy(found[self.order[start:stop]])

    def predictions(self, start: int, stop: int) -> Tensor | None:
        """Recorded predictions of a range, int64 [B]."""
        found = self.labels.predictions
        return None if found is None else torch.from_numpy(found[self.order[start:stop]])

    def columns(self, start: int, stop: int) -> dict[str, Tensor]:
        """Group columns of a range, int64 [B] each."""
        rows = self.order[start:stop]
        return {name: torch.from_numpy(codes[rows]) for name, codes in self.labels.columns.items()}

    def stored_features(self, start: int, stop: int) -> Tensor:
        """Features of a range that were computed elsewhere, float32 [B, F].

        Raises:
            ValueError: the source has none.
        """
        if self.features is None:
            raise ValueError(f"no features were opened for split {self.source.split!r}")
        return torch.from_numpy(self.features.read(self.order[start:stop]))

    def read_ahead(self, start: int, stop: int) -> None:
        """Begin to decode a range in another thread, where the spec grants one."""
        if self._pool is not None and (start, stop) not in self._ahead:
            self._ahead[start, stop] = self._pool.submit(self._decode, start, stop)

    def images(self, start: int, stop: int) -> Images:
        """The images of a range; each range is asked for once.

        Raises:
            InputError: images differ in size after preprocessing, or a path leaves the dataset.
        """
        pending = self._ahead.pop((start, stop), None)
        return pending.result() if pending is not None else self._decode(start, stop)

    def _decode(self, start: int, stop: int) -> Images:
        rows = self.order[start:stop].tolist()
        return decoded(self.dataset, self.source, self.labels, rows, self.preprocess, self.regions)


def decoded(
    dataset: Dataset,
    source: Source,
    labels: Labels,
    rows: Sequence[int],
    preprocess: Mapping[NetworkRole, Preprocess],
    regions: Sequence[Output] = (),
) -> Images:
    """Decode some rows once, and resize and crop them once for all networks that do it alike.

    Annotated regions, where some output asks for them, follow the image through both.

    Raises:
        InputError: images differ in size after preprocessing, or a path leaves the dataset.
    """
    images, quarantined = readable(dataset, source, labels, rows)
    kept = tuple(images)
    ids = [labels.ids[rows[position]] for position in kept]
    shared: dict[Geometry, Tensor] = {}
    for role, each in preprocess.items():
        if geometry(each) not in shared:
            fitted = [fit_geometry(image, each) for image in images.values()]
            shared[geometry(each)] = stacked(fitted, ids, role)
    pixels = {role: shared[geometry(each)] for role, each in preprocess.items()}
    if not regions:
        return Images(pixels, kept, quarantined, {})
    found = read_regions(dataset, source, rows, images)
    unusable = tuple(
        Quarantined(sample=labels.ids[rows[place]], split=source.split, reason=reason)
        for place, reason in found.problems.items()
    )
    masks = {
        output: masks_of(output, found, kept, pixels[output.network], preprocess[output.network])
        for output in regions
    }
    return Images(pixels, kept, (*quarantined, *unusable), masks)


def readable(
    dataset: Dataset, source: Source, labels: Labels, rows: Sequence[int]
) -> tuple[dict[int, Tensor], tuple[Quarantined, ...]]:
    """Position to decoded image uint8 [3, H, W] for the readable rows, and the other rows.

    Raises:
        InputError: a path leaves the dataset.
    """
    images: dict[int, Tensor] = {}
    quarantined = []
    found = dataset.read(source.split, rows, source.view)
    for position, (row, image) in enumerate(zip(rows, found, strict=True)):
        if isinstance(image, Unreadable):
            sample = labels.ids[row]
            quarantined.append(Quarantined(sample=sample, split=source.split, reason=image.reason))
        else:
            images[position] = image
    return images, tuple(quarantined)


def geometry(preprocess: Preprocess) -> Geometry:
    """The part of a preprocessing that decides pixels before normalisation."""
    return preprocess.resize, preprocess.crop


@contextmanager
def open_rows(
    dataset: Dataset,
    source: Source,
    labels: Labels,
    preprocess: Mapping[NetworkRole, Preprocess],
    *,
    seed: int,
    num_workers: int,
    features: Features | None = None,
    regions: tuple[Output, ...] = (),
) -> Iterator[Rows]:
    """The rows of a source, shuffled by sample id, with `num_workers` threads that decode ahead."""
    order = shuffled(labels.ids, seed)
    if not num_workers:
        yield Rows(dataset, source, labels, order, preprocess, features, regions)
        return
    with ThreadPoolExecutor(num_workers, thread_name_prefix="decode") as pool:
        try:
            yield Rows(dataset, source, labels, order, preprocess, features, regions, pool)
        finally:
            pool.shutdown(cancel_futures=True)


def stacked(images: Sequence[Tensor], ids: Sequence[str], role: NetworkRole = "model") -> Tensor:
    """One tensor uint8 [R, 3, h, w] for the network of a role.

    Raises:
        InputError: the images differ in size.
    """
    if not images:
        return torch.zeros(0, 3, 0, 0, dtype=torch.uint8)
    for image, sample in zip(images, ids, strict=True):
        if image.shape != images[0].shape:
            raise InputError(
                f"images differ in size: {ids[0]} has {_size(images[0])} pixels, "
                f"{sample} {_size(image)}",
                hint=f"set `{role}.preprocess.resize` and `{role}.preprocess.crop`",
            )
    return torch.stack(list(images))


def too_many_unreadable(
    quarantined: Sequence[Quarantined], num_images: int, split: str, max_unreadable: float
) -> ExecutionError:
    """What a run says when it stops over images that cannot be read."""
    example = quarantined[0]
    return ExecutionError(
        f"{len(quarantined)} of {num_images} images read from split {split!r} are unreadable, "
        f"such as {example.sample}: {example.reason}",
        hint=f"mend the images, or raise engine.max_unreadable (now {max_unreadable:g})",
    )


def _size(image: Tensor) -> str:
    return f"{image.shape[2]}×{image.shape[1]}"
