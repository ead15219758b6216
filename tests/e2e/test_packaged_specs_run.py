"""The packaged specs, run as a user runs them: what the demo finds, and what the clean one does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.compose.load import load_spec
from auditor.spec.dataset import PortraitsDataset

Call = Callable[..., Any]


@pytest.fixture(autouse=True, scope="module")
def one_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Both demos explain their failures by the same robust network, which takes a minute to fit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDITOR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def broken(run: Path) -> set[frozenset[str]]:
    findings = json.loads((run / "findings.json").read_text())["findings"]
    return {
        frozenset(finding["subjects"])
        for finding in findings
        if (finding["code"], finding["verdict"]) == ("BROKEN_RULE", "fail")
    }


def slices(run: Path) -> dict[str, str]:
    """Group -> what its failing slice is, in words."""
    findings = json.loads((run / "findings.json").read_text())["findings"]
    return {
        finding["subjects"][0]: finding["claim"]
        for finding in findings
        if finding["code"] == "FAILING_SLICE"
    }


def only_run(name: str) -> Path:
    (found,) = Path("reports", name).iterdir()
    return found


def test_the_demo_finds_the_planted_pairs_and_no_other(auditor: Call) -> None:
    dataset = load_spec("portraits").spec.dataset
    assert isinstance(dataset, PortraitsDataset)
    planted = {frozenset(pair.between) for pair in dataset.splits["train"].planted}
    done = auditor("run", "portraits", "engine.device=cpu")
    assert done.code == 1, done.err
    assert "not a crash" in done.out.splitlines()[-1]
    assert broken(only_run("portraits")) == planted
    # Hats came with glasses: without a hat glasses are missed, and a hat alone is taken for them.
    failing = slices(only_run("portraits"))
    assert "wearing a hat) is low" in failing["glasses:label=present"]
    assert "wearing a hat) is high" in failing["glasses:label=absent"]
    assert "blond hair) is high" in failing["earrings:label=present"]
    assert auditor("verify", "portraits").code == 0


def test_without_planted_bias_every_rule_holds(auditor: Call) -> None:
    named = ("~audits.filters", "~audits.robust_filters", "~audits.groups", "~vocabulary")
    quick = (*named, "report.formats=[html]", "engine.device=cpu")
    done = auditor("run", "portraits_clean", *quick)
    assert done.code == 0, done.out + done.err
    assert broken(only_run("portraits_clean")) == set()
