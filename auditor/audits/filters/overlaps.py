"""Filters against annotated concepts: the best concept of each filter, the best filter of one."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from auditor.audits.filters.folds import category_index
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.states import RegionsState
from auditor.context import Context
from auditor.measure.dissection import Best, best_concepts, iou
from auditor.results.estimate import Estimate

LEVEL = 0.95
METHOD = "jackknife over parts of the images"


class Detection(NamedTuple):
    """The filter that overlaps one concept most.

    Attributes:
        unit: The filter; -1 where none overlaps it.
        iou: Over all images.
        held_out: On parts of the images that the filter was not chosen on.
    """

    unit: int
    iou: Estimate
    held_out: Estimate


def active_pixels_of(spec: FiltersSpec, regions: RegionsState) -> Tensor:
    """Active pixels by the denominator in force, float64 [J, U, K]."""
    if spec.dissection.denominator == "lite":
        return regions.active_lite
    return regions.active_original


def best_of_filters(
    spec: FiltersSpec, context: Context, regions: RegionsState, audited: Tensor
) -> Best:
    """The best audited concept of every filter."""
    active, categories = active_pixels_of(spec, regions), category_index(context)
    return best_concepts(regions.intersections, active, regions.areas, categories, audited)


def best_filter(
    spec: FiltersSpec, context: Context, regions: RegionsState, concept: int
) -> Detection:
    """The filter that overlaps a concept most.

    Intersection over union takes filter and concept alike, so the kernel that chooses among
    concepts also chooses among filters: their active pixels stand where areas do. The best of many
    filters is too good as well, hence the held-out value.
    """
    category = int(category_index(context)[concept])
    best = best_concepts(
        regions.intersections[:, :, concept].unsqueeze(1),
        regions.areas[:, concept].reshape(-1, 1, 1),
        active_pixels_of(spec, regions)[:, :, category],
        torch.zeros(regions.intersections.shape[1], dtype=torch.int64),
        torch.ones(regions.intersections.shape[1], dtype=torch.bool),
    )
    if int(best.concept[0]) < 0:
        return Detection(-1, Estimate(value=0.0), Estimate(value=0.0))
    return Detection(int(best.concept[0]), *estimates(best, 0))


def estimates(best: Best, index: int) -> tuple[Estimate, Estimate]:
    """Intersection over union with its interval, and the same held out."""
    whole = (best.iou, best.low, best.high)
    held_out = (best.held_out, best.held_out_low, best.held_out_high)
    first, second = (estimate(*(float(end[index]) for end in ends)) for ends in (whole, held_out))
    return first, second


def estimate(value: float, low: float, high: float) -> Estimate:
    """A value of a kernel that says -1 where there is nothing."""
    if value < 0:
        return Estimate.absent("there is no overlap to measure")
    return Estimate(value=value, low=low, high=high, level=LEVEL, method=METHOD)


def detects(spec: FiltersSpec, whole: Estimate, held_out: Estimate) -> bool:
    """Whether both values are above the threshold."""
    return min(whole.value or 0.0, held_out.value or 0.0) > spec.dissection.detector


def all_overlaps(spec: FiltersSpec, context: Context, regions: RegionsState) -> Tensor:
    """Intersection over union of every filter with every concept, float64 [U, C]."""
    active, categories = active_pixels_of(spec, regions), category_index(context)
    return iou(regions.intersections, active, regions.areas, categories)
