"""Mutual information equals scikit-learn's on every kind of feature; binned, closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.feature_selection import mutual_info_classif
from sklearn.metrics import mutual_info_score

from auditor.measure import mutual_information as kernel
from auditor.measure.mutual_information import binned_mutual_information, mutual_information

TOLERANCE = 1e-12  # what is promised is 1e-9; only the order of one sum differs


def kinds_of_features(num_samples: int, seed: int) -> np.ndarray:
    """Continuous, ReLU-like, tied, constant, tiny and far from zero, [N, 14]."""
    normal = np.random.default_rng(seed).normal(size=(num_samples, 2))
    constant = np.tile([0.0, 7.3], (num_samples, 1))
    kinds = [normal, np.maximum(normal, 0), np.round(normal), np.round(normal, 1), constant]
    return np.hstack([*kinds, normal * 1e-9, normal * 1e-3 + 1e9])


def reference(features: np.ndarray, failed: np.ndarray, k: int, seed: int) -> np.ndarray:
    return mutual_info_classif(
        features, failed, discrete_features=False, n_neighbors=k, random_state=seed
    )


def ours(features: np.ndarray, failed: np.ndarray, k: int, seed: int) -> np.ndarray:
    found = mutual_information(
        torch.from_numpy(features), torch.from_numpy(failed), num_neighbors=k, seed=seed
    )
    assert found.dtype == torch.float64
    return found.numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 3, 10])
def test_equals_scikit_learn(k: int, dtype: type) -> None:
    features = kinds_of_features(300, seed=k).astype(dtype)
    features[:, :4] += 0.5 * (np.arange(300) % 4 == 0)[:, None]
    failed = np.arange(300) % 4 == 0
    found = ours(features, failed, k, seed=k)
    assert np.abs(found - reference(features, failed, k, seed=k)).max() <= TOLERANCE
    assert found.max() > 0.01


@pytest.mark.parametrize(
    ("num_samples", "num_failures"),
    [(3, 1), (4, 2), (5, 3), (6, 0), (7, 3), (8, 4), (9, 9), (12, 1), (20, 7)],
)
def test_equals_scikit_learn_in_tiny_groups(num_samples: int, num_failures: int) -> None:
    """k is capped by the smaller outcome, which scikit-learn then searches by brute force."""
    features = kinds_of_features(num_samples, seed=num_samples)
    failed = np.arange(num_samples) < num_failures
    found = ours(features, failed, 3, seed=1)
    assert np.abs(found - reference(features, failed, 3, seed=1)).max() <= TOLERANCE


def test_equals_scikit_learn_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of features draws the noise of the whole matrix and keeps its part."""
    features = kinds_of_features(60, seed=0)
    failed = np.arange(60) % 3 == 0
    whole = ours(features, failed, 3, seed=5)
    monkeypatch.setattr(kernel, "_NOISE_VALUES", 5 * 60)
    monkeypatch.setattr(kernel, "_CHUNK_VALUES", {"cpu": 3 * 60})
    assert (ours(features, failed, 3, seed=5) == whole).all()


def test_counts_are_those_of_rounded_differences() -> None:
    """x - radius and x + radius round on their own; a KD-tree compares |x - y| with the radius."""
    generator = torch.Generator().manual_seed(0)
    steps = torch.randint(0, 40, (200, 30), generator=generator).double()
    scale = 10.0 ** -torch.randint(0, 15, (200, 30), generator=generator).double()
    values = (0.1 * steps + scale * 0.3).sort(1).values
    distances = (values.unsqueeze(2) - values.unsqueeze(1)).abs()
    # Radii at and just beside existing distances are where rounding decides.
    radius = distances[:, :, 7].clone()
    radius[:, ::2] = radius[:, ::2].nextafter(torch.zeros(()).double())
    radius[:, ::3] = distances[:, ::3, 11]
    expected = (distances <= radius.unsqueeze(2)).sum(2)
    assert (kernel._counts(values, values, radius) == expected).all()
    plain = torch.searchsorted(values, values + radius, right=True)
    plain -= torch.searchsorted(values, values - radius)
    assert (plain != expected).any()  # the correction is needed


def test_what_has_no_mutual_information_is_refused() -> None:
    failed = torch.tensor([True, False, True, False])
    features = torch.randn(4, 2)
    for broken in (torch.nan, torch.inf):
        spoilt = features.clone()
        spoilt[1, 1] = broken
        with pytest.raises(ValueError, match="finite"):
            mutual_information(spoilt, failed)
        with pytest.raises(ValueError, match="finite"):
            binned_mutual_information(spoilt, failed, num_bins=2)
    with pytest.raises(ValueError, match="belong together"):
        mutual_information(features, failed[:3])
    with pytest.raises(ValueError, match="belong together"):
        mutual_information(features, failed.long())
    with pytest.raises(ValueError, match="same outcome"):
        mutual_information(features[:2], failed[:2])
    with pytest.raises(ValueError, match="needs images"):
        mutual_information(features[:0], failed[:0])


def test_no_features_have_no_mutual_information() -> None:
    failed = torch.tensor([True, False, True, False])
    assert mutual_information(torch.zeros(4, 0), failed).shape == (0,)
    assert binned_mutual_information(torch.zeros(4, 0), failed, num_bins=2).shape == (0,)


def test_binned_closed_forms() -> None:
    failed = torch.arange(8) >= 4
    tells_all = torch.arange(8.0)
    tells_nothing = torch.tensor([0.0, 0, 1, 1, 0, 0, 1, 1])
    constant = torch.full((8,), 3.0)
    features = torch.stack([tells_all, tells_nothing, constant], 1)
    found = binned_mutual_information(features, failed, num_bins=2)
    assert found.tolist() == pytest.approx([math.log(2), 0.0, 0.0], abs=1e-15)


def test_binned_equals_scikit_learn_on_ranks() -> None:
    random = np.random.default_rng(0)
    features = random.permuted(np.tile(np.arange(120.0), (5, 1)), axis=1).T
    failed = random.random(120) < 0.3
    found = binned_mutual_information(
        torch.from_numpy(features), torch.from_numpy(failed), num_bins=8
    )
    expected = [mutual_info_score(column // 15, failed) for column in features.T]
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_equal_values_share_a_bin() -> None:
    """Half of a ReLU unit's values are exactly zero; which of them fail tells nothing."""
    values = torch.cat([torch.zeros(50), torch.arange(1.0, 51.0)]).unsqueeze(1)
    failed = torch.arange(100) < 25
    all_zeros_together = binned_mutual_information(values, failed, num_bins=10)
    expected = mutual_info_score(np.arange(100) < 50, failed.numpy())
    assert all_zeros_together.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.gpu
def test_cuda_agrees() -> None:
    features = torch.from_numpy(kinds_of_features(300, seed=0)).float()
    failed = torch.arange(300) % 4 == 0
    found = mutual_information(features.cuda(), failed.cuda()).cpu()
    assert (found - mutual_information(features, failed)).abs().max() <= TOLERANCE
