"""The folds at work: `levels` reads how active each unit is, `regions` what is there when it is.

Both look at maps [B, U, h, w]; `regions` also at channels [B, d, h, w] of the same places, and at
the annotated regions of each image. Each image is measured by itself, so nothing depends on how
images are cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from auditor.audits.filters.needs import channels_output, layer_of, maps_output, masks_output
from auditor.audits.filters.seeing import Image, Learnt, Shown, learnt, shown
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.states import IMAGE_FOLDS, LevelsState, RegionsState, SelectedState
from auditor.context import Context
from auditor.errors import InputError
from auditor.measure.dissection import Totals, overlap
from auditor.measure.fold import Batch
from auditor.measure.quantiles import bucket, sampling, top_images, top_values
from auditor.measure.threads import threads_for


@final
@dataclass(frozen=True)
class Levels:
    """Largest activations over all places, and most activating images, of every unit."""

    spec: FiltersSpec
    context: Context

    def measure(self, batch: Batch) -> LevelsState:
        """The state of this batch alone.

        Raises:
            InputError: the layer has no places, or its values are not finite.
        """
        maps = maps_of(self.spec, self.context, batch)
        num_images, _, height, width = maps.shape
        threshold = self.spec.threshold
        num_places = self.context.num_available[self.spec.split] * height * width
        plan = sampling(num_places, threshold.share, threshold.capacity)
        rows = batch.rows.cpu()
        values, num_sampled = top_values(maps, rows, plan, seed=self.context.seed)
        peaks = maps.amax((2, 3))
        return LevelsState(
            values=values,
            images=top_images(peaks, rows, self.spec.naming.images),
            peak=peaks.amax(0),
            floor=maps.amin((0, 2, 3)),
            num_places=torch.tensor([num_images * height * width]),
            num_sampled=torch.tensor([num_sampled]),
            num_images=torch.tensor([num_images]),
            side=torch.tensor([height, width]),
        )

    def enough(self, state: LevelsState) -> bool:
        """All images count."""
        return False


@final
@dataclass(frozen=True)
class Regions:
    """Units against annotated regions, what the explainer learns from and what it is asked."""

    spec: FiltersSpec
    context: Context
    selected: SelectedState

    @cached_property
    def pairs(self) -> dict[int, Tensor]:
        """Row -> positions of the chosen pairs of its image."""
        return positions(self.selected.pair_row)

    @cached_property
    def nulls(self) -> dict[int, Tensor]:
        """Row -> positions of the null's pairs of its image."""
        return positions(self.selected.null_row)

    @cached_property
    def quota(self) -> float:
        """Regions to learn from, per image."""
        if self.spec.explainer is None:
            return 0.0
        return self.spec.explainer.max_regions / self.context.num_available[self.spec.split]

    def measure(self, batch: Batch) -> RegionsState:
        """The state of this batch alone.

        Raises:
            InputError: the layer has no places, or its values are not finite.
        """
        masks = batch.masks[masks_output(self.spec)]
        categories = category_index(self.context)
        num_categories = len(category_names(self.context))
        num_units = len(self.selected.thresholds)
        totals = Totals(IMAGE_FOLDS, num_units, len(categories), num_categories)
        regions: list[Learnt] = []
        pairs: list[Shown] = []
        for image in images_of(self.spec, self.context, batch):
            # Many short steps per image: a second thread would be waited for at each of them.
            with threads_for(image.maps.numel()):
                totals.add(
                    image.bucket % IMAGE_FOLDS,
                    overlap(
                        image.maps,
                        self.selected.thresholds,
                        image.concepts,
                        image.masks,
                        categories,
                    ),
                )
                regions.append(learnt(self.spec, image, self.quota, seed=self.context.seed))
                pairs.append(self.shown(image))
        return RegionsState(
            intersections=totals.intersections,
            active_original=totals.active_original,
            active_lite=totals.active_lite,
            areas=totals.areas,
            images=totals.images,
            num_annotated=masks.annotated.sum().reshape(1),
            grid=torch.tensor(masks.masks.shape[1:]),
            **Learnt(*joined(regions))._asdict(),
            **Shown(*joined(pairs))._asdict(),
        )

    def enough(self, state: RegionsState) -> bool:
        """All images count."""
        return False

    def shown(self, image: Image) -> Shown:
        """What the explainer is asked about in this image; nothing without an explainer."""
        nothing = torch.zeros(0, dtype=torch.int64)
        asked = self.spec.explainer is not None
        pairs = self.pairs.get(image.row, nothing) if asked else nothing
        nulls = self.nulls.get(image.row, nothing) if asked else nothing
        return shown(
            self.spec,
            image,
            self.selected,
            pairs,
            nulls,
            num_concepts=len(self.context.concepts),
            seed=self.context.seed,
        )


def category_names(context: Context) -> tuple[str | None, ...]:
    """Categories of the concepts, in order of first appearance; None counts as one."""
    return tuple(dict.fromkeys(concept.category for concept in context.concepts))


def category_index(context: Context) -> Tensor:
    """Position of each concept's category among `category_names`, int64 [C]."""
    names = category_names(context)
    found = [names.index(concept.category) for concept in context.concepts]
    return torch.tensor(found, dtype=torch.int64)


def maps_of(spec: FiltersSpec, context: Context, batch: Batch) -> Tensor:
    """Where each unit is active in each image, float32 [B, U, h, w], on the CPU.

    Raises:
        InputError: the layer has no places, or its values are not finite.
    """
    output = maps_output(spec, context)
    maps = batch.outputs[output].detach().float().cpu()
    refuse_flat(maps, output.layer or "", context.audit)
    broken = (~maps.flatten(1).isfinite().all(1)).nonzero().flatten().tolist()
    if broken:
        raise InputError(
            f"layer {layer_of(spec, context)!r} puts out values that are not finite for image "
            f"{batch.ids[broken[0]]!r}",
            hint="check the network's weights for NaN, and the preprocessing",
        )
    return maps


def refuse_flat(maps: Tensor, layer: str, audit: str) -> None:
    """Raise where the units of a layer, given by its output [B, ...], have no places.

    Raises:
        InputError: with the shape, and the way to look at such units all the same.
    """
    if maps.dim() != 4 or maps.shape[2] * maps.shape[3] <= 1:
        raise InputError(
            f"layer {layer!r} puts out {list(maps.shape[1:])} per image: its units have no places "
            "where they could be active",
            hint=f"name a spatial layer that runs before it as `start` of audit {audit!r}, such as "
            "the last convolution",
        )


def images_of(spec: FiltersSpec, context: Context, batch: Batch) -> Iterator[Image]:
    """The images of a batch, one by one, each with its maps, channels and regions.

    Raises:
        InputError: as `maps_of`.
    """
    maps = maps_of(spec, context, batch)
    channels = maps[:, :0]
    if spec.explainer is not None:
        channels = batch.outputs[channels_output(spec, context)].detach().float().cpu()
    masks = batch.masks[masks_output(spec)]
    buckets = bucket(batch.ids, context.seed).tolist()
    ends = torch.bincount(masks.image, minlength=len(batch.ids)).cumsum(0).tolist()
    start = 0
    for index, (end, row) in enumerate(zip(ends, batch.rows.tolist(), strict=True)):
        yield Image(
            id=batch.ids[index],
            row=row,
            bucket=buckets[index],
            maps=maps[index],
            channels=channels[index],
            concepts=masks.concept[start:end],
            masks=masks.masks[start:end],
        )
        start = end


def positions(rows: Tensor) -> dict[int, Tensor]:
    """Row -> where it stands among some rows, int64 ascending."""
    found: dict[int, list[int]] = {}
    for position, row in enumerate(rows.tolist()):
        found.setdefault(row, []).append(position)
    return {row: torch.tensor(several) for row, several in found.items()}


def joined(parts: Sequence[tuple[Tensor, ...]]) -> Iterator[Tensor]:
    """Tuples of tensors, joined field by field."""
    return (torch.cat(several) for several in zip(*parts, strict=True))
