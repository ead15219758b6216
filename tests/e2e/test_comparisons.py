"""Runs held against a baseline and against each other, through the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SPEC = """\
version: 1
name: small
title: Small audit
dataset: {source: manifest, path: table.csv, classes: [cat, dog]}
model: {source: predictions}
extractor: {source: features, files: {all: features.npy}}
audits:
  slices:
    kind: failures
    split: all
    group_by: [label]
    max_depth: 1
    permutations: 0
    resamples: 0
    severity: error
    pictures: {findings: 0}
engine: {device: cpu, num_threads: 1, max_unreadable: 1.0}
report: {formats: [html], clauses: []}
"""
COUNT = 400
LEVELS = np.random.default_rng(0).integers(0, 256, COUNT)

Call = Callable[..., Any]


@pytest.fixture
def tables(here: Path) -> None:
    """Pictures of cats and dogs with the answers of three models, which fail on dark ones."""
    features = np.random.default_rng(1).normal(size=(COUNT, 4)).astype(np.float32)
    features[:, 2] = LEVELS
    np.save("features.npy", features)
    write_table("table.csv")
    Path("audit.yaml").write_text(SPEC)


def write_table(path: str, *, last: str = "north") -> None:
    names = ("cat", "dog")
    lines = ["id,path,label,prediction,improved,broken,site"]
    for row, level in enumerate(LEVELS):
        label = row % 2
        dark = bool(level < 80)
        answers = (
            label ^ dark,
            label ^ (dark and label == 0),  # dogs are told in the dark, cats are not
            label ^ (dark or level > 200),
        )
        site = last if row == COUNT - 1 else "north"
        cells = [f"{row}", f"{row}.png", names[label], *(names[int(a)] for a in answers), site]
        lines.append(",".join(cells))
    Path(path).write_text("\n".join(lines))


def answers_of(column: str) -> str:
    return f"dataset.columns.prediction={column}"


def test_a_release_is_gated_on_nothing_new(auditor: Call, tables: None) -> None:
    first = auditor("run", "audit.yaml", "--json").document()
    assert (first["exit_code"], first["verdict"]) == (1, "fail")

    same = auditor("run", "audit.yaml", "engine.seed=3", "--baseline", "small", "--json")
    assert same.code == 0, same.err
    run = Path(same.document()["run"])
    comparison = json.loads((run / "comparison.json").read_text())
    assert {one["state"] for one in comparison["findings"]} == {"unchanged"}
    assert [each["what"] for each in comparison["differences"]] == ["spec", "seed"]
    assert "Against the baseline" in (run / "report/report.html").read_text()
    gate = next(rule for rule in same.document()["policy"] if rule["name"] == "fail_on")
    assert gate["verdict"] == "warn"

    # Rendered again the run stays what it was judged to be, and it is sealed with the comparison.
    again = auditor("report", str(run), "--json").document()
    assert (again["exit_code"], again["verdict"]) == (0, "warn")
    assert auditor("verify", str(run)).code == 0
    (run / "comparison.json").write_text("{}")
    assert "comparison.json" in auditor("verify", str(run)).out

    improved = auditor("run", "audit.yaml", answers_of("improved"), "--baseline", first["run"])
    assert improved.code == 0
    assert "baseline: Nothing is new or worse" in improved.out
    assert "1 fixed" in improved.out
    after = auditor("run", "audit.yaml", "--baseline", "latest", "--json")
    assert after.code == 1, "what the improved model no longer did is new again"
    assert "1 new" in after.document()["baseline"]


def test_a_baseline_on_other_data_passes_nothing(auditor: Call, tables: None) -> None:
    first = auditor("run", "audit.yaml", "--json").document()
    write_table("table.csv", last="south")
    other = auditor("run", "audit.yaml", "--baseline", first["run"])
    assert other.code == 1
    assert "baseline: The two runs have no check that can be compared" in other.out
    diff = auditor("diff", first["run"], "latest")
    assert diff.code == 4
    assert "other data" in diff.out


def test_a_baseline_must_be_a_run_that_nobody_altered(auditor: Call, tables: None) -> None:
    missing = auditor("run", "audit.yaml", "--baseline", "small")
    assert missing.code == 2
    assert "there is no run" in missing.err
    assert not Path("reports").exists()
    first = auditor("run", "audit.yaml", "--json").document()
    shutil.copytree(first["run"], "forged")
    found = Path("forged/findings.json")
    found.write_text(found.read_text().replace('"fail"', '"pass"'))
    refused = auditor("run", "audit.yaml", "--baseline", "forged")
    assert refused.code == 2
    assert "forged was altered since it was sealed: findings.json" in refused.err


def test_a_sweep_runs_every_combination_and_ends_with_the_gravest_code(
    auditor: Call, tables: None
) -> None:
    swept = answers_of("improved,prediction,nothing")
    done = auditor("run", "audit.yaml", swept, "--multirun", "-o", "sweep.html", "--json")
    document = done.document()
    assert (done.code, document["exit_code"]) == (2, 2), "3, 2, 1, 4, 0"
    assert [member["exit_code"] for member in document["members"]] == [1, 1, 2]
    assert document["runs"][2] is None
    for run in document["runs"][:2]:
        assert auditor("verify", run).code == 0
    assert {Path(name).suffix for name in document["files"]} == {".json", ".html", ".pdf"}
    assert all(Path(name).parent.parent.name == "sweeps" for name in document["files"])
    worse = document["members"][1]["comparison"]
    assert [one["state"] for one in worse["findings"]] == ["unchanged", "new"]
    page = Path("sweep.html").read_text()
    assert "no column" in page
    assert "Where the runs do not agree" in page
    assert len(list(Path("reports/small").glob("2*"))) >= 2
    assert auditor("list", "--json").code == 0


def test_a_sweep_is_refused_whole_before_its_first_run(auditor: Call, tables: None) -> None:
    for overrides in (["audits.slices.max_depth=1,99"], ["engine.seed=1"]):
        assert auditor("run", "audit.yaml", *overrides, "--multirun").code == 2
    assert auditor("run", "audit.yaml", "engine.seed=1,2").code == 2
    assert not Path("reports").exists()
