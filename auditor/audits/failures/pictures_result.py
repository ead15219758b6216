"""Pictures on their way: which images show a slice, and their files once they were looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auditor.audits.failures.growing import group_seed
from auditor.audits.failures.result import GroupResult, LeafResult, PictureResult
from auditor.audits.failures.spec import PicturesSpec
from auditor.audits.failures.states import GrownState, PicturesState, TableState
from auditor.measure.jpeg import jpeg

Slices = Sequence[tuple[GroupResult, LeafResult]]


class Chosen(NamedTuple):
    """Rows of the split that pictures of S slices need, -1 where there are fewer.

    Attributes:
        rows: All of them once, ascending, int64 [R].
        feature: The feature that is shown [S].
        activating: [S, images].
        failures: [S, failures].
        successes: [S, failures].
        values: The feature of the most activating images, float32 [S, images].
    """

    rows: Tensor
    feature: Tensor
    activating: Tensor
    failures: Tensor
    successes: Tensor
    values: Tensor


class PictureFiles(NamedTuple):
    """What the pictures of all slices come to.

    Attributes:
        results: One per slice, strongest first.
        maps: Heat maps of all shown activating images in a row, float32 [K, h, w]; None without a
            network.
        images: File name -> JPEG.
    """

    results: tuple[PictureResult, ...]
    maps: NDArray[np.float32] | None
    images: Mapping[str, bytes]


def choose(
    spec: PicturesSpec,
    table: TableState,
    samples: Mapping[str, Tensor],
    slices: Slices,
    *,
    seed: int,
) -> Chosen:
    """Images that show each slice.

    The most activating images come from the whole split. Failures and successes come from the
    images that rates are read on: those the tree did not see, where some were held back.

    Args:
        spec: How many of each.
        table: Everything known of every image.
        samples: Group id -> row, part, failed and deepest node of its images, int32 [n, 4].
        slices: Groups, each with the leaf that is shown.
        seed: Seed of the audit.
    """
    shape = (len(slices), spec.failures)
    activating = torch.full((len(slices), spec.images), -1)
    failures, successes = torch.full(shape, -1), torch.full(shape, -1)
    values = torch.zeros(activating.shape)
    feature = torch.zeros(len(slices), dtype=torch.int64)
    for s, (group, leaf) in enumerate(slices):
        feature[s] = leaf.path[-1].feature
        top = table.features[:, int(feature[s])].sort(descending=True, stable=True)
        fill(activating[s], table.rows[top.indices[: spec.images]])
        fill(values[s], top.values[: spec.images])
        rows, part, failed, node = samples[group.id].long().unbind(1)
        scored = part == (0 if group.confirmed is None else 1)
        inside = scored & (failed > 0) & lies_below(node, leaf.node)
        generator = torch.Generator().manual_seed(group_seed(seed, group.id))
        fill(failures[s], drawn(rows[inside], spec.failures, generator))
        fill(successes[s], drawn(rows[scored & (failed == 0)], spec.failures, generator))
    wanted = torch.cat([activating.flatten(), failures.flatten(), successes.flatten()])
    return Chosen(
        torch.unique(wanted[wanted >= 0]), feature, activating, failures, successes, values
    )


def fill(target: Tensor, values: Tensor) -> None:
    """Write values to the front of a line, and leave the rest of it."""
    target[: len(values)] = values


def drawn(rows: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Some rows at random, each at most once."""
    return rows[torch.randperm(len(rows), generator=generator)[:most]]


def lies_below(nodes: Tensor, index: int) -> Tensor:
    """Which nodes are a node or descend from it: halving an index leads to the parent."""
    found = nodes == index
    while bool((nodes > index).any()):
        nodes = nodes // 2
        found = found | (nodes == index)
    return found


def picture_files(grown: GrownState, pictures: PicturesState, slices: Slices) -> PictureFiles:
    """Results, heat maps and JPEG files of all slices; unreadable images are left out.

    Args:
        grown: What was chosen.
        pictures: What the images looked like.
        slices: Groups, each with the leaf that is shown, in the order of both states.
    """
    photos = {row: index for index, row in enumerate(pictures.rows.tolist())}
    images: dict[str, bytes] = {}
    results: list[PictureResult] = []
    maps: list[NDArray[np.float32]] = []
    for s, (group, leaf) in enumerate(slices):
        shown = pictures.shown[s].nonzero().flatten().tolist()
        activating = [photo(images, photos, pictures, int(grown.activating[s, j])) for j in shown]
        attacked = []
        for j in shown if len(pictures.attacked) else ():
            name = f"attacked-{s:03d}-{j:02d}.jpg"
            images[name] = jpeg(pictures.attacked[s, j])
            attacked.append(name)
        # Without a network at hand the feature was not measured again: the store's values stand.
        before = pictures.before if len(pictures.attacked) else grown.values
        has_maps = bool(len(pictures.maps) and shown)
        start = sum(len(block) for block in maps)
        if has_maps:
            maps.append(pictures.maps[s, shown].float().numpy())
        results.append(
            PictureResult(
                group=group.id,
                node=leaf.node,
                depth=leaf.depth,
                feature=int(grown.feature[s]),
                activating=tuple(activating),
                activations=numbers(before[s, shown]),
                attacked=tuple(attacked),
                attacked_activations=numbers(pictures.after[s, shown]) if attacked else (),
                distances=numbers(pictures.distance[s, shown]) if attacked else (),
                heatmaps=start if has_maps else None,
                failures=readable(images, photos, pictures, grown.failures[s]),
                successes=readable(images, photos, pictures, grown.successes[s]),
            )
        )
    joined = np.concatenate(maps) if maps else None
    return PictureFiles(tuple(results), joined, images)


def readable(
    images: dict[str, bytes], photos: Mapping[int, int], pictures: PicturesState, rows: Tensor
) -> tuple[str, ...]:
    """Files of those rows that are there and could be read."""
    return tuple(photo(images, photos, pictures, row) for row in rows.tolist() if row in photos)


def photo(
    images: dict[str, bytes], photos: Mapping[int, int], pictures: PicturesState, row: int
) -> str:
    """File name of a row's image; the image is encoded once, however often it is shown."""
    name = f"row-{row:07d}.jpg"
    if name not in images:
        images[name] = jpeg(pictures.pixels[photos[row]])
    return name


def numbers(values: Tensor) -> tuple[float, ...]:
    """Plain numbers of a vector."""
    return tuple(float(value) for value in values)
