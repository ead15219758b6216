"""Intervals from counts, and the Poisson bootstrap that does not care about shards."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, poisson

from auditor.measure.bootstrap import (
    bootstrap_sums,
    poisson_weights,
    replicate_means,
    sample_keys,
)
from auditor.measure.classification import Hits, accuracy_drop, balanced_accuracy, mean_accuracy
from auditor.measure.intervals import Interval, Term, combined, normal, percentile, wilson
from auditor.measure.state import merge_all


@pytest.mark.parametrize(("k", "n"), [(0, 7), (7, 7), (3, 11), (480, 1000)])
def test_wilson_equals_scipy(k: int, n: int) -> None:
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n)[1:] == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_normal_and_percentile_intervals() -> None:
    assert normal(1.0, 0.1).high == pytest.approx(1.195996, abs=1e-6)
    low, high = percentile(0.5, np.arange(1001) / 1000)[1:]
    assert (low, high) == pytest.approx((0.025, 0.975))


def test_a_difference_of_shares_has_newcombes_interval() -> None:
    """Newcombe 1998, method 10, example (a): 56/70 against 48/80."""
    found = combined([Term(1, wilson(56, 70)), Term(-1, wilson(48, 80))])
    assert found == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-4)


def test_a_negative_weight_swaps_the_ends() -> None:
    assert combined([Term(-2, Interval(0.5, 0.4, 0.8))]) == pytest.approx((-1.0, -1.6, -0.8))


def test_balanced_accuracy_does_not_follow_the_frequent_side() -> None:
    found = balanced_accuracy(Hits(5, 10), Hits(990, 990))
    assert found.value == pytest.approx(0.75)
    assert found.low < 0.65


def test_the_drop_is_the_accuracy_of_all_minus_that_inside() -> None:
    found = accuracy_drop([Hits(4, 10)], [Hits(80, 90)])
    assert found.value == pytest.approx(84 / 100 - 4 / 10)
    assert 0 < found.low < found.value < found.high


def test_the_drop_of_two_predictions_is_the_mean_of_their_drops() -> None:
    inside, outside = [Hits(4, 10), Hits(7, 10)], [Hits(80, 90), Hits(25, 30)]
    found = accuracy_drop(inside, outside)
    assert found.value == pytest.approx(((84 / 100 - 0.4) + (32 / 40 - 0.7)) / 2)
    assert mean_accuracy(inside).value == pytest.approx(0.55)
    alone = accuracy_drop(inside[:1], outside[:1])
    assert accuracy_drop(inside, [outside[0], Hits(0, 0)]).value == pytest.approx(alone.value / 2)


def test_drop_intervals_cover() -> None:
    generator = np.random.default_rng(0)
    inside, outside = generator.binomial(40, 0.6, 2000), generator.binomial(160, 0.9, 2000)
    truth = 0.8 * (0.9 - 0.6)
    covered = [
        found.low <= truth <= found.high
        for found in (
            accuracy_drop([Hits(int(i), 40)], [Hits(int(o), 160)])
            for i, o in zip(inside, outside, strict=True)
        )
    ]
    assert np.mean(covered) > 0.93


def test_replicate_weights_are_poisson() -> None:
    weights = poisson_weights(sample_keys([f"{i}.png" for i in range(500)], seed=1), 200)
    for count in range(4):
        share = (weights == count).double().mean().item()
        assert share == pytest.approx(poisson(1).pmf(count), abs=0.005)
    # No replicate and no image is like another.
    assert torch.corrcoef(weights.T[:40]).triu(1).abs().max() < 0.25
    assert torch.corrcoef(weights[:40]).triu(1).abs().max() < 0.4


def test_known_weights_stay_as_they_are() -> None:
    """Resumed runs and other machines must draw the same weights for ever."""
    weights = poisson_weights(sample_keys(["a", "b"], seed=7), 12)
    assert weights.long().tolist() == [
        [1, 2, 5, 0, 0, 1, 3, 1, 0, 0, 0, 0],
        [1, 1, 1, 2, 2, 1, 0, 1, 0, 0, 1, 1],
    ]


def test_replicates_do_not_depend_on_shards_or_order() -> None:
    ids = [f"image-{i}" for i in range(60)]
    values = torch.randn(60, 4, dtype=torch.float64)
    counted = torch.rand(60, 4) > 0.3
    keys = sample_keys(ids, seed=3)
    whole = bootstrap_sums(keys, values, counted, 50)
    order = torch.randperm(60)
    shards = merge_all(
        bootstrap_sums(keys[part], values[part], counted[part], 50) for part in order.split(7)
    )
    assert torch.equal(whole.weight, shards.weight)
    torch.testing.assert_close(whole.total, shards.total)


def test_replicates_spread_like_the_standard_error() -> None:
    values = torch.randn(400, 1, dtype=torch.float64)
    keys = sample_keys([str(i) for i in range(400)], seed=0)
    sums = bootstrap_sums(keys, values, torch.ones(400, 1, dtype=torch.bool), 2000)
    spread = replicate_means(sums).std().item()
    assert spread == pytest.approx(values.std().item() / 20, rel=0.08)


def test_a_replicate_without_images_falls_back_to_the_overall_mean() -> None:
    keys = sample_keys(["only"], seed=0)
    sums = bootstrap_sums(keys, torch.tensor([[0.25]]), torch.tensor([[True]]), 40)
    assert (replicate_means(sums) == 0.25).all()
