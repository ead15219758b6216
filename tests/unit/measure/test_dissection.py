"""Overlaps of units with concepts: closed forms, a plain reference, and honest best concepts."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from auditor.measure import dissection
from auditor.measure.dissection import (
    Best,
    Totals,
    active_pixels,
    best_concepts,
    iou,
    overlap,
    pair_truth,
)

ALL = torch.ones(1, dtype=torch.bool)


class Image(NamedTuple):
    maps: Tensor
    concepts: Tensor
    masks: Tensor


def gathered(
    images: list[Image], thresholds: Tensor, categories: Tensor, *, num_folds: int = 1
) -> Totals:
    num_categories = int(categories.max()) + 1
    totals = Totals(num_folds, len(thresholds), len(categories), num_categories)
    for position, image in enumerate(images):
        maps, concepts, masks = image
        counts = overlap(maps, thresholds, concepts, masks, categories)
        totals.add(position % num_folds, counts)
    return totals


def ious(totals: Totals, categories: Tensor, *, lite: bool = False) -> Tensor:
    active = totals.active_lite if lite else totals.active_original
    return iou(totals.intersections, active, totals.areas, categories)


def reference_upsampled(values: NDArray[np.float64], grid: tuple[int, int]) -> NDArray[np.float64]:
    """Bilinear interpolation of one map, pixel by pixel, from its definition."""

    def neighbours(pixel: int, side: int, to: int) -> tuple[int, int, float]:
        at = min(max((pixel + 0.5) * side / to - 0.5, 0.0), side - 1.0)
        return int(at), min(int(at) + 1, side - 1), at - int(at)

    result = np.zeros(grid)
    for row, column in np.ndindex(*grid):
        top, bottom, y = neighbours(row, values.shape[0], grid[0])
        left, right, x = neighbours(column, values.shape[1], grid[1])
        upper = values[top, left] * (1 - x) + values[top, right] * x
        lower = values[bottom, left] * (1 - x) + values[bottom, right] * x
        result[row, column] = upper * (1 - y) + lower * y
    return result


def reference_iou(
    images: list[Image], thresholds: Tensor, categories: Tensor, *, lite: bool
) -> list[list[float]]:
    """Unit by unit, concept by concept and image by image, as the papers define it."""
    result = []
    for unit, threshold in enumerate(thresholds.tolist()):
        row = []
        for concept, category in enumerate(categories.tolist()):
            both = active_pixel_count = area = 0
            for maps, concepts, masks in images:
                grid = (int(masks.shape[1]), int(masks.shape[2]))
                active = reference_upsampled(maps[unit].double().numpy(), grid) > threshold
                regions = dict(zip(concepts.tolist(), masks.numpy(), strict=True))
                kin = [regions[c] for c in regions if categories[c] == category]
                if any((active & mask).any() for mask in kin) if lite else kin:
                    active_pixel_count += int(active.sum())
                if concept in regions:
                    both += int((active & regions[concept]).sum())
                    area += int(regions[concept].sum())
            union = active_pixel_count + area - both
            row.append(both / union if union else 0.0)
        result.append(row)
    return result


def discs(radius: float, offset: int, side: int) -> tuple[Tensor, Tensor]:
    """Two discs of the same radius, `offset` pixels apart, bool [side, side]."""
    y = torch.arange(side).unsqueeze(1) - side / 2
    x = torch.arange(side) - side / 2
    return x**2 + y**2 < radius**2, (x - offset) ** 2 + y**2 < radius**2


@pytest.mark.parametrize("offset", [0, 40, 100, 170])
def test_discs_have_the_overlap_of_the_closed_form(offset: int) -> None:
    radius, side = 90.0, 400
    unit, concept = discs(radius, offset, side)
    # A lens of two circles: 2 r² acos(d / 2r) - d / 2 · √(4 r² - d²).
    lens = 2 * radius**2 * math.acos(offset / (2 * radius)) - offset / 2 * math.sqrt(
        4 * radius**2 - offset**2
    )
    expected = lens / (2 * math.pi * radius**2 - lens)
    image = Image(unit.float().unsqueeze(0), torch.tensor([0]), concept.unsqueeze(0))
    totals = gathered([image], torch.tensor([0.5]), torch.tensor([0]))
    assert float(ious(totals, torch.tensor([0]))) == pytest.approx(expected, abs=5e-3)


def test_a_unit_equal_to_a_mask_has_iou_one() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(6, 3, 12, 12, generator=generator) > 0.6
    categories = torch.arange(3)
    # Unit u draws concept 2 - u of every image.
    images = [Image(mask.flip(0).float() * 7, categories, mask) for mask in masks]
    found = ious(gathered(images, torch.full((3,), 0.1), categories), categories)
    assert found.flip(0).diag().tolist() == [1.0, 1.0, 1.0]
    assert found.flip(0).fill_diagonal_(0).max() < 0.5


def test_one_active_place_becomes_the_region_of_bilinear_values_above_the_threshold() -> None:
    maps = torch.zeros(2, 4, 4)
    maps[0, 1, 1] = maps[1, 2, 1] = 1.0
    active = active_pixels(maps, torch.tensor([0.5, 0.5]), (128, 128))
    assert torch.equal(active[0].roll(32, 0), active[1])
    # (1 - |x|)(1 - |y|) > 1/2 around its centre: 2 (1 - ln 2) of a place.
    assert float(active[0].sum()) / 32**2 == pytest.approx(2 * (1 - math.log(2)), rel=0.01)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), lite=st.booleans())
def test_counts_are_those_of_plain_loops(seed: int, lite: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    # Whole values and sides that are powers of 2 apart: interpolation is exact on both sides.
    num_units, num_concepts, grid = 4, 5, (8, 16)
    categories = torch.randint(0, 3, (num_concepts,), generator=generator)
    images = []
    for _ in range(4):
        present = torch.rand(num_concepts, generator=generator) < 0.5
        concepts = present.nonzero().squeeze(1)
        # Order must not matter, nor masks that are empty.
        concepts = concepts[torch.randperm(len(concepts), generator=generator)]
        masks = torch.rand(len(concepts), *grid, generator=generator) < 0.3
        masks[torch.rand(len(concepts), generator=generator) < 0.2] = False
        maps = torch.randint(-2, 5, (num_units, 4, 4), generator=generator).float()
        images.append(Image(maps, concepts, masks))
    thresholds = torch.tensor([2.0, 3.0, 0.0, math.inf])
    found = ious(gathered(images, thresholds, categories, num_folds=3), categories, lite=lite)
    assert found.tolist() == reference_iou(images, thresholds, categories, lite=lite)


@pytest.mark.parametrize("side", [(7, 7), (13, 9), (1, 1), (40, 30)])
def test_maps_are_upsampled_as_by_interpolate(side: tuple[int, int]) -> None:
    generator, grid = torch.Generator().manual_seed(1), (24, 31)
    maps = torch.randn(20, *side, generator=generator)
    thresholds = torch.rand(20, generator=generator)
    wanted = interpolate(maps.double()[None], grid, mode="bilinear", align_corners=False)[0]
    distance = wanted - thresholds[:, None, None]
    clear = distance.abs() > 1e-5
    found = active_pixels(maps, thresholds, grid)
    assert torch.equal(found[clear], (distance > 0)[clear])
    assert clear.double().mean() > 0.99


def test_a_plateau_at_the_threshold_is_not_active() -> None:
    # 0.1 is no float: weighted sums of it may round to more than it.
    maps = torch.full((1, 5, 5), 0.1)
    maps[0, 0, 0] = 0.2
    active = active_pixels(maps, torch.tensor([0.1]), (37, 37))
    assert active.any()
    # Only pixels nearer than one place to the one place above.
    assert active.sum() == active[0, :12, :12].sum()


def test_dead_units_and_thresholds_never_passed_have_no_active_pixel() -> None:
    maps = torch.stack([torch.zeros(3, 3), torch.full((3, 3), 2.0), torch.ones(3, 3)])
    thresholds = torch.tensor([0.0, 2.0, math.inf])
    assert not active_pixels(maps, thresholds, (6, 6)).any()
    image = Image(maps, torch.tensor([0]), torch.ones(1, 6, 6, dtype=torch.bool))
    totals = gathered([image], thresholds, torch.tensor([0]))
    assert totals.active_original.sum() == totals.intersections.sum() == 0
    best = best_concepts(
        totals.intersections, totals.active_original, totals.areas, torch.tensor([0]), ALL
    )
    assert best.concept.tolist() == [-1, -1, -1]
    assert all((part == -1).all() for part in best[1:])


def corner(rows: int, columns: int) -> Tensor:
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[:rows, :columns] = True
    return mask


def test_the_original_and_the_lite_denominator_differ_by_hand() -> None:
    # Two images, one unit, active in the upper left 2 x 2 of both. Concept 0 (category 0) covers
    # the upper left 2 x 4 of the first image and the lowest row of the second, as does concept 1.
    active = corner(2, 2).float().unsqueeze(0)
    lowest = corner(1, 4).flip(0)
    categories = torch.tensor([0, 1])
    images = [
        Image(active, torch.tensor([0]), corner(2, 4).unsqueeze(0)),
        Image(active, torch.tensor([0, 1]), torch.stack([lowest, lowest])),
    ]
    totals = gathered(images, torch.tensor([0.0]), categories)
    assert totals.intersections.tolist() == [[[4.0, 0.0]]]
    assert totals.areas.tolist() == [[12.0, 4.0]]
    # Both images are annotated with category 0; under active pixels only the first.
    assert totals.active_original.tolist() == [[[8.0, 4.0]]]
    assert totals.active_lite.tolist() == [[[4.0, 0.0]]]
    assert ious(totals, categories).tolist() == [[4 / (8 + 12 - 4), 0.0]]
    assert ious(totals, categories, lite=True).tolist() == [[4 / (4 + 12 - 4), 0.0]]


def test_active_pixels_of_images_without_the_category_do_not_count() -> None:
    active = corner(2, 2).float().unsqueeze(0)
    categories = torch.tensor([0, 1, 0])
    images = [
        Image(active, torch.tensor([0]), corner(2, 2).unsqueeze(0)),
        Image(active, torch.tensor([1]), corner(1, 1).unsqueeze(0)),
        Image(active, torch.tensor([], dtype=torch.int64), torch.zeros(0, 4, 4, dtype=torch.bool)),
    ]
    totals = gathered(images, torch.tensor([0.0]), categories)
    assert totals.active_original.tolist() == [[[4.0, 4.0]]]
    # Concept 0 is met exactly; concept 2 of its category never occurs.
    assert ious(totals, categories).tolist() == [[1.0, 0.25, 0.0]]
    # In one pool of all concepts every annotated image counts.
    pool = torch.zeros(3, dtype=torch.int64)
    assert ious(gathered(images, torch.tensor([0.0]), pool), pool).tolist() == [[4 / 8, 1 / 8, 0.0]]


def test_an_annotated_concept_without_a_pixel_left_still_lists_its_image() -> None:
    active = corner(2, 2).float().unsqueeze(0)
    image = Image(active, torch.tensor([1]), torch.zeros(1, 4, 4, dtype=torch.bool))
    categories = torch.tensor([0, 1])
    totals = gathered([image], torch.tensor([0.0]), categories)
    assert totals.images.tolist() == [[0, 1]]
    assert totals.active_original.tolist() == [[[0.0, 4.0]]]
    assert ious(totals, categories).tolist() == [[0.0, 0.0]]


def test_pair_truth_is_the_overlap_in_one_image() -> None:
    active = torch.stack([corner(2, 2), corner(4, 4), corner(0, 0)])
    masks = torch.stack([corner(2, 2), corner(2, 4), corner(0, 0)])
    concepts = torch.tensor([3, 0, 1])
    truth = pair_truth(active, concepts, masks, 5, 0.25)
    # Ratios: unit 0 with concepts 3 and 0: 1 and 1/2; unit 1: 1/4, which is not above, and 1/2.
    assert truth.tolist() == [
        [True, False, False, True, False],
        [True, False, False, False, False],
        [False] * 5,
    ]


def test_units_are_upsampled_a_few_at_a_time_to_the_same_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = torch.Generator().manual_seed(3)
    maps = torch.randn(11, 5, 6, generator=generator)
    masks = torch.rand(3, 20, 24, generator=generator) < 0.4
    thresholds = torch.randn(11, generator=generator)
    concepts, categories = torch.tensor([4, 0, 2]), torch.tensor([0, 0, 1, 1, 1])
    whole = overlap(maps, thresholds, concepts, masks, categories)
    active = active_pixels(maps, thresholds, (20, 24))
    assert whole.intersections.min() > 0
    monkeypatch.setattr(dissection, "_PIXELS", 3 * 20 * 24)
    again = overlap(maps, thresholds, concepts, masks, categories)
    assert all(torch.equal(*pair) for pair in zip(whole, again, strict=True))
    assert torch.equal(active_pixels(maps, thresholds, (20, 24)), active)
    # The two ways of counting agree.
    by_hand = (active[whole.units].unsqueeze(1) & masks).sum((2, 3))
    assert torch.equal(whole.intersections, by_hand.double())


def test_folds_that_are_kept_alone_count() -> None:
    both = torch.tensor([[[1.0]], [[4.0]]]).double()
    active, areas = torch.tensor([[[2.0]], [[4.0]]]).double(), torch.tensor([[2.0], [6.0]]).double()
    only = torch.tensor([0])
    assert iou(both, active, areas, only).tolist() == [[5 / 9]]
    assert iou(both, active, areas, only, keep=torch.tensor([True, False])).tolist() == [[1 / 3]]


def test_equal_concepts_give_the_lowest_and_unaudited_ones_none() -> None:
    both = torch.full((4, 2, 3), 2.0).double()
    active, areas = torch.full((4, 2, 1), 5.0).double(), torch.full((4, 3), 3.0).double()
    pool = torch.zeros(3, dtype=torch.int64)
    for audited, expected in (([1, 1, 1], 0), ([0, 1, 1], 1), ([0, 0, 0], -1)):
        best = best_concepts(both, active, areas, pool, torch.tensor(audited).bool())
        assert best.concept.tolist() == [expected, expected]
        value = 1 / 3 if expected >= 0 else -1.0
        assert best.iou.tolist() == best.held_out.tolist() == [value, value]
        # The same in every fold: nothing is uncertain.
        assert best.low.tolist() == best.high.tolist() == pytest.approx([value, value])


def test_one_fold_alone_says_nothing_about_others() -> None:
    both = torch.zeros(3, 1, 1).double()
    active, areas = torch.zeros(3, 1, 1).double(), torch.zeros(3, 1).double()
    both[1], active[1], areas[1] = 3.0, 4.0, 5.0
    best = best_concepts(both, active, areas, torch.tensor([0]), ALL)
    assert (float(best.iou), float(best.low), float(best.high)) == (0.5, 0.0, 1.0)
    # Nothing was there to choose it by without that fold, and the other folds hold nothing.
    assert float(best.held_out) == -1.0


def test_intervals_are_those_of_the_jackknife_by_hand() -> None:
    pairs = [(1.0, 4.0), (3.0, 6.0), (2.0, 10.0)]  # intersection and union of three folds
    both = torch.tensor([b for b, _ in pairs]).double().view(3, 1, 1)
    areas = torch.tensor([5.0] * 3).double().view(3, 1)
    active = torch.tensor([u + b - 5.0 for b, u in pairs]).double().view(3, 1, 1)
    best = best_concepts(both, active, areas, torch.tensor([0]), ALL)
    without = [5 / 16, 3 / 14, 4 / 10]
    mean = sum(without) / 3
    error = math.sqrt(2 / 3 * sum((value - mean) ** 2 for value in without))
    assert float(best.iou) == 6 / 20
    assert float(best.high) == pytest.approx(6 / 20 + 4.302653 * error)  # t with 2 degrees, .975
    assert float(best.low) == 0.0  # cut off at 0


def simulated(num_units: int, num_concepts: int, ratio: float, num_images: int) -> Best:
    """Best concepts where every unit has the same true IoU with every concept.

    Each image gives a union of random size and an intersection of `ratio` times that on average,
    independent between units, concepts and images.
    """
    generator = torch.Generator().manual_seed(0)
    folds = torch.randint(0, 10, (num_images,), generator=generator)
    size = 20 + torch.poisson(torch.full((num_images, 1, 1), 30.0), generator=generator).double()
    share = torch.rand(num_images, num_units, num_concepts, generator=generator).double() * 2
    both = torch.zeros(10, num_units, num_concepts).double()
    both = both.index_add(0, folds, (size * ratio * share).round())
    union = torch.zeros(10).double().index_add(0, folds, size.flatten())
    # Each concept a category of its own, all active pixels inside: areas are the unions.
    areas = union.unsqueeze(1).repeat(1, num_concepts)
    audited = torch.ones(num_concepts, dtype=torch.bool)
    return best_concepts(both, both, areas, torch.arange(num_concepts), audited)


def test_jackknife_intervals_cover() -> None:
    ratio = 0.2
    best = simulated(600, 1, ratio, 300)
    covered = ((best.low <= ratio) & (ratio <= best.high)).double().mean()
    assert 0.92 <= covered <= 0.98
    # One concept is no choice: in-sample and held-out values are the same.
    assert torch.equal(best.held_out, best.iou)
    assert torch.allclose(best.held_out_low, best.low, atol=1e-12)
    assert torch.allclose(best.held_out_high, best.high, atol=1e-12)


def test_held_out_values_are_free_of_the_optimism_of_choosing_the_best() -> None:
    ratio, num_units = 0.2, 200
    best = simulated(num_units, 40, ratio, 120)
    error = float(best.held_out.std()) / math.sqrt(num_units)
    assert abs(float(best.held_out.mean()) - ratio) < 4 * error
    assert float(best.iou.mean()) - ratio > 10 * error
    covered = (best.held_out_low <= ratio) & (ratio <= best.held_out_high)
    assert covered.double().mean() > 0.9
    assert ((best.low <= ratio) & (ratio <= best.high)).double().mean() < 0.8


def test_held_out_values_and_intervals_are_those_of_plain_loops() -> None:
    generator = torch.Generator().manual_seed(5)
    both = torch.randint(0, 6, (4, 7, 3), generator=generator).double()
    both[:, 6] = 0
    active = both.sum(2, keepdim=True) + torch.randint(0, 9, (4, 7, 1), generator=generator)
    areas = both.amax(1) + torch.randint(0, 9, (4, 3), generator=generator)
    categories, audited = torch.zeros(3, dtype=torch.int64), torch.tensor([True, False, True])
    best = best_concepts(both, active, areas, categories, audited)

    def pooled(unit: int, folds: list[int]) -> float:
        inside = outside = 0.0
        for fold in folds:
            rest = [other for other in folds if other != fold]
            ratios = []
            for concept in (0, 2):
                shared = sum(float(both[f, unit, concept]) for f in rest)
                total = sum(float(active[f, unit, 0] + areas[f, concept]) for f in rest) - shared
                ratios.append((shared / total, -concept))
            value, concept = max(ratios)
            if value > 0:
                shared = float(both[fold, unit, -concept])
                inside += shared
                outside += float(active[fold, unit, 0] + areas[fold, -concept]) - shared
        return inside / outside if outside else -1.0

    for unit in range(6):
        value = pooled(unit, [0, 1, 2, 3])
        again = [pooled(unit, [f for f in range(4) if f != left_out]) for left_out in range(4)]
        error = math.sqrt(3 / 4 * sum((part - sum(again) / 4) ** 2 for part in again))
        assert float(best.held_out[unit]) == pytest.approx(value)
        assert float(best.held_out_low[unit]) == pytest.approx(max(value - 3.182446 * error, 0.0))
        assert float(best.held_out_high[unit]) == pytest.approx(min(value + 3.182446 * error, 1.0))
    assert best.held_out[6] == best.concept[6] == -1
