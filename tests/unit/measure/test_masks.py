"""Greedy inference-pattern masks against closed forms and the plain search."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from auditor.measure.masks import greedy_path, path_mask, threshold_mask


def plain_greedy(c: Tensor, steps: int) -> tuple[list[int], list[float]]:
    residual, order, gains = c.sum(1), [], []
    for _ in range(steps):
        gain = 2 * (residual @ c) / len(c) - c.square().mean(0)
        gain[order] = -torch.inf
        if gain.max() <= 0:
            break
        order.append(int(gain.argmax()))
        gains.append(float(gain.max()))
        residual = residual - c[:, order[-1]]
    return order, gains


@pytest.mark.parametrize("seed", range(3))
def test_uncorrelated_contributions_keep_what_exceeds_the_penalty(seed: int) -> None:
    torch.manual_seed(seed)
    orthogonal = torch.linalg.qr(torch.randn(200, 40, dtype=torch.float64)).Q * 200**0.5
    c = orthogonal * torch.rand(40, dtype=torch.float64)
    energy = c.square().mean(0)
    for penalty in (0.0, 0.1, 0.5):
        path = greedy_path(c, max_units=40, smallest_penalty=0.0)
        assert torch.equal(path_mask(path, 40, penalty=penalty), energy > penalty)


@pytest.mark.parametrize("seed", range(4))
def test_skipping_gives_the_path_of_the_full_search(seed: int) -> None:
    torch.manual_seed(seed)
    scale = torch.rand(900, dtype=torch.float64) ** 4
    c = torch.randn(60, 900, dtype=torch.float64) * scale + 0.1 * scale * torch.randn(60, 1)
    path = greedy_path(c, max_units=80)
    order, gains = plain_greedy(c, 80)
    assert path.order.tolist() == order
    assert path.gains.tolist() == pytest.approx(gains)
    assert path.num_evaluated < 0.7 * 900 * len(order)


def test_one_path_serves_every_penalty() -> None:
    torch.manual_seed(0)
    c = torch.randn(50, 120, dtype=torch.float64) * torch.rand(120)
    full = greedy_path(c, max_units=120)
    for penalty in (0.05, 0.2, 0.8):
        short = greedy_path(c, max_units=120, smallest_penalty=penalty)
        expected = path_mask(short, 120, penalty=penalty)
        assert torch.equal(path_mask(full, 120, penalty=penalty), expected)


def test_the_path_ends_at_its_limit() -> None:
    assert len(greedy_path(torch.randn(30, 50).abs(), max_units=7).order) == 7


def test_no_contributions_give_an_empty_mask() -> None:
    path = greedy_path(torch.zeros(5, 8), max_units=8)
    assert not path_mask(path, 8, penalty=0.0).any()


def test_thresholds_keep_the_largest_share() -> None:
    kept = threshold_mask(torch.arange(100.0), fraction=0.05)
    assert kept.nonzero().flatten().tolist() == [95, 96, 97, 98, 99]
    assert threshold_mask(torch.ones(4), fraction=0.01).tolist() == [True, False, False, False]
