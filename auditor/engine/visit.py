"""A visit: the rows that a solve chose, decoded again, and the network that is lent for them.

Unreadable images are dropped and reported, however many they are: a picture that cannot be shown
is no reason to lose what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from auditor.adapters.datasets.protocol import Dataset
from auditor.adapters.models.preprocess import fit_geometry
from auditor.engine.network import PlacedNetwork
from auditor.engine.rows import Labels, readable, stacked
from auditor.measure.fold import Visited
from auditor.needs import NetworkRole, Source
from auditor.results.run_record import Quarantined
from auditor.spec.model import Preprocess

AT_ONCE = 32
"""Images that are decoded before they are made smaller."""

READABLE = 256
"""Short side, in pixels, that a picture has at most where no network says how large it is."""


def visited(
    dataset: Dataset,
    source: Source,
    labels: Labels,
    rows: Sequence[int],
    *,
    network: PlacedNetwork | None,
    preprocess: Preprocess | None,
    role: NetworkRole,
) -> tuple[Visited, tuple[Quarantined, ...]]:
    """The readable images among some rows, and the others with their reasons.

    Args:
        dataset: Where images come from.
        source: Split and view.
        labels: What is known of every row of the split.
        rows: Positions in the split, ascending.
        network: The network at hand.
        preprocess: Resize and crop; where there is none, pictures are made small and alike.
        role: Whose resize and crop that is, for errors.

    Raises:
        InputError: images differ in size after preprocessing, or a path leaves the dataset.
    """
    images: list[Tensor] = []
    kept: list[int] = []
    quarantined: list[Quarantined] = []
    for start in range(0, len(rows), AT_ONCE):
        chunk = rows[start : start + AT_ONCE]
        found, unreadable = readable(dataset, source, labels, chunk)
        quarantined.extend(unreadable)
        kept.extend(chunk[place] for place in found)
        images.extend(
            small(image) if preprocess is None else fit_geometry(image, preprocess)
            for image in found.values()
        )
    ids = tuple(labels.ids[row] for row in kept)
    pixels = stacked(alike(images) if preprocess is None else images, ids, role)
    numbers = torch.tensor(kept, dtype=torch.int64)
    return Visited(numbers, ids, pixels, network), tuple(quarantined)


def small(image: Tensor) -> Tensor:
    """An image [3, H, W] with a short side of at most `READABLE` pixels."""
    if min(image.shape[1:]) <= READABLE:
        return image
    return fit_geometry(image, Preprocess(resize=READABLE))


def alike(images: Sequence[Tensor]) -> Sequence[Tensor]:
    """Images of one size: as they are, or the centre squares at the shortest side of all."""
    if len({image.shape for image in images}) <= 1:
        return images
    side = min(min(image.shape[1:]) for image in images)
    return [fit_geometry(image, Preprocess(resize=side, crop=side)) for image in images]
