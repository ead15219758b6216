"""Robust z across pairs, leave-one-out medians, double centring, multiple testing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, median_abs_deviation

from auditor.measure.multiplicity import benjamini_hochberg
from auditor.measure.robust import (
    MAD_TO_SD,
    double_centre,
    leave_one_out_median,
    robust_scores,
)

VALUES = st.lists(st.integers(-5, 5).map(float), min_size=4, max_size=15)


@settings(max_examples=50, deadline=None)
@given(values=VALUES)
def test_leave_one_out_medians_equal_the_plain_loop(values: list[float]) -> None:
    expected = [np.median(np.delete(values, i)) for i in range(len(values))]
    assert leave_one_out_median(values).tolist() == expected


@settings(max_examples=50, deadline=None)
@given(values=VALUES)
def test_scores_equal_the_plain_loop(values: list[float]) -> None:
    scores = robust_scores(values)
    for i, value in enumerate(values):
        others = np.delete(values, i)
        middle, spread = np.median(others), 1.4826 * median_abs_deviation(others)
        if spread == 0:
            assert scores.z[i] is None
            assert scores.p[i] is None
        else:
            assert scores.z[i] == pytest.approx((value - middle) / spread)


def test_the_factor_makes_a_gaussian_spread_its_standard_deviation() -> None:
    values = np.random.default_rng(0).normal(0, 2.0, 200_001)
    assert MAD_TO_SD * median_abs_deviation(values) == pytest.approx(2.0, rel=0.02)
    assert pytest.approx(1.4826) == MAD_TO_SD


@pytest.mark.parametrize("num_pairs", [8, 20, 180])
def test_p_values_hold_their_level_on_gaussian_pairs(num_pairs: int) -> None:
    generator = np.random.default_rng(num_pairs)
    rounds = 8000 // num_pairs
    p = np.array([robust_scores(generator.normal(size=num_pairs)).p for _ in range(rounds)])
    for alpha in (0.05, 0.01):
        assert (p.astype(float) <= alpha).mean() <= alpha * 1.4


def test_planted_outliers_do_not_hide_themselves() -> None:
    values = np.random.default_rng(1).normal(0, 0.05, 180)
    values[:10] += 0.5
    adjusted = benjamini_hochberg(robust_scores(values).p)
    assert all(p is not None and p < 0.05 for p in adjusted[:10])
    assert sum(p is not None and p < 0.05 for p in adjusted[10:]) <= 2


def test_a_sum_of_levels_leaves_nothing() -> None:
    levels = np.array([0.1, -0.3, 0.7, 0.2, 0.0])
    present = np.ones((5, 5), dtype=bool)
    present[1, 3] = present[3, 1] = False
    centred = double_centre(levels[:, None] + levels[None], present)
    np.testing.assert_allclose(centred.levels, levels, atol=1e-12)
    np.testing.assert_allclose(centred.residuals, 0, atol=1e-12)


def test_residuals_of_complete_pairs_sum_to_zero_in_every_row() -> None:
    matrix = np.random.default_rng(2).normal(size=(7, 7))
    matrix += matrix.T
    np.fill_diagonal(matrix, 99.0)
    residuals = double_centre(matrix, np.ones((7, 7), dtype=bool)).residuals
    np.testing.assert_allclose(residuals.sum(0), 0, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_equal_scipy(p: list[float]) -> None:
    np.testing.assert_allclose(
        np.array(benjamini_hochberg(p), dtype=float), false_discovery_control(p), atol=1e-12
    )


def test_tests_that_were_not_made_count_for_nothing() -> None:
    assert benjamini_hochberg([0.01, None, 0.04]) == (0.02, None, 0.04)
    assert benjamini_hochberg([None]) == (None,)
