"""The folds at work: from a batch to what each of its images shows, or to counts of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from auditor.audits.groups.needs import (
    Side,
    compared_output,
    layer_of,
    maps_output,
    masks_output,
    side_layer,
    side_role,
)
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.groups.states import (
    IMAGE_FOLDS,
    LevelsState,
    OverlapState,
    TableState,
    ThresholdsState,
)
from auditor.context import Context
from auditor.errors import InputError
from auditor.measure.dissection import Totals, overlap
from auditor.measure.fold import Batch
from auditor.measure.quantiles import Sampling, bucket, sampling, top_values
from auditor.measure.threads import threads_for
from auditor.needs import Output

CAPACITY = 32_768
"""Largest values kept per filter: T_u is exact as long as they suffice."""

FOLD_SEED = -4
"""Salt of the hash that deals images to folds; not the one by which another audit deals them."""


@final
@dataclass(frozen=True)
class Table:
    """What every image of one split shows, and the values of the group columns."""

    spec: GroupsSpec
    context: Context
    split: str

    def measure(self, batch: Batch) -> TableState:
        """The state of this batch alone.

        Raises:
            InputError: the layer has no places, or predictions have the wrong form.
        """
        filters = self.spec.compare == "filters"
        num_images = len(batch.ids)
        levels = no_levels()
        peaks = torch.zeros(num_images, 0)
        present = torch.zeros(num_images, 0, dtype=torch.int8)
        if filters:
            layer = layer_of(self.spec, self.context)
            maps, peaks = spatial(batch.outputs[maps_output(self.spec.inspect, layer)], layer)
            levels = levels_of(maps, batch, self.spec, self.context, self.split)
        else:
            present = shown(self.spec, self.context, batch).to(torch.int8)
        columns = [batch.columns[name].cpu() for name in self.context.columns]
        empty = torch.zeros(num_images, 0, dtype=torch.int64)
        return TableState(
            rows=batch.rows.cpu(),
            columns=torch.stack(columns, 1) if columns else empty,
            peaks=peaks.cpu(),
            present=present,
            values=levels.values,
            num_places=levels.num_places,
            num_sampled=levels.num_sampled,
            side=levels.side,
        )

    def enough(self, state: TableState) -> bool:
        """All images count."""
        return False


@final
@dataclass(frozen=True)
class Levels:
    """The largest activations of one layer over one split."""

    spec: GroupsSpec
    context: Context
    split: str
    side: Side

    def measure(self, batch: Batch) -> LevelsState:
        """The state of this batch alone.

        Raises:
            InputError: the layer has no places.
        """
        layer = side_layer(self.side, self.spec, self.context)
        output = maps_output(side_role(self.side, self.context), layer)
        maps, _ = spatial(batch.outputs[output], layer)
        return levels_of(maps, batch, self.spec, self.context, self.split)

    def enough(self, state: LevelsState) -> bool:
        """All images count."""
        return False


@final
@dataclass(frozen=True)
class Regions:
    """Filters of one layer against the annotated concepts of one split."""

    spec: GroupsSpec
    context: Context
    side: Side
    thresholds: ThresholdsState

    @cached_property
    def categories(self) -> Tensor:
        """Position of each concept's category, int64 [C]."""
        return concept_categories(self.context)

    def measure(self, batch: Batch) -> OverlapState:
        """The state of this batch alone.

        Raises:
            InputError: the layer has no places.
        """
        layer = side_layer(self.side, self.spec, self.context)
        role = side_role(self.side, self.context)
        maps, _ = spatial(batch.outputs[maps_output(role, layer)], layer)
        regions = batch.masks[masks_output(role, None)]
        limits = self.thresholds.first if self.side == "first" else self.thresholds.second
        folds = (bucket(batch.ids, FOLD_SEED) % IMAGE_FOLDS).tolist()
        num_categories = int(self.categories.max()) + 1 if len(self.categories) else 0
        totals = Totals(IMAGE_FOLDS, maps.shape[1], len(self.categories), num_categories)
        for image in regions.annotated.nonzero().flatten().tolist():
            own = regions.image == image
            with threads_for(maps[image].numel()):
                counts = overlap(
                    maps[image], limits, regions.concept[own], regions.masks[own], self.categories
                )
                totals.add(folds[image], counts)
        return OverlapState(
            intersections=totals.intersections,
            active=totals.active_original,
            areas=totals.areas,
            images=totals.images,
            num_annotated=regions.annotated.sum().reshape(1),
        )

    def enough(self, state: OverlapState) -> bool:
        """All images count."""
        return False


def refuse_flat(activation: Tensor, layer: str) -> None:
    """Raise where a layer, given by its output [B, ...], puts out no maps.

    Raises:
        InputError: with the shape.
    """
    if activation.ndim != 4 or activation.shape[2] * activation.shape[3] <= 1:
        raise InputError(
            f"layer {layer!r} puts out {list(activation.shape[1:])} per image: its units have no "
            "places where they could be active",
            hint="name a layer with maps, such as the last convolution; `auditor layers` lists "
            "them with their shapes",
        )


def spatial(activation: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """Maps [B, U, h, w] of a layer, and their largest values [B, U].

    A map with a value that is not finite is -inf everywhere and has the largest value NaN.

    Raises:
        InputError: the layer has no places.
    """
    refuse_flat(activation, layer)
    maps = activation.detach().float()
    # The extremes are not finite where any value is not.
    peaks, floors = maps.amax((2, 3)), maps.amin((2, 3))
    broken = ~(peaks.isfinite() & floors.isfinite())
    if bool(broken.any()):
        maps = maps.masked_fill(broken[:, :, None, None], -torch.inf)
        peaks = peaks.masked_fill(broken, torch.nan)
    return maps, peaks


def levels_of(
    maps: Tensor, batch: Batch, spec: GroupsSpec, context: Context, split: str
) -> LevelsState:
    """The largest values of a batch's maps, by one sampling plan for all splits together."""
    num_images, _, height, width = maps.shape
    # Rows count from 0 in every split: each split draws places of its own.
    seed = context.seed + spec.splits.index(split)
    plan = plan_of(spec, context, (height, width))
    values, num_sampled = top_values(maps, batch.rows.cpu(), plan, seed=seed)
    return LevelsState(
        values=values.cpu(),
        num_places=torch.tensor([num_images * height * width]),
        num_sampled=torch.tensor([num_sampled]),
        side=torch.tensor([height, width]),
    )


def plan_of(spec: GroupsSpec, context: Context, side: tuple[int, int]) -> Sampling:
    """How the places of all splits together are sampled."""
    available = sum(context.num_available[name] for name in spec.splits)
    return sampling(available * side[0] * side[1], spec.share, CAPACITY)


def no_levels() -> LevelsState:
    """Where no filters are compared."""
    zero = torch.zeros(1, dtype=torch.int64)
    return LevelsState(torch.zeros(0, 1), zero, zero, torch.zeros(2, dtype=torch.int64))


def shown(spec: GroupsSpec, context: Context, batch: Batch) -> Tensor:
    """What each image shows [B, I]: 1 present, 0 absent, -1 unknown.

    Raises:
        InputError: predictions have the wrong form.
    """
    output = compared_output(spec, context)
    match spec.compare:
        case "attributes":
            signs = batch.attributes[:, [one.index for one in context.attributes]].cpu()
            return torch.where(signs > 0, 1, torch.where(signs < 0, 0, -1))
        case "concepts" if output is not None:
            return listed(batch, output, len(context.concepts))
        case "predictions":
            scores = None if output is None else batch.outputs[output].detach().cpu()
            return predicted(context, batch, scores)
        case _:
            raise ValueError(f"{spec.compare} are not read off single images")


def listed(batch: Batch, output: Output, num_concepts: int) -> Tensor:
    """Concepts that the annotation of each photo lists [B, C]; -1 without an annotation."""
    regions = batch.masks[output]
    found = torch.zeros(len(batch.ids), num_concepts, dtype=torch.int64)
    found[~regions.annotated.cpu()] = -1
    found[regions.image.cpu(), regions.concept.cpu()] = 1
    return found


def predicted(context: Context, batch: Batch, scores: Tensor | None) -> Tensor:
    """What each image is called [B, I]: attributes of a model with one output each, else classes.

    Raises:
        InputError: a column of predictions is missing.
    """
    if scores is not None and context.head != "multi_class":
        chosen = scores[:, [attribute.output for attribute in context.attributes]]
        return torch.where(chosen.isfinite(), (chosen > 0).long(), -1)
    if scores is not None:
        called = torch.where(scores.isfinite().all(1), scores.argmax(1), -1)
        return one_hot(called, scores.shape[1])
    if batch.predictions is None:
        raise InputError(
            "there is no column of predictions to compare",
            hint="give the dataset a column of predictions, or name a network as `model`",
        )
    return one_hot(batch.predictions.cpu(), len(context.classes or ()))


def one_hot(classes: Tensor, num_classes: int) -> Tensor:
    """Class indices [B], -1 unknown, as 1 for the class, 0 for others, -1 unknown, [B, I]."""
    hot = (classes.unsqueeze(1) == torch.arange(num_classes)).long()
    return hot.masked_fill((classes < 0).unsqueeze(1), -1)


def concept_categories(context: Context) -> Tensor:
    """Position of each concept's category among the different ones, int64 [C]."""
    names = list(dict.fromkeys(concept.category for concept in context.concepts))
    found = [names.index(concept.category) for concept in context.concepts]
    return torch.tensor(found, dtype=torch.int64)
