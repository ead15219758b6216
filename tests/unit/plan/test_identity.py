"""Ids change with exactly what decides a step's output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.compose.composed import Composed
from auditor.plan.identity import Settled, fold_key, probe_key
from auditor.plan.make import make_plan
from auditor.plan.steps import Plan, Scan, Solve, Train

Compose = Callable[..., Composed]

SECOND = "audits.second={kind: relationships, layer: features.4}"


def ids(plan: Plan) -> dict[str, str]:
    """Job of each step -> its id."""
    found = {}
    for step in plan.steps:
        match step:
            case Train():
                found["train"] = step.id
            case Scan():
                found[f"scan {step.source.split}"] = step.id
            case Solve():
                found[f"solve {step.audit}/{step.name}"] = step.id
    return found


def fold_keys(plan: Plan) -> dict[str, str]:
    scans = [step for step in plan.steps if isinstance(step, Scan)]
    settled = Settled(
        device="cpu",
        precision="float32",
        num_threads=1,
        batch_sizes={step.id: 16 for step in scans},
    )
    return {
        f"{fold.audit}/{fold.name}": fold_key(step, fold, settled)
        for step in scans
        for fold in step.folds
    }


TRAIN, MINED, CONFIRMED, RESULT = "train", "scan train", "scan test", "solve first/result"
EVERYTHING = {TRAIN, MINED, CONFIRMED, RESULT}


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("model.recipe.epochs=3", EVERYTHING),
        ("model.recipe.seed=1", EVERYTHING),
        ("model.network.name=cifar_resnet20", EVERYTHING),
        ("model.preprocess.resize=32", EVERYTHING),
        ("dataset.seed=1", EVERYTHING),
        ("attributes.hat.column=glasses", EVERYTHING),
        ("dataset.splits.train.count=601", EVERYTHING),
        ("dataset.splits.test.count=101", {CONFIRMED, RESULT}),
        ("engine.seed=1", {MINED, CONFIRMED, RESULT}),
        ("engine.shard_size=100", {MINED, CONFIRMED, RESULT}),
        ("engine.precision=bfloat16", {MINED, CONFIRMED, RESULT}),
        ("audits.first.layer=features.4", {MINED, CONFIRMED, RESULT}),
        ("audits.first.cut=0.3", {MINED, CONFIRMED, RESULT}),
        ("rules.apart.expect=definitely_negative", {MINED, CONFIRMED, RESULT}),
        ("relations.unrelated={mean: 0.0, sd: 0.1}", {MINED, CONFIRMED, RESULT}),
        (SECOND, {MINED, CONFIRMED, "solve second/result"}),
        ("rules.apart.why=because", {RESULT}),
        ("rules.apart.severity=note", {RESULT}),
        ("attributes.hat.title=wearing a hat", {RESULT}),
        ("name=other", set()),
        ("title=Another title", set()),
        ("audits.first.title=Another title", set()),
        ("model.title=Another title", set()),
        ("policy.min_decided=0.5", set()),
        ("engine.device=cuda", set()),
        ("engine.batch_size=7", set()),
        ("engine.num_threads=1", set()),
        ("report.max_findings=3", set()),
    ],
)
def test_an_override_changes_the_steps_it_decides_and_no_other(
    override: str, changed: set[str], compose: Compose
) -> None:
    before, after = ids(make_plan(compose())), ids(make_plan(compose(override)))
    assert {job for job in after if after[job] != before.get(job)} == changed


def test_adding_an_audit_keeps_the_states_of_the_others(compose: Compose) -> None:
    alone, together = fold_keys(make_plan(compose())), fold_keys(make_plan(compose(SECOND)))
    assert alone.items() < together.items()
    assert len(set(together.values())) == len(together)


def test_a_fold_that_starts_from_a_solve_depends_on_what_the_solve_started_from(
    compose: Compose,
) -> None:
    masked = "audits.first.mask.method=greedy"
    before = fold_keys(make_plan(compose(masked)))
    after = fold_keys(make_plan(compose(masked, "audits.first.mask.images=64")))
    assert before["first/cosines"] != after["first/cosines"]


def test_labels_do_not_depend_on_the_network(compose: Compose) -> None:
    before, after = (
        fold_keys(make_plan(compose())),
        fold_keys(make_plan(compose("model.recipe.epochs=3"))),
    )
    assert before["first/labels"] == after["first/labels"]
    assert before["first/cosines"] != after["first/cosines"]


def test_what_a_run_settles_is_part_of_the_keys_of_states(compose: Compose) -> None:
    scan = next(step for step in make_plan(compose()).steps if isinstance(step, Scan))
    settled = Settled(
        device="cuda:0", precision="float32", num_threads=2, batch_sizes={scan.id: 16}
    )
    variants = [
        settled,
        settled.model_copy(update={"device": "cpu"}),
        settled.model_copy(update={"num_threads": 1}),
        settled.model_copy(update={"batch_sizes": {scan.id: 8}}),
        settled.model_copy(update={"trained": {"model": "ab"}}),
    ]
    keys = [fold_key(scan, scan.folds[0], each) for each in variants]
    assert len(set(keys)) == len(keys)
    other_card = settled.model_copy(update={"device": "cuda:1"})
    assert fold_key(scan, scan.folds[0], other_card) == keys[0]


def test_weights_count_by_content_and_not_by_path(compose: Compose, tmp_path: Path) -> None:
    files = {"a.pt": b"one", "b.pt": b"one", "c.pt": b"two"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    plans = [ids(make_plan(compose(f"model.network.weights={tmp_path / name}"))) for name in files]
    assert plans[0] == plans[1]
    assert plans[0][TRAIN] != plans[2][TRAIN]


def test_a_probe_outlives_a_change_that_moves_no_shape(compose: Compose) -> None:
    def keys(*overrides: str) -> list[str | None]:
        return [probe_key(step) for step in make_plan(compose(*overrides)).steps]

    assert keys() == keys("audits.first.cut=0.3")
    assert keys() != keys("audits.first.layer=features.4")
    assert keys()[-1] is None
