"""Label statistics, regression baselines and heat maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from auditor.measure.association import (
    cell_counts,
    normal_equations,
    phi_coefficient,
    standardised_coefficients,
    three_cell_entropy,
)
from auditor.measure.heatmaps import pattern_map
from auditor.measure.state import merge_all


def test_cells_count_every_combination_and_skip_the_unknown() -> None:
    labels = torch.tensor([[1, 1], [1, -1], [1, -1], [-1, 1], [-1, -1], [0, 1]]).float()
    assert cell_counts(labels)[0, 1].tolist() == [[1, 1], [2, 1]]
    assert cell_counts(labels)[1, 0].tolist() == [[1, 2], [1, 1]]
    assert cell_counts(labels)[0, 0].tolist() == [[2, 0], [0, 3]]


def test_phi_is_the_correlation_of_the_labels() -> None:
    labels = torch.randint(0, 2, (300, 2)).float() * 2 - 1
    expected = np.corrcoef(labels.numpy().T)[0, 1]
    assert phi_coefficient(cell_counts(labels)[0, 1]) == pytest.approx(expected)
    assert phi_coefficient([[0, 0], [4, 5]]) is None


def test_entropy_ignores_images_with_neither() -> None:
    assert three_cell_entropy([[1000, 5], [5, 5]]) == pytest.approx(np.log(3))
    assert three_cell_entropy([[3, 0], [0, 9]]) == 0.0
    assert three_cell_entropy([[3, 0], [0, 0]]) is None


def test_regression_separates_direct_from_correlated_labels() -> None:
    torch.manual_seed(0)
    first = (torch.rand(4000) < 0.4).float() * 2 - 1
    second = torch.where(torch.rand(4000) < 0.8, first, -first)
    labels = torch.stack([first, second, torch.ones(4000)], 1)
    scores = torch.stack([2 * first, 1.0 * first + 1.0 * second, torch.full((4000,), 3.0)], 1)
    shards = [
        normal_equations(*pair) for pair in zip(labels.split(77), scores.split(77), strict=True)
    ]
    found = standardised_coefficients(merge_all(shards))
    sd = scores.std(0, correction=0)[1]
    assert found[:, 0] == pytest.approx([1, 0, 0], abs=1e-6)
    expected = [labels[:, a].std(correction=0) / sd for a in range(2)]
    assert found[:, 1] == pytest.approx([*map(float, expected), 0], abs=1e-5)
    assert found[:, 2].tolist() == [0, 0, 0]


def test_regression_equals_least_squares() -> None:
    torch.manual_seed(1)
    labels = torch.randint(0, 2, (500, 5)).float() * 2 - 1
    scores = torch.randn(500, 3) + labels @ torch.randn(5, 3)
    u = (labels - labels.mean(0)) / labels.std(0, correction=0)
    y = (scores - scores.mean(0)) / scores.std(0, correction=0)
    expected = np.linalg.lstsq(u.numpy(), y.numpy(), rcond=None)[0]
    found = standardised_coefficients(normal_equations(labels, scores))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_labels_that_determine_each_other_share_their_effect() -> None:
    label = torch.randint(0, 2, (200, 1)).float() * 2 - 1
    found = standardised_coefficients(normal_equations(label.expand(200, 2), 3 * label))
    assert found[:, 0] == pytest.approx([0.5, 0.5])


def test_signed_maps_sum_to_gradient_times_activation() -> None:
    gradient, activation = torch.randn(2, 3, 4, 5, 6), torch.randn(2, 4, 5, 6)
    maps = pattern_map(gradient, activation)
    assert maps.shape == (2, 3, 5, 6)
    expected = torch.einsum("bnkhw,bkhw->bn", gradient, activation)
    torch.testing.assert_close(maps.sum((-2, -1)), expected)
