"""Thresholds, chosen images and counts of a scan, against what was planted in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from auditor.audits.filters.folds import Levels, Regions, category_index, category_names
from auditor.audits.filters.needs import maps_output
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.states import IMAGE_FOLDS
from auditor.context import Context
from auditor.errors import InputError
from auditor.measure.dissection import iou
from auditor.measure.quantiles import bucket
from auditor.measure.state import to_tensors
from tests.unit.filters.conftest import Measured, Reference

MakeSpec = Callable[..., FiltersSpec]
MakeContext = Callable[..., Context]
Measure = Callable[..., Measured]

SAMPLED = {"share": 0.05, "capacity": 64}
"""Room for half of the 126 places that are active in 40 images of 63: the others stand in."""


def same_bytes(first: object, second: object) -> bool:
    """Whether two states agree in every bit."""
    pairs = zip(to_tensors(first).items(), to_tensors(second).items(), strict=True)
    return all(a == b and x.dtype == y.dtype and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.mark.parametrize("threshold", [{"share": 0.05}, SAMPLED])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_batches_do_not_show_in_any_state(
    make_spec: MakeSpec,
    make_context: MakeContext,
    measured: Measure,
    reference: Reference,
    batch_size: int,
    threshold: dict[str, float],
) -> None:
    spec, context = make_spec(threshold=threshold), make_context()
    rows = torch.randperm(40, generator=torch.Generator().manual_seed(1)).tolist()
    whole = measured(spec, context, reference, rows=rows)
    parts = measured(spec, context, reference, rows=rows, batch_size=batch_size)
    assert bool(whole.selected.exact) == (threshold is not SAMPLED)
    for name in ("levels", "selected", "regions"):
        assert same_bytes(getattr(whole, name), getattr(parts, name))


def test_the_order_of_the_images_does_not_show_in_levels_and_counts(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    spec, context = make_spec(threshold=SAMPLED), make_context()
    forward = measured(spec, context, reference)
    backward = measured(spec, context, reference, rows=range(39, -1, -1))
    assert same_bytes(forward.levels, backward.levels)
    assert same_bytes(forward.selected, backward.selected)
    for name in ("intersections", "active_original", "active_lite", "areas", "images"):
        assert torch.equal(getattr(forward.regions, name), getattr(backward.regions, name))


def test_thresholds_leave_the_share_of_places_above(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    found = measured(make_spec(), make_context(), reference)
    live = found.selected.alive
    assert live.tolist() == [True, False, True, True, True, True]
    above = reference.maps > found.selected.thresholds[:, None, None]
    # Values are all different: exactly floor(0.05 · 40 · 63) places lie above.
    assert above.sum((0, 2, 3))[live].tolist() == [126] * 5
    assert found.selected.exact.all()
    assert float(found.selected.rank_error) == 0.0


def test_sampled_thresholds_stay_within_their_stated_rank_error(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    found = measured(make_spec(threshold=SAMPLED), make_context(), reference).selected
    above = (reference.maps > found.thresholds[:, None, None]).float().mean((0, 2, 3))
    assert not found.exact
    assert 0 < float(found.rank_error) < 0.05
    assert ((above[found.alive] - 0.05).abs() <= found.rank_error).all()


@pytest.mark.parametrize("spread", [True, False])
def test_no_more_images_qualify_than_places_are_active(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, spread: bool
) -> None:
    share, side = 0.02, 3
    maps = torch.rand(100, 1, side, side, generator=torch.Generator().manual_seed(0))
    if spread:
        # Each image has one high place: as many images as possible qualify.
        maps[:, 0, 1, 1] += 10
    reference = Reference(maps, maps, torch.ones(100, dtype=torch.bool), [[]] * 100)
    context = make_context(num_available={"test": 100})
    selected = measured(make_spec(threshold={"share": share}), context, reference).selected
    qualified = (maps.amax((2, 3)) > selected.thresholds).float().mean()
    ceiling = share * side * side
    assert qualified <= ceiling + 1e-6
    assert not spread or qualified == pytest.approx(ceiling)


def test_dead_units_have_no_threshold_images_or_pixels(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    maps = reference.maps.clone()
    maps[:, 2] = 1.5  # the same everywhere
    maps[:, 3] = -maps[:, 3].abs() - 0.1  # never above 0
    found = measured(make_spec(), make_context(), replace(reference, maps=maps, channels=maps))
    assert found.selected.alive.tolist() == [True, False, False, False, True, True]
    dead = torch.tensor([1, 2, 3])
    assert found.selected.thresholds[dead].isinf().all()
    assert not torch.isin(found.selected.pair_unit, dead).any()
    assert not torch.isin(found.selected.null_unit, dead).any()
    assert not torch.isin(found.selected.evaluated, dead).any()
    assert found.regions.active_original[:, dead].sum() == 0
    assert found.regions.intersections[:, dead].sum() == 0
    assert found.regions.intersections[:, 0].sum() > 0


def test_a_layer_that_is_dead_altogether_is_measured(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    maps = torch.zeros_like(reference.maps)
    found = measured(make_spec(), make_context(), replace(reference, maps=maps, channels=maps))
    assert not found.selected.alive.any()
    assert len(found.selected.pair_unit) == len(found.regions.pair_unit) == 0
    assert found.regions.areas.sum() > 0
    assert found.regions.region_features.shape[1] == 6
    assert found.regions.other_features.shape == (0, 4, 6)


def test_pairs_are_the_most_activating_images_first(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    maps = reference.maps.clone()
    maps[3:, 4] = -1.0  # only three images activate unit 4
    found = measured(make_spec(), make_context(), replace(reference, maps=maps, channels=maps))
    selected, peaks = found.selected, maps.amax((2, 3))
    for unit in (0, 2, 3, 4, 5):
        mine = selected.pair_unit == unit
        top = peaks[:, unit].topk(3 if unit == 4 else 5)
        assert selected.pair_row[mine].tolist() == top.indices.tolist()
        assert torch.equal(selected.pair_value[mine], top.values)
    assert selected.pair_unit.equal(selected.pair_unit.sort().values)


def test_the_null_draws_as_many_images_at_random(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    found = measured(make_spec(), make_context(), reference).selected
    again = measured(make_spec(), make_context(), reference).selected
    other = measured(make_spec(), make_context(seed=6), reference).selected
    assert torch.equal(found.null_unit, found.pair_unit)
    assert torch.equal(found.null_row, again.null_row)
    assert not torch.equal(found.null_row, other.null_row)
    assert not torch.equal(found.null_row, found.pair_row)
    drawn = [found.null_row[found.null_unit == unit] for unit in (0, 2, 3, 4, 5)]
    assert all(len(set(rows.tolist())) == 5 for rows in drawn)
    assert all(((rows >= 0) & (rows < 40)).all() for rows in drawn)
    assert not torch.equal(drawn[0], drawn[1])
    assert len(found.evaluated) == 3
    assert set(found.evaluated.tolist()) < {0, 2, 3, 4, 5}


def test_a_unit_equal_to_a_region_has_an_iou_of_one(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    maps = torch.rand(40, 2, 16, 16, generator=torch.Generator().manual_seed(2))
    maps[:, 0] = 0.0
    for row, regions in enumerate(reference.regions):
        for concept, mask in regions:
            if concept == 2:
                maps[row, 0] = mask.float()
    planted = replace(reference, maps=maps, channels=maps)
    # Fewer places are active than the threshold leaves: T_u is 0, and the region lies above.
    found = measured(make_spec(threshold={"share": 0.3}), make_context(), planted).regions
    categories = category_index(make_context())
    for active in (found.active_original, found.active_lite):
        value = iou(found.intersections, active, found.areas, categories)
        assert value[0, 2] == 1.0
        assert value[0, :2].max() < 0.5
        assert value[1].max() < 0.5


def test_counts_agree_with_a_loop_over_images_and_units(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    context = make_context()
    found = measured(make_spec(), context, reference)
    assert category_names(context) == ("object", "colour")
    num_units, kinds = 6, category_index(context).tolist()
    intersections = torch.zeros(IMAGE_FOLDS, num_units, 3, dtype=torch.float64)
    original = torch.zeros(IMAGE_FOLDS, num_units, 2, dtype=torch.float64)
    lite = torch.zeros_like(original)
    areas = torch.zeros(IMAGE_FOLDS, 3, dtype=torch.float64)
    images = torch.zeros(IMAGE_FOLDS, 3, dtype=torch.int64)
    for row, regions in enumerate(reference.regions):
        fold = int(bucket([f"image {row}"], context.seed)) % IMAGE_FOLDS
        maps = functional.interpolate(
            reference.maps[row : row + 1], size=(16, 16), mode="bilinear", align_corners=False
        )[0]
        for unit in range(num_units):
            active = maps[unit] > found.selected.thresholds[unit]
            for kind in {kinds[concept] for concept, _ in regions}:
                original[fold, unit, kind] += active.sum()
                under = [bool((active & mask).any()) for c, mask in regions if kinds[c] == kind]
                lite[fold, unit, kind] += active.sum() * any(under)
            for concept, mask in regions:
                intersections[fold, unit, concept] += (active & mask).sum()
        for concept, mask in regions:
            areas[fold, concept] += mask.sum()
            images[fold, concept] += 1
    assert torch.equal(found.regions.intersections, intersections)
    assert torch.equal(found.regions.active_original, original)
    assert torch.equal(found.regions.active_lite, lite)
    assert torch.equal(found.regions.areas, areas)
    assert torch.equal(found.regions.images, images)
    assert int(found.regions.num_annotated) == 39
    assert found.regions.grid.tolist() == [16, 16]


@pytest.mark.parametrize("rows", [[3], [4], [5], [0]])
def test_one_image_is_enough_annotated_or_not(
    make_spec: MakeSpec,
    make_context: MakeContext,
    measured: Measure,
    reference: Reference,
    rows: list[int],
) -> None:
    found = measured(make_spec(), make_context(), reference, rows=rows)
    assert int(found.levels.num_images) == 1
    assert int(found.regions.num_annotated) == (rows != [3])
    assert int(found.regions.images.sum()) == len(reference.regions[rows[0]])
    left = sum(bool(mask.any()) for _, mask in reference.regions[rows[0]])
    assert len(found.regions.region_concept) == left
    assert len(found.regions.pair_unit) == 5


@pytest.mark.parametrize("shape", [(2, 6), (2, 6, 1, 1), (2, 9, 6)])
def test_a_layer_without_places_says_what_to_name(
    make_spec: MakeSpec, make_context: MakeContext, reference: Reference, shape: tuple[int, ...]
) -> None:
    spec, context = make_spec(), make_context()
    batch = reference.batch(spec, context, [0, 1], 16)
    batch = replace(batch, outputs={maps_output(spec, context): torch.rand(shape)})
    with pytest.raises(InputError, match=r"'conv' puts out .* no places") as caught:
        Levels(spec, context).measure(batch)
    assert "`start`" in str(caught.value.hint)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_maps_that_are_not_finite_name_the_image(
    make_spec: MakeSpec, make_context: MakeContext, reference: Reference, value: float
) -> None:
    spec, context = make_spec(), make_context()
    maps = reference.maps.clone()
    maps[1, 2, 3, 4] = value
    batch = replace(reference, maps=maps, channels=maps).batch(spec, context, [0, 1], 16)
    with pytest.raises(InputError, match="not finite for image 'image 1'"):
        Levels(spec, context).measure(batch)


def test_without_an_explainer_nothing_but_overlaps_is_measured(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    words, plain = make_spec(), make_spec(explainer=None)
    found = measured(plain, make_context(), reference)
    assert torch.equal(
        found.regions.intersections,
        measured(words, make_context(), reference).regions.intersections,
    )
    for name in ("region_features", "pair_features", "other_features", "null_features"):
        assert len(getattr(found.regions, name)) == 0
    # Cards still show the most activating images.
    assert len(found.selected.pair_unit) == 25
    assert len(found.selected.null_unit) == len(found.selected.evaluated) == 0


def test_regions_and_thresholds_reach_a_layer_without_places_through_another(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    spec, context = make_spec(layer="fc", start="conv"), make_context()
    channels: Tensor = torch.rand(40, 11, 7, 9, generator=torch.Generator().manual_seed(3))
    found = measured(spec, context, replace(reference, channels=channels))
    assert found.levels.values.shape[0] == 6
    assert found.regions.pair_features.shape == (25, 11)
    fold = Regions(spec, context, found.selected)
    assert not fold.enough(found.regions)
    assert not Levels(spec, context).enough(found.levels)
