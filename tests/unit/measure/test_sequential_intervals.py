"""Always-valid intervals: coverage over all looks at once, and decisions."""

from __future__ import annotations

import numpy as np
import pytest

from auditor.measure.sequential import (
    Bounds,
    Method,
    confidence_sequence,
    decide,
    distance_bounds,
    standard_errors,
)

LOOKS = np.arange(64, 4001, 16)


def running(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, sum and sum of squares at every look [R, looks]."""
    total, squares = values.cumsum(1)[:, LOOKS - 1], (values**2).cumsum(1)[:, LOOKS - 1]
    return np.broadcast_to(LOOKS, total.shape), total, squares


@pytest.mark.parametrize("method", ["asymptotic", "bernstein"])
@pytest.mark.parametrize("law", ["narrow", "skewed"])
def test_coverage_holds_at_all_looks_at_once(method: Method, law: str) -> None:
    generator = np.random.default_rng(5)
    if law == "narrow":
        values, mean = np.clip(generator.normal(0.2, 0.13, (1000, 4000)), -1, 1), 0.2
    else:
        values, mean = generator.beta(0.5, 3.5, (1000, 4000)), 0.125
    bounds = confidence_sequence(*running(values), method=method, alpha=0.05)
    missed = ((bounds.low > mean) | (bounds.high < mean)).any(1)
    assert missed.mean() <= 0.06


def test_a_fixed_interval_would_miss_far_more_often() -> None:
    values = np.random.default_rng(6).normal(0, 0.13, (1000, 4000))
    n, total, squares = running(values)
    error = np.sqrt((squares / n - (total / n) ** 2) / n)
    missed = (np.abs(total / n) > 1.96 * error).any(1)
    assert missed.mean() > 0.2


def test_the_asymptotic_interval_is_tightest_where_asked() -> None:
    def width(tight_at: int) -> float:
        bounds = confidence_sequence(
            500, 0.0, 5.0, method="asymptotic", alpha=0.01, tight_at=tight_at
        )
        return float(bounds.high - bounds.low)

    assert width(500) <= min(width(t) for t in (50, 300, 450, 550, 800, 5000))


def test_too_few_values_say_nothing() -> None:
    bounds = confidence_sequence([0, 1], [0.0, 0.5], [0.0, 0.25], method="asymptotic", alpha=0.05)
    assert bounds.low.tolist() == [-1, -1]
    assert bounds.high.tolist() == [1, 1]


def test_decisions_and_their_zone() -> None:
    low = np.array([0.25, 0.19, 0.0, 0.05, 0.17, 0.185])
    high = np.array([0.4, 0.3, 0.1, 0.215, 0.24, 0.215])
    assert decide(Bounds(low, high), cut=0.2, zone=0.02) == (
        "above", "above", "below", "below", "open", "indifferent",
    )  # fmt: skip


def test_a_width_of_twice_the_zone_is_never_open() -> None:
    low = np.linspace(0, 0.4, 401)
    assert "open" not in decide(Bounds(low, low + 0.0399), cut=0.2, zone=0.02)


def test_distances_follow_from_both_intervals() -> None:
    bounds = Bounds(np.array([0.3, -0.5, -0.05]), np.array([0.4, -0.4, 0.1]))
    found = distance_bounds(bounds, 0.0, 0.02)
    assert found.low == pytest.approx([0.28, 0.4, 0.0])
    assert found.high == pytest.approx([0.4, 0.52, 0.1])


def test_a_bootstrap_standard_error_serves_a_distance_from_a_median() -> None:
    """Coverage of m - median(m) at all looks, with errors from a Poisson bootstrap."""
    generator = np.random.default_rng(9)
    means = np.linspace(-0.3, 0.3, 7)
    truth = means - np.median(means)
    missed = 0
    for _ in range(150):
        values = generator.normal(means, 0.15, (1500, 7)) + generator.normal(0, 0.1, (1500, 1))
        weights = generator.poisson(1.0, (100, 1500))
        for n in range(100, 1501, 100):
            drawn = weights[:, :n] @ values[:n] / weights[:, :n].sum(1, keepdims=True)
            error = (drawn - np.median(drawn, axis=1, keepdims=True)).std(0, ddof=1)
            found = values[:n].mean(0)
            half = error * standard_errors(n, alpha=0.05 / 7)
            if (np.abs(found - np.median(found) - truth) > half).any():
                missed += 1
                break
    assert missed / 150 <= 0.06
