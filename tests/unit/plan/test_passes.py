"""What the passes promise beside their texts: purity, idempotence, an order that can run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.compose.composed import Composed
from auditor.plan.facts import gather
from auditor.plan.history import History, Probe
from auditor.plan.identity import Settled, fold_key, probe_key
from auditor.plan.make import make_plan
from auditor.plan.passes import PASSES
from auditor.plan.shard import slices
from auditor.plan.steps import Plan, Scan, Solve, Train

Compose = Callable[..., Composed]

MASKED = "audits.first.mask.method=greedy"
SECOND = "audits.second={kind: relationships, layer: features.4}"


def scans(plan: Plan) -> list[Scan]:
    return [step for step in plan.steps if isinstance(step, Scan)]


def test_every_pass_is_pure_and_idempotent(compose: Compose) -> None:
    composed = compose(MASKED, SECOND)
    facts = gather(composed, History())
    plan = Plan(name="small", spec_digest=composed.digest, steps=())
    for apply in PASSES:
        before = plan.model_dump_json()
        once = apply(plan, facts)
        assert plan.model_dump_json() == before
        assert apply(plan, facts) == once
        assert apply(once, facts) == once
        plan = once
    assert plan == make_plan(composed, history=History())


def test_a_plan_survives_json(compose: Compose) -> None:
    plan = make_plan(compose(MASKED), history=History())
    assert Plan.model_validate_json(plan.model_dump_json(indent=2)) == plan


def test_audits_of_equal_source_share_one_scan(compose: Compose) -> None:
    plan = make_plan(compose(SECOND))
    assert sorted(step.source.split for step in scans(plan)) == ["test", "train"]
    for step in scans(plan):
        assert {fold.audit for fold in step.folds} == {"first", "second"}
        assert set(step.outputs) == {output for fold in step.folds for output in fold.outputs}


def test_a_step_stands_after_all_that_it_waits_for(compose: Compose) -> None:
    plan = make_plan(compose(MASKED, SECOND))
    seen: set[str] = set()
    made: set[tuple[str, str]] = set()
    for step in plan.steps:
        assert seen.issuperset(step.dependencies)
        seen.add(step.id)
        match step:
            case Scan():
                for fold in step.folds:
                    assert made.issuperset((fold.audit, name) for name in fold.after)
                made |= {(fold.audit, fold.name) for fold in step.folds}
            case Solve():
                assert made.issuperset((step.audit, name) for name in step.inputs)
                made.add((step.audit, step.name))
            case Train():
                pass


def test_a_fold_after_a_solve_is_in_a_later_scan_of_the_same_rows(compose: Compose) -> None:
    of_train = [step for step in scans(make_plan(compose(MASKED))) if step.source.split == "train"]
    assert [[fold.name for fold in step.folds] for step in of_train] == [
        ["contributions", "labels"],
        ["examples", "cosines"],
    ]


@given(num_rows=st.integers(0, 5000), size=st.integers(1, 700))
@settings(max_examples=50, deadline=None)
def test_shards_tile_the_rows(num_rows: int, size: int) -> None:
    shards = slices(num_rows, size)
    assert [row for shard in shards for row in range(shard.start, shard.stop)] == [*range(num_rows)]
    assert all(shard.stop - shard.start == size for shard in shards[:-1])


def test_no_audit_gives_a_plan_without_steps(compose: Compose) -> None:
    assert make_plan(compose("~audits.first")).steps == ()


def test_a_cached_network_is_done(compose: Compose) -> None:
    train = make_plan(compose()).steps[0]
    plan = make_plan(compose(), history=History(networks=frozenset([train.id])))
    assert plan.steps[0].cache is not None
    assert plan.steps[0].cache.cached


def test_without_a_history_a_plan_depends_on_the_spec_alone(compose: Compose) -> None:
    assert all(step.cache is None for step in make_plan(compose()).steps)


@pytest.mark.parametrize("stopped_after", [0, 1, 3])
def test_shards_of_an_unfinished_run_are_counted(stopped_after: int, compose: Compose) -> None:
    scan = scans(make_plan(compose()))[0]
    settled = Settled(device="cpu", precision="float32", num_threads=1, batch_sizes={scan.id: 16})
    wanted = {"examples": 1, "cosines": stopped_after, "labels": stopped_after}
    shards = {
        fold_key(scan, fold, settled): frozenset(range(min(stopped_after, wanted[fold.name])))
        for fold in scan.folds
    }
    state = scans(make_plan(compose(), history=History(settled=settled, shards=shards)))[0].cache
    assert state is not None
    assert state.shards_done == stopped_after
    assert state.cached is (stopped_after == 3)


def test_a_sequential_fold_that_stopped_leaves_no_work(compose: Compose) -> None:
    scan = scans(make_plan(compose()))[0]
    settled = Settled(device="cpu", precision="float32", num_threads=1, batch_sizes={scan.id: 16})
    finished = {"examples": 1, "cosines": 2, "labels": 3}
    shards = {
        fold_key(scan, fold, settled): frozenset(range(finished[fold.name])) for fold in scan.folds
    }
    state = scans(make_plan(compose(), history=History(settled=settled, shards=shards)))[0].cache
    assert state is not None
    assert state.cached


def test_a_probe_gives_operations_and_memory(compose: Compose) -> None:
    scan = scans(make_plan(compose()))[0]
    probe = Probe(device="cpu", flops_per_image=10, memory_bytes={16: 1000, 32: 1500})
    history = History(probes={probe_key(scan) or "": probe})

    def memory(*overrides: str) -> int | None:
        cost = scans(make_plan(compose(*overrides), history=history))[0].cost
        assert cost is not None
        assert cost.flops.value == 6000
        assert (cost.memory.value is None) == (cost.memory.reason is not None)
        return cost.memory.value

    assert memory() == 1500
    assert memory("engine.batch_size=16") == 1000
    assert memory("engine.batch_size=8") is None


def test_plan_and_inventory_never_load_torch(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('torch was imported')\n")
    golden = Path(__file__).parents[2] / "golden" / "plan" / "base.yaml"
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from auditor.compose.load import load_spec
from auditor.inventory import dataset, imagefolder, manifest, torchvision_files, weights
from auditor.plan.explain import explain
from auditor.plan.make import make_plan
from auditor.plan.mermaid import to_mermaid
plan = make_plan(load_spec({str(golden)!r}))
explain(plan), to_mermaid(plan)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
