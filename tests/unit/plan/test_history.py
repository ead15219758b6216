"""The plan command, and what it finds in run directories and cache folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from auditor.cli import plan as plan_command
from auditor.compose.composed import Composed
from auditor.plan.history import Probe
from auditor.plan.identity import Settled, fold_key, probe_key
from auditor.plan.make import make_plan
from auditor.plan.steps import Plan, Scan
from auditor.store.history import NETWORKS, PROBES, SETTLED, look_back
from auditor.store.layout import RunPaths
from auditor.store.states import StateStore, StoredState

Compose = Callable[..., Composed]

BASE = Path(__file__).parents[2] / "golden" / "plan" / "base.yaml"


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command("plan")(plan_command.command)
    return app


def run_folder(out: Path, composed: Composed, plan: Plan) -> RunPaths:
    """What a run that was killed leaves: its plan, and no record or manifest yet."""
    paths = RunPaths(out / composed.spec.name / f"20260101T000000Z-{composed.digest[:8]}")
    paths.states.mkdir(parents=True)
    paths.plan_json.write_text(plan.model_dump_json())
    return paths


def test_finished_shards_of_a_killed_run_are_found(compose: Compose, tmp_path: Path) -> None:
    composed = compose()
    plan = make_plan(composed)
    scan = next(step for step in plan.steps if isinstance(step, Scan))
    settled = Settled(device="cpu", precision="float32", num_threads=1, batch_sizes={scan.id: 16})
    states = StateStore(run_folder(tmp_path, composed, plan).states)
    states.write(SETTLED, StoredState({}, {SETTLED: settled.model_dump_json()}))
    for fold in scan.folds:
        key = fold_key(scan, fold, settled)
        states.write(key, StoredState({"sum": np.zeros(1)}), shard=0)

    history = look_back("small", composed.digest, out=tmp_path, cache_dir=tmp_path / "cache")
    assert history.settled == settled
    seen = next(step for step in make_plan(composed, history=history).steps if step.id == scan.id)
    assert seen.cache is not None
    assert seen.cache.shards_done == 1

    other = look_back("small", "0" * 64, out=tmp_path, cache_dir=tmp_path / "cache")
    assert other.settled is None


def test_cached_networks_and_probes_are_found(compose: Compose, tmp_path: Path) -> None:
    composed = compose()
    train, scan = make_plan(composed).steps[:2]
    for folder in (NETWORKS, PROBES):
        (tmp_path / folder).mkdir()
    (tmp_path / NETWORKS / f"{train.id}.safetensors").write_bytes(b"")
    probe = Probe(device="cpu", flops_per_image=7, memory_bytes={16: 5})
    (tmp_path / PROBES / f"{probe_key(scan)}.json").write_text(probe.model_dump_json())
    (tmp_path / PROBES / "damaged.json").write_text("{")

    history = look_back("small", composed.digest, out=tmp_path / "reports", cache_dir=tmp_path)
    plan = make_plan(composed, history=history)
    assert plan.steps[0].cache is not None
    assert plan.steps[0].cache.cached
    assert plan.steps[1].cost is not None
    assert plan.steps[1].cost.flops.value == 7 * 600


def test_folders_that_do_not_exist_hold_nothing(tmp_path: Path) -> None:
    history = look_back("small", "0" * 64, out=tmp_path / "a", cache_dir=tmp_path / "b")
    assert (history.networks, history.settled, history.earlier) == (frozenset(), None, None)


@pytest.mark.parametrize("written_as", ["text", "json", "mermaid"])
def test_the_command_writes_every_format(
    written_as: str, app: typer.Typer, compose: Compose, tmp_path: Path
) -> None:
    folders = ["--out", str(tmp_path), "--cache-dir", str(tmp_path)]
    result = CliRunner().invoke(app, [str(BASE), "--format", written_as, *folders])
    assert result.exit_code == 0
    match written_as:
        case "text":
            assert "plan of small" in result.output
            assert "to do: no earlier run has this step" in result.output
        case "json":
            written = Plan.model_validate_json(result.output)
            assert [step.id for step in written.steps] == [
                step.id for step in make_plan(compose()).steps
            ]
            assert json.loads(result.output)["schema_version"] == 1
        case _:
            assert result.output.startswith("flowchart TD\n")
