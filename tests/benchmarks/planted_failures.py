"""`make study`, part failures: is a planted failure found, and is nothing claimed where none is?

Both through the audit's own solves, trees grown on about half of the images and leaves confirmed
on the rest, at the audit's defaults.

planted    300 images, 2,048 features; an image fails if and only if one feature is low. Found
           means: the first split uses that feature, its threshold lies between the largest value
           of a failure and the smallest of a success among the images that the tree was grown on,
           and the slice is confirmed.
permuted   the same kind of features, four groups by label and prediction, failures shuffled.
           Empty means that not one slice is confirmed.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import NamedTuple

import torch
from torch import Tensor

from auditor.audits.failures.compute import solve
from auditor.audits.failures.result import FailuresResult, GroupResult
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.states import TableState
from auditor.context import Context, Extractor
from auditor.results.outcome import Outcome

NUM_FEATURES = 2048
NUM_IMAGES = 300
SHARE_OF_FAILURES = 0.25
PLANTED_TRIALS = 20
PERMUTED_TRIALS = 100
CLASSES = ("cat", "dog")

SPEC = FailuresSpec.model_validate(
    {"kind": "failures", "permutations": 99, "resamples": 20, "pictures": {"findings": 0}}
)
QUICK = SPEC.model_copy(update={"permutations": 0, "resamples": 0})
"""Whether a slice is confirmed depends on neither."""


class Audited(NamedTuple):
    """One audit.

    Attributes:
        grown: Images that trees were grown on, bool [N].
        groups: What it says of each group.
        num_findings: Findings that fail.
    """

    grown: Tensor
    groups: tuple[GroupResult, ...]
    num_findings: int


def audited(
    spec: FailuresSpec, features: Tensor, *, truth: Tensor, failed: Tensor, seed: int
) -> Audited:
    """Both solves, on a table with two classes and features from a file."""
    num_images = len(truth)
    generator = torch.Generator().manual_seed(10_000 + seed)
    table = TableState(
        rows=torch.arange(num_images),
        part=(torch.rand(num_images, generator=generator) < 0.5).to(torch.int8),
        truth=truth.unsqueeze(1),
        predicted=torch.where(failed, 1 - truth, truth).reshape(-1, 1, 1),
        columns=torch.zeros(num_images, 0, dtype=torch.int64),
        attributes=torch.zeros(num_images, 0, dtype=torch.int8),
        features=features,
    )
    context = Context(
        audit="failures",
        attributes=(),
        rules=(),
        relations=(),
        head="multi_class",
        num_available={"test": num_images},
        seed=seed,
        classes=CLASSES,
        extractor=Extractor("synthetic features", None, None, None, None, None, False),
        is_network=False,
        model_title="nothing",
    )
    grown = solve(spec, context, "trees", {"table": table})
    outcome = solve(spec, context, "result", {"trees": grown})
    if not isinstance(outcome, Outcome) or not isinstance(outcome.result, FailuresResult):
        raise TypeError("the audit's last solve gives its outcome")
    failing = sum(finding.verdict == "fail" for finding in outcome.findings)
    return Audited(table.part == 0, outcome.result.groups, failing)


def planted(seed: int) -> bool:
    """Whether the planted feature is found, with its threshold, and confirmed."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(NUM_IMAGES, NUM_FEATURES, generator=generator)
    decisive = int(torch.randint(NUM_FEATURES, (), generator=generator))
    failed = torch.zeros(NUM_IMAGES, dtype=torch.bool)
    failed[features[:, decisive].argsort()[: int(SHARE_OF_FAILURES * NUM_IMAGES)]] = True
    truth = torch.zeros(NUM_IMAGES, dtype=torch.int64)
    grown, groups, _ = audited(SPEC, features, truth=truth, failed=failed, seed=seed)
    root = next(group for group in groups if group.id == "label=cat")
    low = features[grown & failed, decisive].max().item()
    high = features[grown & ~failed, decisive].min().item()
    first = root.nodes[0]
    in_gap = first.threshold is not None and low <= first.threshold < high
    return root.outcome == "slice" and first.feature == decisive and in_gap


def permuted(seed: int) -> int:
    """Slices that are confirmed where failures follow nothing."""
    generator = torch.Generator().manual_seed(1_000 + seed)
    num_images = len(CLASSES) * NUM_IMAGES
    features = torch.randn(num_images, NUM_FEATURES, generator=generator)
    truth = torch.arange(num_images) % len(CLASSES)
    fails = torch.arange(num_images) < SHARE_OF_FAILURES * num_images
    failed = fails[torch.randperm(num_images, generator=generator)]
    _, groups, failing = audited(QUICK, features, truth=truth, failed=failed, seed=seed)
    return max(failing, sum(group.outcome == "slice" for group in groups))


def main() -> None:
    """Print one JSON line per part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planted", type=int, default=PLANTED_TRIALS)
    parser.add_argument("--permuted", type=int, default=PERMUTED_TRIALS)
    arguments = parser.parse_args()
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    size = {"num_features": NUM_FEATURES, "num_images": NUM_IMAGES}
    found = sum(planted(seed) for seed in range(arguments.planted))
    line = {"failures": "planted", "found": found, "of": arguments.planted, **size}
    print(json.dumps(line), flush=True)
    claims = [permuted(seed) for seed in range(arguments.permuted)]
    empty = sum(count == 0 for count in claims)
    line = {"failures": "permuted", "empty": empty, "of": arguments.permuted, **size}
    print(json.dumps({**line, "slices_claimed": sum(claims)}), flush=True)


if __name__ == "__main__":
    main()
