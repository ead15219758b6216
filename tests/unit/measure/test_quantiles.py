"""Thresholds and most activating images: exact, bounded where sampled, and blind to batches."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from auditor.measure.quantiles import (
    Sampling,
    bucket,
    pack,
    rank_error,
    sampling,
    thresholds,
    top_images,
    top_values,
    unpack,
)
from auditor.measure.state import Summed, Top, merge_all

LEAST = torch.iinfo(torch.int64).min


@dataclass(frozen=True)
class Levels:
    values: Top
    images: Top
    num_sampled: Summed


def levels(maps: Tensor, rows: Tensor, plan: Sampling) -> Levels:
    values, num_sampled = top_values(maps, rows, plan, seed=3)
    return Levels(values, top_images(maps.amax((2, 3)), rows, 4), torch.tensor(num_sampled))


def reference_threshold(values: list[float], share: float) -> float:
    """The smallest value with at most share · n values strictly above it, by counting."""
    allowed = share * len(values) + 1e-9
    return min(v for v in values if sum(other > v for other in values) <= allowed)


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 19), unique=True, max_size=6),
    shards=st.integers(1, 3),
    seed=st.integers(0, 99),
    # The last of 200 values is a zero: of 400 about 57 are, of either sign.
    plan=st.sampled_from([Sampling(15, 1.0), Sampling(200, 1.0), Sampling(70, 0.4)]),
)
def test_any_batches_in_any_order_give_the_same_bytes(
    cuts: list[int], shards: int, seed: int, plan: Sampling
) -> None:
    generator = torch.Generator().manual_seed(seed)
    # Few distinct values, half of them negative: ties, and zeros of both signs.
    maps = (
        torch.randint(-3, 4, (20, 3, 4, 5), generator=generator)
        * torch.tensor([1.0, -0.5])[torch.randint(0, 2, (20, 3, 4, 5), generator=generator)]
    )
    rows = torch.arange(100, 120)
    whole = levels(maps, rows, plan)
    batches = [
        part.tolist() for part in torch.randperm(20, generator=generator).tensor_split(sorted(cuts))
    ]
    random.Random(seed).shuffle(batches)
    states = [levels(maps[part], rows[part], plan) for part in batches if part]
    merged = merge_all(merge_all(states[i::shards]) for i in range(shards) if states[i::shards])
    for name in ("values", "images", "num_sampled"):
        assert getattr(merged, name).numpy().tobytes() == getattr(whole, name).numpy().tobytes()


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=60),
    share=st.sampled_from([0.005, 0.04, 0.29, 0.5, 0.93]),
)
@example(values=[float(v) for v in range(100)], share=0.29)
def test_a_threshold_is_the_order_statistic_of_all_places(
    values: list[float], share: float
) -> None:
    plan = sampling(len(values), share, 64)
    assert plan.rate == 1.0
    maps = torch.tensor(values).view(1, 1, 1, -1)
    kept, num_sampled = top_values(maps, torch.tensor([0]), plan, seed=0)
    assert num_sampled == len(values)
    threshold = thresholds(kept, num_sampled, share)
    assert threshold.tolist() == [reference_threshold(values, share)]
    assert (maps > threshold).double().mean() <= share + 1e-12


def test_thresholds_of_known_distributions() -> None:
    # A permutation of 0 … n - 1: exactly share · n places lie above n - 1 - share · n.
    num_images, share = 40, 0.005
    order = torch.randperm(num_images * 100, generator=torch.Generator().manual_seed(0))
    maps = torch.stack([order.float(), -order.float()]).view(2, num_images, 10, 10).transpose(0, 1)
    plan = sampling(maps.shape[0] * 100, share, 1000)
    assert plan == Sampling(21, 1.0)
    kept, num_sampled = top_values(maps, torch.arange(num_images), plan, seed=0)
    found = thresholds(kept, num_sampled, share)
    assert found.tolist() == [3979.0, -20.0]
    assert (maps > found[:, None, None]).sum((0, 2, 3)).tolist() == [20, 20]
    # A uniform and a normal sample come near their quantiles.
    generator = torch.Generator().manual_seed(1)
    drawn = torch.stack(
        [torch.rand(200, 49, generator=generator), torch.randn(200, 49, generator=generator)], 1
    ).view(200, 2, 7, 7)
    plan = sampling(200 * 49, 0.05, 1000)
    near = thresholds(top_values(drawn, torch.arange(200), plan, seed=0)[0], 200 * 49, 0.05)
    assert near.tolist() == pytest.approx([0.95, 1.645], abs=0.05)


def test_fewer_places_than_planned_still_give_the_exact_threshold() -> None:
    maps = torch.arange(300.0).view(3, 1, 10, 10)
    plan = sampling(1000, 0.05, 64)
    kept, num_sampled = top_values(maps, torch.arange(3), plan, seed=0)
    assert kept.shape == (1, 51)
    assert thresholds(kept, num_sampled, 0.05).tolist() == [284.0]


def test_a_unit_that_is_mostly_silent_has_the_threshold_zero() -> None:
    maps = torch.zeros(10, 2, 10, 10)
    maps[0, 1, 0, :3] = 1.0  # 3 of 1,000 places, share 5 of 1,000
    kept, num_sampled = top_values(maps, torch.arange(10), sampling(1000, 0.005, 64), seed=0)
    assert thresholds(kept, num_sampled, 0.005).tolist() == [0.0, 0.0]


def test_sampling_begins_where_the_capacity_ends() -> None:
    assert sampling(12_600, 0.005, 64) == Sampling(64, 1.0)
    kept, rate = sampling(12_800, 0.005, 64)  # 65 values would be needed
    assert (kept, rate < 1.0) == (64, True)
    large = sampling(10_000_000, 0.005, 32_768)
    assert large.rate * 0.005 * 10_000_000 == pytest.approx(0.9 * 32_768)
    assert sampling(0, 0.005, 64) == Sampling(0, 1.0)
    with pytest.raises(ValueError, match="capacity of 63 values is too small"):
        sampling(1_000_000, 0.005, 63)


@pytest.mark.parametrize("share", [0.005, 0.5, 0.99])
def test_a_small_capacity_has_room_for_every_sample(share: float) -> None:
    num_places = 40_000
    plan = sampling(num_places, share, 64)
    maps = torch.rand(1, 1, 200, 200, generator=torch.Generator().manual_seed(0))
    for seed in range(15):
        kept, num_sampled = top_values(maps, torch.tensor([seed]), plan, seed=seed)
        thresholds(kept, num_sampled, share)  # raises where the threshold was not kept


def test_a_threshold_that_was_not_kept_is_refused() -> None:
    with pytest.raises(ValueError, match="value 6 of 1000 is not among the 5"):
        thresholds(torch.zeros(2, 5), 1000, 0.005)
    with pytest.raises(ValueError, match="of 0 is not among"):
        thresholds(torch.zeros(2, 5), 0, 0.005)


@pytest.mark.parametrize("share", [0.005, 0.2])
def test_the_rank_error_of_a_sampled_threshold_stays_below_its_bound(share: float) -> None:
    # 300 units with independent values: as many trials of the same sample.
    generator = torch.Generator().manual_seed(2)
    maps = torch.randn(60, 300, 14, 14, generator=generator).relu() + torch.rand(
        60, 300, 14, 14, generator=generator
    )
    num_places = 60 * 14 * 14
    plan = Sampling(2000, 0.25)
    kept, num_sampled = top_values(maps, torch.arange(60), plan, seed=0)
    assert num_sampled == pytest.approx(0.25 * num_places, abs=4 * math.sqrt(num_places * 0.1875))
    found = thresholds(kept, num_sampled, share)
    off = ((maps > found[:, None, None]).double().mean((0, 2, 3)) - share).abs()
    for level, may_miss in ((0.999, 2), (0.9, 30)):
        assert (off > rank_error(num_places, num_sampled, share, level=level)).sum() <= may_miss
    # Not an empty promise: a few times the standard error of the share.
    error = math.sqrt(share * (1 - share) / num_sampled)
    assert rank_error(num_places, num_sampled, share) < 6 * error


def test_the_rank_error_reaches_the_tail_it_promises() -> None:
    num_sampled, share, level = 5000, 0.01, 0.99
    gap = rank_error(10**6, num_sampled, share, level=level)
    upper = share + gap
    divergence = share * math.log(share / upper) + (1 - share) * math.log((1 - share) / (1 - upper))
    assert math.exp(-num_sampled * divergence) == pytest.approx((1 - level) / 2, rel=1e-6)
    # The tail itself, from the binomial distribution.
    probabilities = np.cumsum(
        [
            math.exp(
                math.lgamma(num_sampled + 1)
                - math.lgamma(k + 1)
                - math.lgamma(num_sampled - k + 1)
                + k * math.log(upper)
                + (num_sampled - k) * math.log1p(-upper)
            )
            for k in range(int(share * num_sampled) + 1)
        ]
    )
    assert probabilities[-1] <= (1 - level) / 2


def test_no_rank_error_where_every_place_was_looked_at() -> None:
    assert rank_error(1000, 1000, 0.005) == 0.0
    assert rank_error(1000, 0, 0.005) == 0.995
    assert rank_error(10**6, 100, 0.005) > rank_error(10**6, 1000, 0.005) > 0.0


def test_packed_numbers_have_the_order_of_values_and_then_of_rows() -> None:
    special = [-math.inf, -3.4e38, -1.5, -1e-45, -0.0, 0.0, 1e-45, 2.0, 2.0, 3.4e38, math.inf]
    pairs = [(v, r) for v in special for r in (0, 7, 2**32 - 1)]
    values = torch.tensor([v for v, _ in pairs], dtype=torch.float32)
    rows = torch.tensor([r for _, r in pairs])
    packed = pack(values, rows)
    # Values as they are as float32; Python compares -0 and 0 as equal.
    expected = sorted(zip(values.tolist(), rows.tolist(), strict=True), key=lambda p: (-p[0], p[1]))
    back_values, back_rows = unpack(packed.sort(descending=True).values)
    assert list(zip(back_values.tolist(), back_rows.tolist(), strict=True)) == expected
    assert int(packed.min()) > LEAST
    again, same = unpack(packed)
    assert torch.equal(again, values)
    assert torch.equal(same, rows)
    assert pack(torch.tensor([-0.0]), torch.tensor([5])).equal(
        pack(torch.tensor([0.0]), torch.tensor([5]))
    )


def test_padding_unpacks_to_no_image() -> None:
    values, rows = unpack(torch.tensor([LEAST]))
    assert (values.tolist(), rows.tolist()) == ([-math.inf], [-1])


def test_most_activating_images_come_first_and_ties_by_row() -> None:
    peaks = torch.tensor([[1.0, -2.0], [3.0, -2.0], [3.0, -1.0]])
    values, rows = unpack(top_images(peaks, torch.tensor([9, 8, 4]), 2))
    assert rows.tolist() == [[4, 8], [4, 8]]
    assert values.tolist() == [[3.0, 3.0], [-1.0, -2.0]]
    _, padded = unpack(top_images(peaks, torch.tensor([9, 8, 4]), 5))
    assert padded.tolist() == [[4, 8, 9, -1, -1], [4, 8, 9, -1, -1]]


def test_sampled_places_differ_between_images_and_seeds() -> None:
    maps = torch.arange(400.0).view(1, 1, 20, 20)
    plan = Sampling(400, 0.5)
    chosen = [
        set(top_values(maps, torch.tensor([row]), plan, seed=seed)[0][0].tolist()) - {-math.inf}
        for row, seed in ((0, 0), (1, 0), (0, 1))
    ]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert 60 < len(chosen[first] & chosen[second]) < 140  # independent halves share a quarter


def test_buckets_are_keyed_by_id_and_seed() -> None:
    ids = [f"image {i}" for i in range(2000)]
    first = bucket(ids, 0)
    assert torch.equal(first[7:9], bucket(ids[7:9], 0))
    assert first.min() >= 0
    assert first.max() < 2**31
    assert not torch.equal(first, bucket(ids, 1))
    assert (first % 10).bincount().double().std() < 3 * math.sqrt(2000 * 0.09)
    assert bucket([], 0).shape == (0,)
