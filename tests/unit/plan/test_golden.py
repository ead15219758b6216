"""Each pass, as the text of the plan after it: `tests/golden/plan/<pass>.txt`.

A file holds cases between lines of `=====`: overrides of `base.yaml`, a line `-----`, the text.
FEATURES stands for a file with one row per image of the split `test`.
AUDITOR_UPDATE_GOLDEN=1 writes the texts anew; a reviewer then reads the diff.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auditor.compose.composed import Composed
from auditor.plan.explain import explain
from auditor.plan.facts import gather
from auditor.plan.history import History
from auditor.plan.make import make_plan
from auditor.plan.mermaid import to_mermaid
from auditor.plan.passes import PASSES
from auditor.plan.steps import Plan

GOLDEN = Path(__file__).parents[2] / "golden" / "plan"
CASES, TEXT = "=====\n", "-----\n"

Compose = Callable[..., Composed]


def after_pass(name: str, composed: Composed, base: Composed) -> str:
    """The plan after a pass; for `estimate`, an earlier run of the base spec is known."""
    if name == "mermaid":
        return to_mermaid(make_plan(composed))
    facts = gather(composed, History(earlier=make_plan(base)))
    plan = Plan(name=composed.spec.name, spec_digest=composed.digest, steps=())
    for apply in PASSES:
        plan = apply(plan, facts)
        if apply.__name__ == name:
            break
    # Ids are hashes over the package version, among others: they have tests of their own.
    text = re.sub(r"\[[0-9a-f]{16}\]", "[id]", explain(plan))
    return re.sub(r"spec [0-9a-f]{8}", "spec digest", text)


@pytest.mark.parametrize("name", [*(each.__name__ for each in PASSES), "mermaid"])
def test_the_plan_after_each_pass_is_as_recorded(
    name: str, compose: Compose, tmp_path: Path
) -> None:
    features = tmp_path / "test.npy"
    np.save(features, np.zeros((100, 4), dtype=np.float32))
    path = GOLDEN / f"{name}.txt"
    recorded, found = path.read_text(), []
    for case in recorded.split(CASES):
        overrides = case.partition(TEXT)[0]
        lines = overrides.replace("FEATURES", str(features)).splitlines()
        text = after_pass(name, compose(*lines), compose())
        found.append(f"{overrides}{TEXT}{text}")
    if os.environ.get("AUDITOR_UPDATE_GOLDEN"):
        path.write_text(CASES.join(found))
    else:
        assert CASES.join(found) == recorded


def test_every_golden_file_belongs_to_a_pass() -> None:
    names = {each.__name__ for each in PASSES} | {"mermaid"}
    assert {path.stem for path in GOLDEN.glob("*.txt")} == names
