"""Whole runs of comparisons through the engine: without a network, resumed, with an empty group."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from auditor.audits.groups.result import GroupsResult
from auditor.engine import dispatch
from auditor.store.reader import read_run
from tests.unit.engine.test_runs_end_as_the_contract_says import (
    Run,
    documents,
    only_run,
    record_of,
    run,
)

__all__ = ["run"]

COUNT = 120
SPEC = """\
version: 1
name: small
dataset:
  source: manifest
  path: table.csv
  classes: [cat, dog]
  regions: {columns: [leash]}
model: MODEL
audits:
  answers: {kind: groups, splits: [all], by: [site, light], compare: predictions}
  shown: {kind: groups, splits: [all], by: [site], compare: concepts}
engine: {shard_size: 50, device: cpu, num_threads: 1}
"""
COLUMN = "{source: predictions}"


def write_table() -> None:
    """At `north` all are called dogs, and half have a leash; nothing at `south` is lit."""
    rng = np.random.default_rng(0)
    lines = ["id,path,label,prediction,site,light,leash"]
    for row in range(COUNT):
        data = BytesIO()
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(data, "PNG")
        Path(f"{row}.png").write_bytes(data.getvalue())
        north, lit = row % 2 == 0, row % 4 == 0
        lines.append(
            f"{row},{row}.png,cat,{'dog' if north else 'cat'},{'north' if north else 'south'},"
            f"{'on' if lit else 'off'},{int(lit)}"
        )
    Path("table.csv").write_text("\n".join(lines))


def test_a_column_of_predictions_and_its_annotations_need_no_network(run: Run) -> None:
    write_table()
    folder = run(text=SPEC, model=COLUMN)
    assert record_of(folder).status == "ok"
    results = read_run(folder).results
    called, listed = results["answers"], results["shown"]
    assert isinstance(called, GroupsResult)
    assert isinstance(listed, GroupsResult)
    answers = {one.id: one for one in called.comparisons}
    assert answers["site=south+light=off"].differences[0].first.value == 1.0
    empty = answers["site=south+light=on"]
    assert (empty.outcome, empty.num_first) == ("not_testable", 0)
    assert empty.reason == (
        "there are no pictures whose site is south and light is on, and 20 are needed"
    )
    (shown,) = listed.comparisons
    assert shown.differences[0].title == "leash"
    assert (shown.differences[0].first.value, shown.differences[0].second.value) == (0.5, 0.0)
    assert listed.pictures[0].first
    assert not listed.pictures[0].second, "no picture of the south shows a leash"
    weights = {found.audit: found.severity for found in read_run(folder).findings}
    assert weights == {"answers": "warning", "shown": "note"}


def test_a_run_that_was_cut_off_comes_to_the_same(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table()
    whole = documents(run(text=SPEC, model=COLUMN, out=Path("elsewhere")))
    solve = dispatch.solve

    def cut_off(spec: Any, context: Any, name: str, *rest: Any) -> Any:
        if (context.audit, name) == ("shown", "compared"):
            raise KeyboardInterrupt
        return solve(spec, context, name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "solve", cut_off)
        with pytest.raises(KeyboardInterrupt):
            run(text=SPEC, model=COLUMN)
    patient = only_run()
    assert run(text=SPEC, model=COLUMN) == patient
    assert documents(patient) == whole
