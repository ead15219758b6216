"""A plan with failure audits: what they share, what identifies their steps, what cannot fit."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auditor.compose.composed import Composed
from auditor.context import Extractor
from auditor.errors import InputError, PlanError
from auditor.plan.context import make_context
from auditor.plan.explain import explain
from auditor.plan.facts import take_stock
from auditor.plan.history import History, Probe
from auditor.plan.identity import Settled, fold_key, probe_key
from auditor.plan.make import make_plan
from auditor.plan.steps import Plan, Scan, Solve, Train, Visit

Compose = Callable[..., Composed]
Failures = tuple[str, str]


def ids(plan: Plan) -> dict[str, str]:
    """Job of each step -> its id."""
    found = {}
    for step in plan.steps:
        match step:
            case Train():
                found[f"train {step.network}"] = step.id
            case Scan():
                found[f"scan {step.source.split}"] = step.id
            case Visit():
                found[f"visit {step.audit}/{step.name}"] = step.id
            case Solve():
                found[f"solve {step.audit}/{step.name}"] = step.id
    return found


def scans(plan: Plan) -> list[Scan]:
    return [step for step in plan.steps if isinstance(step, Scan)]


def visits(plan: Plan) -> list[Visit]:
    return [step for step in plan.steps if isinstance(step, Visit)]


def fold_keys(plan: Plan, **trained: str) -> dict[str, str]:
    """Name of each fold -> the name of its states in a run that settled alike for every scan."""
    return {
        f"{fold.audit}/{fold.name}": fold_key(
            step,
            fold,
            Settled(
                device="cpu",
                precision="float32",
                num_threads=1,
                batch_sizes={step.id: 16},
                trained=trained,
            ),
        )
        for step in scans(plan)
        for fold in step.folds
    }


def saved(path: Path, rows: int, features: int = 4) -> str:
    np.save(path, np.zeros((rows, features), dtype=np.float32))
    return str(path)


def from_file(path: str, **more: str) -> tuple[str, str]:
    extra = "".join(f", {key}: {value}" for key, value in more.items())
    return (
        f"extractor={{source: features, files: {{test: '{path}'}}{extra}}}",
        "audits.explained={kind: failures}",
    )


OWN = {"scan test", "solve explained/trees", "visit explained/pictures", "solve explained/result"}
EXTRACTED = OWN | {"train extractor"}


def test_networks_are_fitted_where_an_audit_uses_them(compose: Compose, failures: Failures) -> None:
    def networks(*overrides: str) -> list[tuple[str, str]]:
        steps = make_plan(compose(*overrides)).steps
        return [(step.network, step.split) for step in steps if isinstance(step, Train)]

    robust, explained = failures
    assert networks() == [("model", "train")]
    assert networks(robust) == [("model", "train")]
    assert networks(robust, explained) == [("model", "train"), ("extractor", "train")]
    assert networks("extractor={source: model, layer: classifier.1}", explained) == [
        ("model", "train")
    ]
    assert networks(robust, explained, "extractor.split=test")[1] == ("extractor", "test")


def test_a_visit_waits_for_its_choice_and_for_its_network(
    compose: Compose, failures: Failures
) -> None:
    plan = make_plan(compose(*failures))
    [visit] = visits(plan)
    named = {step: job for job, step in ids(plan).items()}
    assert {named[each] for each in visit.dependencies} == {
        "train extractor",
        "solve explained/trees",
    }
    result = plan.steps[-1]
    assert {named[each] for each in result.dependencies} == {
        "solve explained/trees",
        "visit explained/pictures",
    }
    assert (visit.network, visit.layers, visit.after) == (
        "extractor",
        ("classifier.1",),
        ("trees",),
    )


def test_a_visit_never_has_more_rows_than_its_split(compose: Compose, failures: Failures) -> None:
    assert visits(make_plan(compose(*failures)))[0].max_rows == 100
    few = make_plan(compose(*failures, "audits.explained.pictures={findings: 1, failures: 0}"))
    assert visits(few)[0].max_rows == 5
    assert visits(make_plan(compose(*failures, "audits.explained.pictures.findings=0"))) == []


def test_images_are_decoded_once_for_networks_that_prepare_them_differently(
    compose: Compose, failures: Failures
) -> None:
    [_, test] = scans(make_plan(compose(*failures)))
    assert {fold.audit for fold in test.folds} == {"first", "explained"}
    assert {(each.kind, each.network) for each in test.outputs} == {
        ("logits", "model"),
        ("features", "extractor"),
    }


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("extractor.recipe.epochs=3", EXTRACTED),
        ("extractor.recipe.adversary.eps=0.5", EXTRACTED),
        ("extractor.preprocess.resize=48", EXTRACTED),
        ("extractor.evaluate=null", {"train extractor"}),
        ("extractor.evaluate=train", {"train extractor"}),
        ("extractor.layer=features.4", OWN),
        ("extractor.pool=max", OWN),
        ("extractor.heatmap_layer=features.4", OWN),
        ("audits.explained.max_depth=2", OWN),
        ("audits.explained.columns=[age]", OWN),
        ("model.recipe.epochs=3", {"train model", "scan train", *OWN, "solve first/result"}),
        (
            "extractor.title=The robust one",
            {"solve explained/trees", "visit explained/pictures", "solve explained/result"},
        ),
        (
            "model.title=The classifier",
            {"solve explained/trees", "visit explained/pictures", "solve explained/result"},
        ),
        (
            "rules.apart.expect=definitely_negative",
            {"scan train", "scan test", "solve first/result"},
        ),
        ("audits.explained.title=Another title", set()),
        ("engine.device=cuda", set()),
    ],
)
def test_an_override_changes_the_steps_it_decides_and_no_other(
    override: str, changed: set[str], compose: Compose, failures: Failures
) -> None:
    before, after = (
        ids(make_plan(compose(*failures))),
        ids(make_plan(compose(*failures, override))),
    )
    assert {job for job in after if after[job] != before.get(job)} == changed


def test_an_extractor_keeps_the_states_of_folds_that_use_the_model_alone(
    compose: Compose, failures: Failures
) -> None:
    alone = make_plan(compose())
    together = make_plan(compose(*failures))
    before = fold_keys(alone, model="aa")
    after = fold_keys(together, model="aa", extractor="bb")
    assert before.items() < after.items()
    assert set(after) - set(before) == {"explained/table"}
    assert ids(alone)["solve first/result"] == ids(together)["solve first/result"]
    assert ids(alone)["train model"] == ids(together)["train model"]


def test_a_fold_depends_on_the_bytes_of_the_networks_that_it_uses(
    compose: Compose, failures: Failures
) -> None:
    plan = make_plan(compose(*failures))
    first = fold_keys(plan, model="aa", extractor="bb")
    other_extractor = fold_keys(plan, model="aa", extractor="cc")
    other_model = fold_keys(plan, model="cc", extractor="bb")
    assert {name for name in first if first[name] != other_extractor[name]} == {"explained/table"}
    assert {name for name in first if first[name] != other_model[name]} == {
        "first/examples",
        "first/cosines",
        "first/accuracy",
        "explained/table",
    }


def test_weights_of_an_extractor_count_by_content(compose: Compose, tmp_path: Path) -> None:
    def keys(name: str) -> dict[str, str]:
        extractor = (
            "extractor={source: builtin, name: portraits_net, num_outputs: 3, layer: classifier.1, "
            f"weights: '{tmp_path / name}'}}"
        )
        return fold_keys(make_plan(compose(extractor, "audits.explained={kind: failures}")))

    for name, content in {"a.pt": b"one", "b.pt": b"one", "c.pt": b"two"}.items():
        (tmp_path / name).write_bytes(content)
    first, same, other = keys("a.pt"), keys("b.pt"), keys("c.pt")
    assert first == same
    assert {name for name in first if first[name] != other[name]} == {"explained/table"}


def test_features_from_a_file_count_by_content(compose: Compose, tmp_path: Path) -> None:
    one = saved(tmp_path / "a.npy", 100)
    same = saved(tmp_path / "b.npy", 100)
    np.save(tmp_path / "c.npy", np.ones((100, 4), dtype=np.float32))
    first, second, third = (
        ids(make_plan(compose(*from_file(path)))) for path in (one, same, str(tmp_path / "c.npy"))
    )
    assert first == second
    assert {job for job in first if first[job] != third[job]} == OWN
    names = ids(make_plan(compose(*from_file(one, names="[a, b, c, d]"))))
    assert names["scan test"] == first["scan test"]
    assert names["solve explained/result"] != first["solve explained/result"]


def test_a_scan_of_features_and_predictions_decodes_nothing(
    compose: Compose, tmp_path: Path
) -> None:
    plan = make_plan(compose(*recorded(tmp_path)))
    [scan] = scans(plan)
    assert scan.cost is not None
    assert (scan.num_rows, scan.cost.images) == (12, 0)
    assert scan.cost.bytes.value == (tmp_path / "test.npy").stat().st_size
    assert probe_key(scan) is None
    assert all(step.placement is None for step in visits(plan))
    assert "logits" not in explain(plan)
    assert not any(isinstance(step, Train) for step in plan.steps)


def test_training_against_an_adversary_counts_images_and_passes(
    compose: Compose, failures: Failures
) -> None:
    plan = make_plan(compose(*failures))
    train = next(s for s in plan.steps if isinstance(s, Train) and s.network == "extractor")
    probe = Probe(device="cpu", flops_per_image=10, memory_bytes={128: 1000})
    history = History(probes={probe_key(train) or "": probe})
    costs = [step.cost for step in make_plan(compose(*failures), history=history).steps]
    assert costs[1] is not None
    assert costs[1].images == 1200
    assert costs[1].flops.value == 1200 * 10 * 4


def test_a_label_scan_decodes_nothing_and_a_limited_fold_decodes_its_rows(
    compose: Compose,
) -> None:
    sampled = make_plan(compose("audits.first.sampling.max_images=64"))
    costs = {step.source.split: step.cost for step in scans(sampled)}
    assert costs["train"] is not None
    assert costs["train"].images == 64


def test_a_plan_with_a_visit_survives_json(compose: Compose, failures: Failures) -> None:
    plan = make_plan(compose(*failures), history=History())
    assert Plan.model_validate_json(plan.model_dump_json(indent=2)) == plan


def test_the_text_says_who_chooses_the_images(compose: Compose, failures: Failures) -> None:
    text = explain(make_plan(compose(*failures)))
    assert "up to 100 images chosen by explained/trees" in text
    assert "l2 perturbations up to 0.25, 3 steps per batch" in text
    assert "clean and robust accuracy on test" in text


def test_an_unchanged_visit_says_why_it_runs_again(compose: Compose, failures: Failures) -> None:
    earlier = make_plan(compose(*failures))
    plan = make_plan(compose(*failures), history=History(earlier=earlier))
    [visit] = visits(plan)
    assert visit.cache is not None
    assert visit.cache.reason is not None
    assert "looks again" in visit.cache.reason
    changed = make_plan(
        compose(*failures, "extractor.recipe.epochs=5"), history=History(earlier=earlier)
    )
    cache = visits(changed)[0].cache
    assert cache is not None
    assert "extractor weights" in cache.changed


def test_the_context_of_failures_tells_groups_and_features(
    compose: Compose, failures: Failures
) -> None:
    composed = compose(*failures, "audits.explained.columns=[age, hat]", "model.title=Portraits")
    context = make_context(composed, "explained", take_stock(composed.spec))
    assert context.columns == {"age": ("adult", "senior", "young"), "hat": ("0", "1")}
    assert (context.classes, context.is_network, context.head) == (None, True, "multi_label")
    assert context.model_title == "Portraits"
    assert [each.name for each in context.attributes] == ["smiling", "lipstick", "hat"]
    assert context.rules == ()
    assert context.extractor == Extractor(
        title="the extractor",
        network="extractor",
        layer="classifier.1",
        pool="mean",
        heatmap_layer=None,
        names=None,
        classifies=True,
    )
    of_rules = make_context(composed, "first", take_stock(composed.spec))
    assert (of_rules.extractor, of_rules.model_title, of_rules.columns) == (None, "", {})


def test_the_model_as_its_own_extractor_cannot_be_inspected_twice(compose: Compose) -> None:
    composed = compose(
        "extractor={source: model, layer: classifier.1}", "audits.explained={kind: failures}"
    )
    extractor = make_context(composed, "explained", take_stock(composed.spec)).extractor
    assert extractor is not None
    assert (extractor.network, extractor.classifies) == ("model", False)


def test_parquet_columns_name_features_unless_the_spec_does(
    compose: Compose, tmp_path: Path
) -> None:
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"bow": [0.0] * 100, "cap": [1.0] * 100}), path)

    def names(**more: str) -> tuple[str, ...] | None:
        composed = compose(*from_file(str(path), **more))
        extractor = make_context(composed, "explained", take_stock(composed.spec)).extractor
        assert extractor is not None
        assert (extractor.network, extractor.layer, extractor.classifies) == (None, None, False)
        return extractor.names

    assert names() == ("bow", "cap")
    assert names(names="[tie, hat]") == ("tie", "hat")


def recorded(folder: Path, **columns: list[object]) -> list[str]:
    """Overrides for a table with classes, recorded predictions and features from a file."""
    rows = 12
    table = {
        "path": [f"{row}.png" for row in range(rows)],
        "label": [["cat", "dog"][row % 2] for row in range(rows)],
        "prediction": [["cat", "dog"][row % 3 % 2] for row in range(rows)],
        "camera": [["near", "far"][row % 2] for row in range(rows)],
        **columns,
    }
    kept = {name: values for name, values in table.items() if values}
    with (folder / "test.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(kept)
        writer.writerows(zip(*kept.values(), strict=True))
    features = saved(folder / "test.npy", rows)
    return [
        f"dataset={{source: manifest, files: {{test: '{folder / 'test.csv'}'}}, "
        "classes: [cat, dog]}",
        "~dataset.splits",
        "~model.network",
        "~model.recipe",
        "model={source: predictions}",
        "~attributes.smiling",
        "~attributes.lipstick",
        "~attributes.hat",
        "~rules.apart",
        "~audits.first",
        *from_file(features),
        "audits.explained.columns=[camera]",
    ]


def test_recorded_predictions_need_no_network(compose: Compose, tmp_path: Path) -> None:
    composed = compose(*recorded(tmp_path))
    context = make_context(composed, "explained", take_stock(composed.spec))
    assert (context.is_network, context.head) == (False, "multi_class")
    assert context.classes == ("cat", "dog")
    assert context.columns == {"camera": ("far", "near")}
    assert make_plan(composed).warnings == ()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"prediction": []}, "no column 'prediction'"),
        ({"label": []}, "no column 'label'"),
        ({"camera": []}, "audits.explained.columns.0 is 'camera', which the dataset lacks"),
        ({"camera": [""] * 12}, "which has no value in the split 'test'"),
    ],
)
def test_what_the_table_lacks_is_named(
    columns: dict[str, list[object]], message: str, compose: Compose, tmp_path: Path
) -> None:
    with pytest.raises(PlanError) as caught:
        make_plan(compose(*recorded(tmp_path, **columns)))
    assert message in str(caught.value)


def test_a_group_column_with_a_value_per_image_is_refused(compose: Compose, tmp_path: Path) -> None:
    rows = [f"{split},{row}.png,cat,{row}" for row in range(70) for split in ("train", "test")]
    (tmp_path / "rows.csv").write_text("\n".join(["split,path,label,person", *rows]))
    overrides = [
        f"dataset={{source: manifest, path: '{tmp_path / 'rows.csv'}', classes: [cat]}}",
        "~dataset.splits",
        *(f"attributes.{name}.column=person" for name in ("smiling", "lipstick", "hat")),
        *(f"attributes.{name}.positive_above=9" for name in ("smiling", "lipstick", "hat")),
        *from_file(saved(tmp_path / "f.npy", 70)),
        "audits.explained.columns=[person]",
    ]
    with pytest.raises(PlanError, match=r"70 different values .* at most 64"):
        make_plan(compose(*overrides))


def test_an_unknown_group_column_offers_near_names(compose: Compose, failures: Failures) -> None:
    with pytest.raises(PlanError, match=r"'agee', which the dataset lacks; did you mean `age`"):
        make_plan(compose(*failures, "audits.explained.columns=[agee]"))


def test_features_of_another_number_of_rows_are_refused_with_both_counts(
    compose: Compose, tmp_path: Path
) -> None:
    with pytest.raises(PlanError) as caught:
        make_plan(compose(*from_file(saved(tmp_path / "f.npy", 99))))
    assert "extractor.files.test has 99 rows, but the split 'test' has 100" in str(caught.value)


def test_names_of_another_number_than_the_features_are_refused(
    compose: Compose, tmp_path: Path
) -> None:
    path = saved(tmp_path / "f.npy", 100, 3)
    with pytest.raises(PlanError, match=r"extractor\.names has 2 names, but .* has 3 features"):
        make_plan(compose(*from_file(path, names="[a, b]")))


def test_every_problem_of_the_inputs_is_named_at_once(compose: Compose, tmp_path: Path) -> None:
    path = saved(tmp_path / "f.npy", 99, 3)
    overrides = (*from_file(path, names="[a, b]"), "audits.explained.columns=[agee]")
    with pytest.raises(PlanError) as caught:
        make_plan(compose(*overrides))
    assert len(str(caught.value).splitlines()) == 3


def test_features_that_are_no_numbers_are_refused(compose: Compose, tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.array([[{}]] * 100, dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read as an array of numbers"):
        make_plan(compose(*from_file(str(tmp_path / "f.npy"))))
    with pytest.raises(InputError, match="there is no file"):
        make_plan(compose(*from_file(str(tmp_path / "nowhere.npy"))))
