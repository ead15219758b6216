"""`auditor diff`: which runs, what is printed and written, and how it ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.results.comparison import Comparison

Call = Callable[..., Any]
DATA = [
    {"role": f"dataset {split}", "name": "portraits", "digest": digest * 64}
    for split, digest in (("train", "a"), ("test", "b"))
]


def edit(run: Path, *, verdict: str | None = None, value: float | None = None) -> None:
    """Say what data the run read, and what its first rule came to."""
    record = json.loads((run / "run.json").read_text())
    record["provenance"]["inputs"] = DATA
    (run / "run.json").write_text(json.dumps(record))
    found = json.loads((run / "findings.json").read_text())
    first = found["findings"][0]
    if verdict is not None and value is not None:
        first["verdict"] = verdict
        first["estimates"]["deviation"] = {
            "value": value, "low": value - 0.1, "high": value + 0.1, "level": 0.95,
        }  # fmt: skip
    (run / "findings.json").write_text(json.dumps(found))


@pytest.fixture
def runs(make_run: Callable[..., Path]) -> Callable[..., tuple[str, str]]:
    """Two copies of a run, each with its own first finding."""

    def make(
        before: tuple[str, float], after: tuple[str, float], data: str = "b"
    ) -> tuple[str, str]:
        run = make_run()
        for name, (verdict, value) in (("before", before), ("after", after)):
            shutil.copytree(run, name)
            edit(Path(name), verdict=verdict, value=value)
        record = json.loads(Path("after/run.json").read_text())
        record["provenance"]["inputs"][1]["digest"] = data * 64
        Path("after/run.json").write_text(json.dumps(record))
        return "before", "after"

    return make


def test_something_new_exits_1_and_is_named(auditor: Call, runs: Callable[..., Any]) -> None:
    done = auditor("diff", *runs(("pass", 0.1), ("fail", 0.6)))
    assert done.code == 1
    lines = done.out.splitlines()
    assert "  relationships/BROKEN_RULE:lipstick~smiling" in lines
    assert "    deviation: Passed, 0.10 (0.00 to 0.20) -> Failed, 0.60 (0.50 to 0.70)" in lines
    assert lines[-1] == "verdict: 1 new finding (2 checks: 1 new and 1 unchanged)"


def test_something_fixed_or_unclear_exits_0(auditor: Call, runs: Callable[..., Any]) -> None:
    done = auditor("diff", *runs(("fail", 0.6), ("pass", 0.1)), "--json")
    document = done.document()
    assert (done.code, document["ok"], document["tally"]["fixed"]) == (0, True, 1)
    fields = set(Comparison.model_fields)
    kept = {name: value for name, value in document.items() if name in fields}
    assert Comparison.model_validate(kept).exit_code == 0


def test_other_data_exit_4(auditor: Call, runs: Callable[..., Any]) -> None:
    done = auditor("diff", *runs(("fail", 0.6), ("fail", 0.9), data="c"))
    assert done.code == 4
    assert "other data: The images or labels of test are not the same." in done.out
    assert done.out.splitlines()[-1].startswith("verdict: The two runs have no check")


def test_files_are_written_by_suffix_and_a_wrong_one_is_refused_first(
    auditor: Call, runs: Callable[..., Any]
) -> None:
    sides = runs(("fail", 0.3), ("fail", 0.9))
    done = auditor("diff", *sides, "-o", "out/c.json", "-o", "c.html", "-o", "c.txt")
    assert done.code == 1
    assert done.out.splitlines()[-3:] == ["copy: out/c.json", "copy: c.html", "copy: c.txt"]
    written = Comparison.model_validate_json(Path("out/c.json").read_bytes())
    assert written.tally["worse"] == 1
    assert "1 worse finding." in Path("c.html").read_text()
    assert Path("c.txt").read_text().splitlines() == done.out.splitlines()[:-3]
    refused = auditor("diff", "nothing", "nowhere", "-o", "c.csv")
    assert refused.code == 2
    assert "a comparison has no format .csv" in refused.err


def test_a_missing_run_is_named(auditor: Call) -> None:
    done = auditor("diff", "tiny", "latest", "--json")
    assert (done.code, done.document()["exit_code"]) == (2, 2)
    assert "there is no run" in done.err
