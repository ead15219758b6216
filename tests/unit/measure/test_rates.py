"""Identities between the error rates of a tree's leaves (METHODS, Barlow), and their limits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from auditor.measure.rates import (
    average_leaf_error_rate,
    base_error_rate,
    chi_square,
    gain_error,
    importance_values,
    normalised_gain,
)

leaf = st.integers(1, 400).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size)))
some_fail = st.lists(leaf, min_size=1, max_size=16).filter(lambda leaves: any(f for _, f in leaves))
both = some_fail.filter(lambda leaves: any(f < n for n, f in leaves))
Leaves = list[tuple[int, int]]


def rates(leaves: Leaves) -> tuple[list[int], list[int], float, float]:
    sizes, failures = ([pair[i] for pair in leaves] for i in (0, 1))
    base = base_error_rate(sizes, failures)
    average = average_leaf_error_rate(sizes, failures)
    assert base is not None
    assert average is not None
    return sizes, failures, base, average


def exact(leaves: Leaves) -> tuple[Fraction, Fraction]:
    """BER and ALER by their definitions, in fractions."""
    total, failed = sum(n for n, _ in leaves), sum(f for _, f in leaves)
    return (
        Fraction(failed, total),
        sum((Fraction(f, failed) * Fraction(f, n) for n, f in leaves), Fraction(0)),
    )


@given(some_fail)
def test_figures_are_their_definitions(leaves: Leaves) -> None:
    _, _, base, average = rates(leaves)
    assert (base, average) == pytest.approx(tuple(map(float, exact(leaves))), rel=1e-14)


@given(some_fail)
def test_leaves_are_at_least_as_bad_as_the_base(leaves: Leaves) -> None:
    """ALER ≥ BER, with equality exactly where all leaves have one error rate."""
    base, average = exact(leaves)
    same = len({Fraction(f, n) for n, f in leaves}) == 1
    assert (average == base) == same
    assert average >= base
    sizes, failures, _, _ = rates(leaves)
    gain = normalised_gain(sizes, failures)
    if gain is not None:
        assert (gain == 0) == same  # also in floating point


@given(leaf, st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_equal_leaves_gain_nothing(first: tuple[int, int], times: list[int]) -> None:
    sizes, failures = [first[0] * k for k in times], [first[1] * k for k in times]
    if 0 < first[1] < first[0]:
        assert normalised_gain(sizes, failures) == 0.0
    if first[1]:
        average = average_leaf_error_rate(sizes, failures)
        assert average == pytest.approx(first[1] / first[0], rel=1e-14)


@given(both)
def test_normalised_gain_is_chi_square_per_image(leaves: Leaves) -> None:
    sizes, failures, base, average = rates(leaves)
    gain, statistic = normalised_gain(sizes, failures), chi_square(sizes, failures)
    assert gain is not None
    assert statistic is not None
    assert gain == pytest.approx((average - base) / (1 - base), abs=1e-9)
    assert 0 <= gain <= 1 + 1e-12
    table = [failures, [n - f for n, f in leaves]]
    reference = chi2_contingency(table, correction=False).statistic if len(leaves) > 1 else 0.0
    assert statistic == pytest.approx(reference, rel=1e-9, abs=1e-9)


@given(some_fail)
def test_at_least_one_leaf_reaches_the_average(leaves: Leaves) -> None:
    _, average = exact(leaves)
    assert max(Fraction(f, n) for n, f in leaves) >= average


@given(some_fail)
def test_average_follows_from_gini_impurity(leaves: Leaves) -> None:
    """ALER = 1 - G_w / (2 BER)."""
    sizes, _, base, average = rates(leaves)
    impurity = sum(n / sum(sizes) * 2 * (f / n) * (1 - f / n) for n, f in leaves)
    assert average == pytest.approx(1 - impurity / (2 * base), abs=1e-9)


@given(some_fail)
def test_importance_values_sum_to_the_average(leaves: Leaves) -> None:
    sizes, failures, _, average = rates(leaves)
    values = [value for value in importance_values(sizes, failures) if value is not None]
    assert len(values) == len(leaves)
    assert sum(values) == pytest.approx(average, rel=1e-12)


def test_pure_leaves_gain_everything() -> None:
    assert average_leaf_error_rate([30, 70], [30, 0]) == 1.0
    assert normalised_gain([30, 70], [30, 0]) == 1.0
    assert chi_square([30, 70], [30, 0]) == 100.0


def test_what_is_not_defined_is_none() -> None:
    assert base_error_rate([], []) is None
    assert base_error_rate([0, 0], [0, 0]) is None
    assert average_leaf_error_rate([5, 5], [0, 0]) is None
    assert importance_values([5, 0], [0, 0]) == (None, None)
    for failures in ([0, 0], [5, 3]):  # nothing fails; everything does
        assert normalised_gain([5, 3], failures) is None
        assert chi_square([5, 3], failures) is None
    assert average_leaf_error_rate([5, 3], [5, 3]) == 1.0


def test_empty_leaves_count_for_nothing() -> None:
    assert importance_values([4, 0], [2, 0]) == (0.5, None)
    assert chi_square([4, 0, 6], [2, 0, 1]) == chi_square([4, 6], [2, 1])


@pytest.mark.parametrize("failures", [[3, 0], [-1, 0]])
def test_counts_that_are_none_are_refused(failures: list[int]) -> None:
    with pytest.raises(ValueError, match="as many as images"):
        base_error_rate([2, 2], failures)
    with pytest.raises(ValueError):
        chi_square([2, 2], [1])


@pytest.mark.parametrize("rates_of", [(0.1, 0.6), (0.3, 0.4, 0.9), (0.05, 0.05, 0.3, 0.7)])
def test_the_standard_error_of_the_gain_is_its_spread(rates_of: tuple[float, ...]) -> None:
    random, num_samples = np.random.default_rng(2), 1_500
    shares = np.full(len(rates_of), 1 / len(rates_of))
    sizes = random.multinomial(num_samples, shares, 2_000)
    failures = random.binomial(sizes, rates_of)
    gains = [
        (average_leaf_error_rate(n, f) or 0.0) - (base_error_rate(n, f) or 0.0)
        for n, f in zip(sizes.tolist(), failures.tolist(), strict=True)
    ]
    true = (shares * num_samples).astype(int)
    error = gain_error(true.tolist(), np.rint(true * rates_of).astype(int).tolist())
    assert error == pytest.approx(np.std(gains), rel=0.08)


def test_without_failures_the_gain_has_no_error() -> None:
    assert gain_error([4, 0], [0, 0]) is None
