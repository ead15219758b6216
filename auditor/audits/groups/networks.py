"""Two networks on the same images: which annotated concepts the filters of each detect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.special import stdtr, stdtrit
from torch import Tensor

from auditor.audits.groups.comparing import pooled_thresholds
from auditor.audits.groups.folds import concept_categories
from auditor.audits.groups.needs import Side, side_layer, side_role
from auditor.audits.groups.result import (
    ConceptResult,
    GroupsResult,
    NetworkResult,
    NetworksResult,
)
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.groups.states import (
    IMAGE_FOLDS,
    LevelsState,
    OverlapState,
    ThresholdsState,
)
from auditor.context import Context
from auditor.measure.dissection import iou
from auditor.measure.multiplicity import benjamini_hochberg
from auditor.results.estimate import Estimate
from auditor.wording import counted

LEVEL = 0.95
LISTED = 40
"""Concepts that the result lists; the table has all."""


@dataclass(frozen=True, eq=False)
class Matched:
    """The best filter of one network for each concept.

    Attributes:
        filters: int64 [C].
        iou: float64 [C].
        without: The same without each fold, the filter chosen anew, float64 [J, C].
    """

    filters: Tensor
    iou: Tensor
    without: Tensor


@dataclass(frozen=True, eq=False)
class Jackknifed:
    """A value per concept with its standard error; float64 [C].

    Attributes:
        value: Over all images.
        error: Delete-one-fold jackknife, over the folds that hold the concept.
        num_folds: Those folds, int64 [C].
    """

    value: Tensor
    error: Tensor
    num_folds: Tensor


def thresholds_state(
    spec: GroupsSpec,
    context: Context,
    first: Sequence[LevelsState],
    second: Sequence[LevelsState],
) -> ThresholdsState:
    """T_u of both layers, each over all splits."""
    one, other = (pooled_thresholds(spec, context, states) for states in (first, second))
    return ThresholdsState(
        first=one.values,
        second=other.values,
        side=torch.tensor([one.side, other.side]),
        exact=torch.tensor([one.exact and other.exact]),
        rank_error=torch.tensor([max(one.rank_error, other.rank_error)], dtype=torch.float64),
    )


def best_filters(state: OverlapState, categories: Tensor) -> Matched:
    """The filter with the largest intersection over union for each concept, lowest among equals."""

    def best(keep: Tensor | None) -> tuple[Tensor, Tensor]:
        found = iou(state.intersections, state.active, state.areas, categories, keep=keep)
        values = found.amax(0)
        positions = torch.arange(len(found)).unsqueeze(1)
        return values, torch.where(found == values, positions, len(found)).amin(0)

    values, filters = best(None)
    without = [best(torch.arange(IMAGE_FOLDS) != fold)[0] for fold in range(IMAGE_FOLDS)]
    return Matched(filters, values, torch.stack(without))


def jackknifed(value: Tensor, without: Tensor, images: Tensor) -> Jackknifed:
    """Delete-one-fold jackknife: (J - 1) / J · Σ (θ₍₋ⱼ₎ - mean)², over folds with the concept.

    Shao and Tu, The Jackknife and Bootstrap (1995). The choice of the filter is made anew without
    each fold, so its instability is part of the error.

    Args:
        value: [C].
        without: The value without each fold [J, C].
        images: Photos with the concept per fold, int64 [J, C].
    """
    counts = (images > 0).double()
    size = counts.sum(0)
    mean = (without * counts).sum(0) / size.clamp_min(1.0)
    spread = ((without - mean).square() * counts).sum(0)
    error = ((size - 1).clamp_min(0) / size.clamp_min(1.0) * spread).sqrt()
    return Jackknifed(value, error, size.long())


def networks_result(
    spec: GroupsSpec, context: Context, limits: ThresholdsState, sides: Sequence[OverlapState]
) -> tuple[GroupsResult, dict[str, list[object]]]:
    """The whole result, and the table of all concepts.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        limits: T_u of both layers.
        sides: Counts of the model's layer and of the other one, over all splits.
    """
    concepts = concept_results(spec, context, sides)
    order = sorted(concepts, key=lambda one: (not one.different, -distance(one), one.item))
    tested = [one for one in concepts if one.p_value.value is not None]
    networks = NetworksResult(
        first=network_result("first", spec, context, sides[0], concepts),
        second=network_result("second", spec, context, sides[1], concepts),
        detector=spec.detector,
        num_annotated=int(sides[0].num_annotated),
        num_concepts=len(context.concepts),
        num_rare=sum(one.num_images < spec.min_images for one in concepts),
        num_different=sum(one.different for one in concepts),
        concepts=tuple(order[:LISTED]),
    )
    result = GroupsResult(
        compare="networks",
        splits=spec.splits,
        inspected=context.model_title,
        layer=networks.first.layer,
        num_images=sum(context.num_available[name] for name in spec.splits),
        num_items=len(context.concepts),
        num_silent=sum(one.num_images == 0 for one in concepts),
        share=spec.share,
        exact=bool(limits.exact),
        rank_error=float(limits.rank_error),
        min_images=spec.min_images,
        min_difference=spec.min_difference,
        alpha=spec.alpha,
        num_tested=len(tested),
        networks=networks,
    )
    return result, concept_table(concepts)


def distance(one: ConceptResult) -> float:
    """Size of the difference; 0 where there is none to tell."""
    return abs(one.difference.value or 0.0)


def concept_results(
    spec: GroupsSpec, context: Context, sides: Sequence[OverlapState]
) -> list[ConceptResult]:
    """Every concept, in the order of the annotation."""
    if not context.concepts:
        return []
    categories = concept_categories(context)
    first, second = (best_filters(side, categories) for side in sides)
    images = sides[0].images
    num_images = images.sum(0)
    rare = num_images < spec.min_images
    one = jackknifed(first.iou, first.without, images)
    other = jackknifed(second.iou, second.without, images)
    gap = jackknifed(first.iou - second.iou, first.without - second.without, images)
    p_values = [None if bool(rare[c]) else p_of(gap, c) for c in range(len(context.concepts))]
    adjusted = benjamini_hochberg(p_values)
    found = []
    for c, concept in enumerate(context.concepts):
        detected = [float(each.iou[c]) > spec.detector for each in (first, second)]
        far = detected[0] != detected[1] or abs(float(gap.value[c])) >= spec.min_difference
        p_adjusted = adjusted[c]
        found.append(
            ConceptResult(
                item=c,
                name=concept.name,
                num_images=int(num_images[c]),
                first_filter=int(first.filters[c]),
                second_filter=int(second.filters[c]),
                first=estimate(one, c, spec, int(num_images[c]), bounds=(0.0, 1.0)),
                second=estimate(other, c, spec, int(num_images[c]), bounds=(0.0, 1.0)),
                difference=estimate(gap, c, spec, int(num_images[c]), bounds=(-1.0, 1.0)),
                p_value=tested(p_values[c], int(num_images[c]), spec),
                p_adjusted=tested(p_adjusted, int(num_images[c]), spec),
                different=p_adjusted is not None and p_adjusted <= spec.alpha and far,
            )
        )
    return found


def p_of(gap: Jackknifed, c: int) -> float | None:
    """Two-sided Student's t test that the difference is 0, with one degree of freedom less than
    folds; None where there are fewer than two."""
    folds, error, value = int(gap.num_folds[c]), float(gap.error[c]), float(gap.value[c])
    if folds < 2:
        return None
    if error == 0.0:
        return 1.0 if value == 0.0 else 0.0
    return min(1.0, 2.0 * float(stdtr(folds - 1, -abs(value) / error)))


def estimate(
    found: Jackknifed, c: int, spec: GroupsSpec, images: int, *, bounds: tuple[float, float]
) -> Estimate:
    """Value with its interval; absent for a concept that too few photos list."""
    if images < spec.min_images:
        return Estimate.absent(too_rare(images, spec), num_samples=images)
    value, folds = float(found.value[c]), int(found.num_folds[c])
    if folds < 2:
        return Estimate(value=value, num_samples=images)
    half = float(stdtrit(folds - 1, (1 + LEVEL) / 2)) * float(found.error[c])
    return Estimate(
        value=value,
        low=max(bounds[0], value - half),
        high=min(bounds[1], value + half),
        level=LEVEL,
        method="delete-one-fold jackknife",
        num_samples=images,
    )


def tested(p: float | None, images: int, spec: GroupsSpec) -> Estimate:
    if p is None:
        return Estimate.absent(too_rare(images, spec), num_samples=images)
    return Estimate(value=p, num_samples=images)


def too_rare(images: int, spec: GroupsSpec) -> str:
    shows = "shows" if images == 1 else "show"
    return f"{counted(images, 'picture')} {shows} it, {spec.min_images} are needed"


def network_result(
    side: Side,
    spec: GroupsSpec,
    context: Context,
    state: OverlapState,
    concepts: Sequence[ConceptResult],
) -> NetworkResult:
    """One network and the concepts that it detects, the clearest first."""
    values = [((one.first if side == "first" else one.second).value, one.name) for one in concepts]
    detected = sorted((-value, name) for value, name in values if value and value > spec.detector)
    extractor = context.extractor.title if context.extractor is not None else ""
    model = side_role(side, context) == "model"
    return NetworkResult(
        title=context.model_title if model else extractor,
        layer=side_layer(side, spec, context),
        num_filters=state.intersections.shape[1],
        detected=tuple(name for _, name in detected),
    )


def concept_table(concepts: Sequence[ConceptResult]) -> dict[str, list[object]]:
    """One row per concept, as columns."""
    table: dict[str, list[object]] = {}
    for name in ("name", "num_images", "first_filter", "second_filter", "different"):
        table[name] = [getattr(one, name) for one in concepts]
    for name in ("first", "second", "difference"):
        for end in ("value", "low", "high"):
            column = name if end == "value" else f"{name}_{end}"
            table[column] = [getattr(getattr(one, name), end) for one in concepts]
    for name in ("p_value", "p_adjusted"):
        table[name] = [getattr(one, name).value for one in concepts]
    return table
