"""Mutual information of continuous features with failure, of all features of a group at once.

The estimator is Ross's for a continuous and a discrete variable (PLoS ONE 9(2), 2014, equation 5),
as scikit-learn 1.9 computes it (`sklearn.feature_selection.mutual_info_classif`), jitter included:
the results differ by the rounding of one sum. scikit-learn searches a KD-tree per feature; one
feature is a line, so here it is sorted once: the distance to the k-th neighbour of a class is the
smallest over the k + 1 windows of k + 1 sorted values around a point, and what lies within that
distance is found by binary search.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auditor.measure.threads import spread

_JITTER = 1e-10  # of the mean absolute value, as Kraskov et al. (2004) advise to break ties
_NOISE_VALUES = 2**26
"""Values of the jittered copy of the features that is held at a time; 512 MiB."""
_CHUNK_VALUES = {"cpu": 2**18, "cuda": 2**25}
"""Values that are sorted and searched at a time: on a CPU, what stays in its caches."""


def mutual_information(
    features: Tensor, failed: Tensor, *, num_neighbors: int = 3, seed: int = 0
) -> Tensor:
    """Mutual information of every feature with failure, in nats; float64 [F] on their device.

    Equal to scikit-learn's `mutual_info_classif(features, failed, discrete_features=False,
    n_neighbors=num_neighbors, random_state=seed)` up to the rounding of a mean (below 1e-12).

    Args:
        features: Features [N, F], floating point, finite.
        failed: Whether the network fails on the image, bool [N].
        num_neighbors: k, at most the images of an outcome less one, outcome by outcome.
        seed: Seed of the jitter.

    Raises:
        ValueError: when features are not finite, shapes do not fit, or no outcome has two images.
    """
    _check(features, failed)
    if num_neighbors < 1:
        raise ValueError(f"num_neighbors is at least 1, got {num_neighbors}")
    if max(int(failed.sum()), int((~failed).sum())) < 2:
        raise ValueError("mutual information needs two images of the same outcome")
    found = [torch.zeros(0, dtype=torch.float64, device=features.device)]
    for block in _jittered(features, seed):
        rows = torch.from_numpy(block).to(features.device)
        chunk = max(1, _CHUNK_VALUES[_kind(features)] // rows.shape[1])
        parts = [rows[start : start + chunk] for start in range(0, len(rows), chunk)]
        find = partial(_information, failed=failed, num_neighbors=num_neighbors)
        found += spread(find, parts, device=features.device)
    return torch.cat(found)


def binned_mutual_information(features: Tensor, failed: Tensor, *, num_bins: int) -> Tensor:
    """Mutual information of every binned feature with failure, in nats; float64 [F].

    The plug-in estimate from the table of bins by failure. Bins hold equally many images where
    values are distinct; equal values always share a bin. Biased upwards by about
    (num_bins - 1) / 2N.

    Args:
        features: Features [N, F], finite.
        failed: Whether the network fails on the image, bool [N].
        num_bins: Bins per feature.

    Raises:
        ValueError: when features are not finite or shapes do not fit.
    """
    _check(features, failed)
    if num_bins < 1:
        raise ValueError(f"num_bins is at least 1, got {num_bins}")
    num_samples = len(failed)
    chunk = max(1, _CHUNK_VALUES[_kind(features)] // num_samples)
    starts = torch.arange(1, num_bins, device=features.device) * num_samples // num_bins
    found = [torch.zeros(0, dtype=torch.float64, device=features.device)]
    for start in range(0, features.shape[1], chunk):
        values = features[:, start : start + chunk].T.contiguous()
        edges = _ascending(values)[:, starts].contiguous()
        bins = torch.searchsorted(edges, values, right=True)
        table = torch.zeros(len(values), 2, num_bins, dtype=torch.float64, device=values.device)
        one = torch.ones((), dtype=torch.float64, device=values.device)
        for outcome in (0, 1):
            members = bins[:, failed == bool(outcome)]
            table[:, outcome].scatter_add_(1, members, one.expand_as(members))
        found.append(_table_information(table / num_samples))
    return torch.cat(found)


def _check(features: Tensor, failed: Tensor) -> None:
    """Refuse what has no mutual information."""
    if features.ndim != 2 or failed.shape != features.shape[:1] or failed.dtype != torch.bool:
        raise ValueError(
            f"features [N, F] and bool failures [N] belong together, got {tuple(features.shape)}"
            f" and {failed.dtype} {tuple(failed.shape)}"
        )
    if not len(failed):
        raise ValueError("mutual information needs images")
    if not features.isfinite().all():
        raise ValueError("features must be finite; leave out those that are not")


def _kind(features: Tensor) -> str:
    return "cuda" if features.is_cuda else "cpu"


def _jittered(features: Tensor, seed: int) -> Iterator[NDArray[np.float64]]:
    """Blocks [f, N] of the features, scaled and jittered bit by bit as scikit-learn does it.

    NumPy's sums and scikit-learn's order of draws are part of the estimate: the noise is drawn
    image by image, features inside. A block of columns that does not span all features therefore
    draws the whole stream again and keeps its part.
    """
    num_samples, num_features = features.shape
    width = max(1, _NOISE_VALUES // num_samples)
    for start in range(0, num_features, width):
        columns = features[:, start : start + width]
        values = columns.T.contiguous().cpu().numpy().astype(np.float64)
        means = values.sum(axis=1, keepdims=True) / num_samples
        centred = values - means
        np.multiply(centred, centred, out=centred)
        scales = np.sqrt(centred.sum(axis=1, keepdims=True) / num_samples)
        scales[scales < 10 * np.finfo(np.float64).eps] = 1.0  # constant features stay as they are
        values /= scales
        means = np.abs(values, out=centred).mean(axis=1, keepdims=True)
        noise = _noise(num_samples, num_features, slice(start, start + width), seed, out=centred)
        noise *= _JITTER * np.maximum(1, means)
        values += noise
        yield values


def _noise(
    num_samples: int, num_features: int, kept: slice, seed: int, *, out: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rows `kept` of the transposed draw `standard_normal((num_samples, num_features))`."""
    random = np.random.RandomState(seed)
    rows = max(1, _CHUNK_VALUES["cpu"] // num_features)
    for start in range(0, num_samples, rows):
        stop = min(start + rows, num_samples)
        out[:, start:stop] = random.standard_normal((stop - start, num_features))[:, kept].T
    return out


def _information(values: Tensor, failed: Tensor, num_neighbors: int) -> Tensor:
    """Ross's estimate of each row of `values` [f, N]."""
    classes = [values[:, failed == outcome] for outcome in (False, True)]
    # An outcome with one image has no neighbour; scikit-learn leaves the image out.
    classes = [_ascending(own) for own in classes if own.shape[1] > 1]
    whole = classes[0] if len(classes) == 1 else _ascending(torch.cat(classes, 1))
    num_samples = whole.shape[1]
    numbers = torch.arange(num_samples + 1, dtype=torch.float64, device=values.device)
    digamma = torch.digamma(numbers)
    constant, within = digamma[num_samples].clone(), torch.zeros_like(values[:, 0])
    for own in classes:
        size = own.shape[1]
        k = min(num_neighbors, size - 1)
        # scikit-learn searches small classes by brute force, with other rounding.
        distance = _brute_distance(own, k) if k >= size // 2 else _neighbor_distance(own, k)
        radius = distance.nextafter(torch.zeros_like(distance))
        within += digamma[_counts(whole, own, radius)].sum(1)
        constant += size / num_samples * (digamma[k] - digamma[size])
    return (constant - within / num_samples).clamp(min=0)


def _ascending(rows: Tensor) -> Tensor:
    """Each row sorted; numpy sorts values several times as fast as torch on a CPU."""
    if rows.is_cuda:
        return rows.sort(dim=1).values
    return torch.from_numpy(np.sort(rows.numpy(), axis=1))


def _neighbor_distance(own: Tensor, k: int) -> Tensor:
    """Distance of each value to its k-th nearest in the same sorted row [f, n], k < n."""
    size = own.shape[1]
    distance = torch.full_like(own, torch.inf)
    for below in range(k + 1):
        # Windows of k + 1 values that hold `below` values under the one in question.
        centre = slice(below, size - k + below)
        low, high = own[:, : size - k], own[:, k:]
        reach = torch.maximum(own[:, centre] - low, high - own[:, centre])
        torch.minimum(distance[:, centre], reach, out=distance[:, centre])
    return distance


def _brute_distance(own: Tensor, k: int) -> Tensor:
    """The same as scikit-learn's brute force rounds it: sqrt((x² - 2xy) + y²), at least 0."""
    squares = own * own
    products = own.unsqueeze(2) * own.unsqueeze(1) * -2
    distances = (squares.unsqueeze(2) + products).add_(squares.unsqueeze(1)).clamp_(min=0)
    # The value itself is among the k + 1 nearest, at distance 0. NumPy's root is rounded correctly,
    # torch's on a CPU is not always.
    nearest = distances.sort(dim=2).values[:, :, k]
    return torch.from_numpy(np.sqrt(nearest.cpu().numpy())).to(own.device)


def _counts(whole: Tensor, own: Tensor, radius: Tensor) -> Tensor:
    """How many of each sorted row of `whole` lie within `radius` of each value of `own`, [f, n].

    A KD-tree in one dimension compares the rounded difference with the radius. x - radius is
    rounded on its own, so the places that a binary search returns are put right by their
    neighbours until the rounded differences agree with them.
    """
    first = torch.searchsorted(whole, own - radius)
    last = torch.searchsorted(whole, own + radius, right=True) - 1
    _settle(whole, own, radius, first, step=-1)
    _settle(whole, own, radius, last, step=1)
    return last - first + 1


def _settle(whole: Tensor, own: Tensor, radius: Tensor, place: Tensor, *, step: int) -> None:
    """Move `place` in place to the outermost value within the radius, in direction `step`."""
    end = whole.shape[1] - 1
    while True:  # inwards; the value itself is within, so this ends
        place.clamp_(0, end)
        outside = (own - whole.gather(1, place)).abs_() > radius
        if not outside.any():
            break
        place -= step * outside.long()
    while True:  # outwards
        beyond = (place + step).clamp_(0, end)
        inside = (own - whole.gather(1, beyond)).abs_() <= radius
        inside &= beyond != place
        if not inside.any():
            break
        place += step * inside.long()


def _table_information(table: Tensor) -> Tensor:
    """Σ p log(p / (p_bin p_outcome)) of tables of shares [f, 2, bins]."""
    independent = table.sum(1, keepdim=True) * table.sum(2, keepdim=True)
    terms = torch.where(table > 0, table * (table.log() - independent.log()), 0.0)
    return terms.sum((1, 2)).clamp(min=0)
