"""The failure audit's trees over many groups of 1,300 images with 2,048 synthetic features.

Everything between the feature store and the pictures, through the audit's own solve, with nothing
held back (the paper's mode, in which trees see all 1,300 images of a group): tree of depth 3,
99 shuffles and 50 resamples of the best stump per group, rates, Wilson intervals, and all groups
together. Memory is the peak of the process beyond what it took when the store was filled.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time

import torch

from auditor.audits.failures.compute import solve
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.states import TableState
from auditor.context import Context, Extractor

NUM_GROUPS = 25
NUM_IMAGES = 1300
NUM_FEATURES = 2048
BASE_ERROR_RATE = 0.24
GROUP_MEGABYTES = NUM_IMAGES * NUM_FEATURES * 4 / 1e6


def table(num_groups: int, seed: int) -> TableState:
    """ReLU-like features, classes in turn, failures at random but for one feature of each class."""
    generator = torch.Generator().manual_seed(seed)
    num_images = num_groups * NUM_IMAGES
    features = torch.empty(num_images, NUM_FEATURES)
    features.normal_(generator=generator).clamp_(min=0)
    truth = torch.arange(num_images) % num_groups
    own = features[torch.arange(num_images), truth % NUM_FEATURES]
    chance = torch.where(own > 0, BASE_ERROR_RATE - 0.08, BASE_ERROR_RATE + 0.08)
    failed = torch.rand(num_images, generator=generator) < chance
    predicted = torch.where(failed, (truth + 1) % num_groups, truth)
    return TableState(
        rows=torch.arange(num_images),
        part=torch.zeros(num_images, dtype=torch.int8),
        truth=truth.unsqueeze(1),
        predicted=predicted.reshape(-1, 1, 1),
        columns=torch.zeros(num_images, 0, dtype=torch.int64),
        attributes=torch.zeros(num_images, 0, dtype=torch.int8),
        features=features,
    )


def context(num_groups: int) -> Context:
    """As of a spec with features from a file."""
    return Context(
        audit="failures",
        attributes=(),
        rules=(),
        relations=(),
        head="multi_class",
        num_available={"test": num_groups * NUM_IMAGES},
        seed=0,
        classes=tuple(f"class {index}" for index in range(num_groups)),
        extractor=Extractor("synthetic features", None, None, None, None, None, False),
        is_network=False,
        model_title="nothing",
    )


def peak_megabytes() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=NUM_GROUPS)
    num_groups = parser.parse_args().groups
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    spec = FailuresSpec(kind="failures", group_by=("label",), confirm=None)
    store = table(num_groups, seed=0)
    before = peak_megabytes()
    started = time.perf_counter()
    solve(spec, context(num_groups), "trees", {"table": store})
    seconds = time.perf_counter() - started
    row = {
        "name": f"{num_groups} groups x {NUM_IMAGES} images x {NUM_FEATURES} features, end to end",
        "ours_s": round(seconds, 1),
        "s_per_group": round(seconds / num_groups, 2),
        "store_megabytes": round(store.features.nbytes / 1e6, 1),
        "group_megabytes": round(GROUP_MEGABYTES, 1),
        "peak_megabytes": round(peak_megabytes(), 1),
        "beyond_store_megabytes": round(peak_megabytes() - before, 1),
        "num_threads": torch.get_num_threads(),
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
