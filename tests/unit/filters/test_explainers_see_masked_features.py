"""What the regions of a scan hand to the explainer, against attended maps that are written out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch.nn import functional

from auditor.audits.filters.seeing import COMPARED, scattered, thinned
from auditor.audits.filters.spec import Attention, FiltersSpec
from auditor.audits.filters.states import METHODS
from auditor.context import Context
from auditor.measure.quantiles import bucket
from tests.unit.filters.conftest import Measured, Reference

MakeSpec = Callable[..., FiltersSpec]
MakeContext = Callable[..., Context]
Measure = Callable[..., Measured]


def test_regions_are_masked_means_of_the_channels(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    spec = make_spec(explainer={"masks": "nearest"})
    found = measured(spec, make_context(), reference).regions
    expected, concepts, buckets = [], [], []
    for row, regions in enumerate(reference.regions):
        for concept, mask in regions:
            small = functional.interpolate(
                mask[None, None].float(), size=(7, 9), mode="nearest-exact"
            )[0, 0]
            if small.any():
                expected.append((reference.channels[row] * small).mean((1, 2)))
                concepts.append(concept)
                buckets.append(int(bucket([f"image {row}"], 5)))
    assert len(expected) > 40
    assert torch.allclose(found.region_features, torch.stack(expected), atol=1e-6)
    assert found.region_concept.tolist() == concepts
    assert found.region_bucket.tolist() == buckets


def test_a_region_that_no_place_is_nearest_to_teaches_nothing(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    small = torch.zeros(16, 16, dtype=torch.bool)
    small[0, 0] = True  # the centre of the first place is pixel (1, 0)
    tiny = replace(reference, regions=[[(0, small)]] * 40)
    for rule, taught in (("nearest", 0), ("area", 40)):
        spec = make_spec(explainer={"masks": rule})
        found = measured(spec, make_context(), tiny).regions
        assert len(found.region_concept) == taught
        assert int(found.images.sum()) == 40


@pytest.mark.parametrize("attention", get_args(Attention))
def test_pairs_are_seen_by_the_attention_that_names(
    make_spec: MakeSpec,
    make_context: MakeContext,
    measured: Measure,
    reference: Reference,
    attention: Attention,
) -> None:
    spec = make_spec(naming={"images": 5, "evaluated": 3, "attention": attention})
    found = measured(spec, make_context(), reference)
    regions, selected = found.regions, found.selected
    for unit, row, features in zip(
        regions.pair_unit, regions.pair_row, regions.pair_features, strict=True
    ):
        a, channels = reference.maps[row, unit], reference.channels[row]
        written_out = {
            "paper": functional.cosine_similarity(a.flatten()[None], channels.flatten(1))
            * channels.mean((1, 2)),
            "release": (a / a.norm() * channels).mean((1, 2)),
            "activation": (channels * (a > selected.thresholds[unit])).mean((1, 2)),
            "original": channels.mean((1, 2)),
        }
        assert torch.allclose(features, written_out[attention], atol=1e-5)
    # Every chosen pair is there once, with the columns of the four methods where it is compared.
    pairs = set(zip(regions.pair_unit.tolist(), regions.pair_row.tolist(), strict=True))
    assert pairs == set(zip(selected.pair_unit.tolist(), selected.pair_row.tolist(), strict=True))
    assert len(pairs) == len(regions.pair_unit) == 25
    compared = torch.isin(regions.pair_unit, selected.evaluated)
    assert METHODS[:4] == COMPARED
    assert torch.equal(regions.other_unit, regions.pair_unit[compared])
    assert torch.equal(regions.other_row, regions.pair_row[compared])
    column = regions.other_features[:, COMPARED.index(attention)]
    assert torch.allclose(column, regions.pair_features[compared], atol=1e-6)
    assert (
        regions.pair_bucket.tolist()
        == bucket([f"image {row}" for row in regions.pair_row.tolist()], 5).tolist()
    )


def test_a_concept_is_true_of_a_pair_where_they_overlap_in_that_image(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    spec = make_spec(dissection={"detector": 0.02})
    found = measured(spec, make_context(), reference)
    regions = found.regions
    seen = 0
    for unit, row, truth in zip(
        regions.pair_unit.tolist(), regions.pair_row.tolist(), regions.pair_truth, strict=True
    ):
        upsampled = functional.interpolate(
            reference.maps[row, unit][None, None], size=(16, 16), mode="bilinear"
        )[0, 0]
        active = upsampled > found.selected.thresholds[unit]
        expected = [False] * 3
        for concept, mask in reference.regions[row]:
            expected[concept] = bool((active & mask).sum() / (active | mask).sum() > 0.02)
        assert truth.tolist() == expected
        seen += sum(expected)
    assert 5 < seen < 60


def test_the_null_keeps_the_values_of_a_map_and_moves_them() -> None:
    maps = torch.rand(4, 5, 6, generator=torch.Generator().manual_seed(0))
    moved = scattered(maps, 17, seed=3)
    assert torch.equal(moved.flatten(1).sort(1).values, maps.flatten(1).sort(1).values)
    assert (moved == maps).float().mean() < 0.3
    assert torch.equal(moved, scattered(maps, 17, seed=3))
    assert not torch.equal(moved, scattered(maps, 18, seed=3))
    assert not torch.equal(moved, scattered(maps, 17, seed=4))
    same = scattered(maps[:1].expand(2, -1, -1), 17, seed=3)
    assert not torch.equal(same[0], same[1])


def test_the_null_looks_where_its_unit_rises(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    maps = reference.maps.clone()
    maps[10:, 4] = -1.0
    found = measured(make_spec(), make_context(), replace(reference, maps=maps, channels=maps))
    drawn = found.selected.null_row[found.selected.null_unit == 4]
    rising = int((drawn < 10).sum())
    assert int((found.regions.null_unit == 4).sum()) == rising < 5
    others = found.regions.null_unit[found.regions.null_unit != 4]
    assert len(others) == 20
    assert found.regions.null_features.shape == (20 + rising, 6)


def test_crowded_images_give_no_more_regions_than_their_part() -> None:
    concepts = torch.arange(30)
    assert thinned("a", concepts, 30.0, seed=0).tolist() == list(range(30))
    kept = [thinned(f"image {i}", concepts, 2.25, seed=0) for i in range(800)]
    sizes = torch.tensor([len(one) for one in kept])
    assert set(sizes.tolist()) == {2, 3}
    assert sizes.float().mean() == pytest.approx(2.25, abs=0.06)
    assert all(torch.equal(one, one.sort().values) for one in kept)
    # No concept is preferred: 800 · 2.25 / 30 = 60 of each, with a spread of 7.6.
    counts = torch.bincount(torch.cat(kept), minlength=30)
    assert counts.min() > 30
    assert counts.max() < 90
    assert all(len(thinned(f"image {i}", concepts, 0.0, seed=0)) == 0 for i in range(20))


def test_memory_for_regions_is_bounded_by_the_spec(
    make_spec: MakeSpec, make_context: MakeContext, measured: Measure, reference: Reference
) -> None:
    spec = make_spec(explainer={"max_regions": 100})
    few = measured(spec, make_context(num_available={"test": 100}), reference).regions
    assert few.region_concept.shape[0] <= 40
    assert int(few.images.sum()) > 60
    sampled = measured(spec, make_context(num_available={"test": 1000}), reference).regions
    assert 0 < sampled.region_concept.shape[0] < 15
