"""Divergence estimators against numeric integration and each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from auditor.measure.divergence import (
    binned_gaussian,
    gaussian_divergence,
    gaussian_divergence_error,
    histogram_divergence,
    rank_agreement,
    signed,
)

MEANS = st.floats(-1, 1)
SPREADS = st.floats(0.02, 1)


@settings(max_examples=20, deadline=None)
@given(m1=MEANS, s1=SPREADS, m2=MEANS, s2=st.floats(0.2, 1))
def test_the_closed_form_equals_the_integral(m1: float, s1: float, m2: float, s2: float) -> None:
    p, q = norm(m1, s1), norm(m2, s2)
    integral, _ = quad(
        lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), m1 - 12 * s1, m1 + 12 * s1, limit=200
    )
    assert gaussian_divergence(m1, s1, m2, s2) == pytest.approx(integral, abs=1e-6)


def test_equal_distributions_do_not_diverge() -> None:
    assert gaussian_divergence(0.3, 0.1, 0.3, 0.1) == pytest.approx(0.0, abs=1e-15)


def test_a_fine_histogram_of_many_samples_approaches_the_closed_form() -> None:
    samples = np.random.default_rng(0).normal(0.2, 0.15, 400_000)
    counts, _ = np.histogram(samples, bins=40, range=(-1, 1))
    expected = gaussian_divergence(0.0, 0.12, 0.2, 0.15)
    assert histogram_divergence(0.0, 0.12, counts) == pytest.approx(float(expected), rel=0.03)


def test_empty_bins_stay_finite_and_cost_more_with_less_smoothing() -> None:
    counts = np.zeros(40)
    counts[39] = 500
    strong = histogram_divergence(-0.5, 0.1, counts, pseudo_count=0.5)
    weak = histogram_divergence(-0.5, 0.1, counts, pseudo_count=0.01)
    assert np.isfinite(weak)
    assert weak > strong > 0


@settings(max_examples=20, deadline=None)
@given(mean=st.floats(-40, 40), sd=st.floats(0.02, 3))
def test_bin_probabilities_are_those_of_a_truncated_gaussian(mean: float, sd: float) -> None:
    mass = binned_gaussian(mean, sd, 40)
    assert np.isfinite(mass).all()
    assert mass.sum() == pytest.approx(1.0)
    if abs(mean) < 1:
        law = norm(mean, sd)
        expected = np.diff(law.cdf(np.linspace(-1, 1, 41))) / (law.cdf(1) - law.cdf(-1))
        np.testing.assert_allclose(mass, expected, atol=1e-9)


def test_histograms_are_batched() -> None:
    counts = np.random.default_rng(1).integers(0, 50, (6, 20))
    together = histogram_divergence(0.1, 0.2, counts)
    assert together.tolist() == [float(histogram_divergence(0.1, 0.2, row)) for row in counts]


def test_the_sign_is_that_of_the_shift() -> None:
    assert signed([2.0, 2.0], [0.4, -0.4], 0.1).tolist() == [2.0, -2.0]


def test_agreement_needs_an_order() -> None:
    assert rank_agreement([1, 2, 3], [2, 4, 9]) == pytest.approx(1.0)
    assert rank_agreement([1, 2], [1, 2]) is None
    assert rank_agreement([1, 2, 3], [5, 5, 5]) is None


@pytest.mark.parametrize("sd", [0.0, -0.1])
def test_a_spread_of_zero_is_refused(sd: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        gaussian_divergence(0, 1, 0, sd)
    with pytest.raises(ValueError, match="positive"):
        histogram_divergence(0, sd, np.ones(4))


@pytest.mark.parametrize(("mean", "sd"), [(0.3, 0.1), (0.12, 0.15), (-0.4, 0.08), (0.05, 0.12)])
def test_the_standard_error_is_the_spread_over_many_samples(mean: float, sd: float) -> None:
    drawn = np.random.default_rng(1).normal(mean, sd, (4_000, 300))
    found = gaussian_divergence(0.05, 0.12, drawn.mean(1), drawn.std(1, ddof=1))
    error = gaussian_divergence_error(0.05, 0.12, mean, sd, 300)
    assert error == pytest.approx(found.std(), rel=0.08)
