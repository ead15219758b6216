"""All features of one group of images at once, against one scikit-learn call per feature.

Mutual information with failure (nearest neighbours, k = 3) against `mutual_info_classif`, and the
best stump of each feature against as many depth-1 trees. Half of the features are continuous, half
are ReLU-like. Ours runs on as many threads as there are cores, two at most; scikit-learn as it
comes, which is one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.feature_selection import mutual_info_classif
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from auditor.measure.mutual_information import mutual_information
from auditor.measure.trees import Stumps, best_stumps

NUM_FEATURES = 2048
NUM_IMAGES = 1300
BASE_ERROR_RATE = 0.24
REPEATS = 3
DEVICES = ("cpu", "cuda")


def group() -> tuple[Tensor, Tensor]:
    """Features [N, F] and failures [N]."""
    random = np.random.default_rng(0)
    features = random.normal(size=(NUM_IMAGES, NUM_FEATURES)).astype(np.float32)
    features[:, ::2] = np.maximum(features[:, ::2], 0)
    failed = random.random(NUM_IMAGES) < BASE_ERROR_RATE
    return torch.from_numpy(features), torch.from_numpy(failed)


def best_time(what: Callable[[], Any], repeats: int) -> float:
    """Shortest wall time of some calls, in seconds."""
    times = []
    for _ in range(repeats):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        started = time.perf_counter()
        what()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)


def scikit_information(features: Tensor, failed: Tensor) -> Tensor:
    """scikit-learn's estimates [F]."""
    found = mutual_info_classif(
        features.numpy(), failed.numpy(), discrete_features=False, n_neighbors=3, random_state=0
    )
    return torch.from_numpy(found)


def scikit_stumps(features: Tensor, failed: Tensor) -> Stumps:
    """One depth-1 tree per feature, with the release's class weights."""
    matrix, labels = features.numpy(), failed.numpy().astype(int)
    weight = {0: 1.0, 1: float((labels == 0).sum() / (labels == 1).sum())}
    gains, thresholds = [], []
    for index in range(matrix.shape[1]):
        fitted = DecisionTreeClassifier(max_depth=1, criterion="entropy", class_weight=weight)
        tree = fitted.fit(matrix[:, index : index + 1], labels).tree_
        mass, impurity = tree.weighted_n_node_samples, tree.impurity
        gains.append(impurity[0] - (mass[1:] * impurity[1:]).sum() / mass[0])
        thresholds.append(tree.threshold[0])
    return Stumps(torch.tensor(gains).double(), torch.tensor(thresholds).double())


def stumps(features: Tensor, failed: Tensor) -> Stumps:
    """Ours."""
    return best_stumps(features, failed, criterion="balanced_entropy")


def rows(features: Tensor, failed: Tensor) -> list[dict[str, object]]:
    """One row per kernel and device, beside the reference measured right before."""
    started = time.perf_counter()
    information = scikit_information(features, failed)
    information_s = time.perf_counter() - started
    started = time.perf_counter()
    fitted = scikit_stumps(features, failed)
    fitted_s = time.perf_counter() - started
    measured: list[dict[str, object]] = []
    for device in DEVICES:
        size = f"{NUM_FEATURES} features x {NUM_IMAGES} images, {device}"
        names = (f"mutual information, {size}", f"best stump of each feature, {size}")
        if device == "cuda" and not torch.cuda.is_available():
            measured += [{"name": name, "ratio": "not measured"} for name in names]
            continue
        data = (features.to(device), failed.to(device))
        ours, splits = (
            mutual_information(*data).cpu(),
            Stumps(*(each.cpu() for each in stumps(*data))),
        )
        own = best_time(partial(mutual_information, *data), REPEATS)
        measured.append(row(names[0], own, information_s, ours - information))
        own = best_time(partial(stumps, *data), REPEATS)
        same = splits.threshold == fitted.threshold
        # Where two splits of a feature gain equally much, rounding decides in scikit-learn.
        tied = ~same & ((splits.gain - fitted.gain).abs() < 1e-12)
        found = row(names[1], own, fitted_s, splits.gain - fitted.gain)
        measured.append({**found, "same_splits": int(same.sum()), "tied": int(tied.sum())})
    return measured


def row(name: str, own: float, other: float, difference: Tensor) -> dict[str, object]:
    """One line of the benchmark."""
    return {
        "name": name,
        "ratio": round(other / own, 2),
        "ours_s": round(own, 4),
        "other_s": round(other, 3),
        "max_abs_diff": difference.abs().max().item(),
        "num_threads": torch.get_num_threads(),
    }


def main() -> None:
    """Print one JSON line per row."""
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    for measured in rows(*group()):
        print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
