"""The packaged specs on real photos: each ends in a verdict that a user can trust."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


def only_run(name: str) -> Path:
    (found,) = Path("reports", name).iterdir()
    return found


@pytest.mark.data
def test_real_images_are_audited_to_a_verdict(auditor: Call, shared_data: Path) -> None:
    done = auditor("run", "cifar10_attributes", f"data_root={shared_data}", "engine.device=cpu")
    assert done.code in (0, 1), done.out + done.err
    (result,) = only_run("cifar10_attributes").glob("audits/*/result.json")
    found = json.loads(result.read_text())
    assert found["num_decided"] >= 0.8 * found["num_rules"]
    assert sum(attribute["learnt"] is True for attribute in found["attributes"]) >= 10
    assert auditor("verify", "cifar10_attributes").code == 0


@pytest.mark.data
def test_failures_on_real_images_are_explained(auditor: Call, shared_data: Path) -> None:
    done = auditor("run", "cifar10_failures", f"data_root={shared_data}", "engine.device=cpu")
    assert done.code == 0, done.out + done.err
    (result,) = only_run("cifar10_failures").glob("audits/*/result.json")
    found = json.loads(result.read_text())
    assert len(found["groups"]) == 40
    assert all(group["outcome"] != "not_testable" for group in found["groups"])
    assert len(found["pictures"]) == 10
    assert auditor("verify", "cifar10_failures").code == 0
