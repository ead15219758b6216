"""Inputs that cannot fit the spec are found before anything runs, all at once, with near names."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.compose.composed import Composed
from auditor.errors import InputError, PlanError
from auditor.plan.make import make_plan
from auditor.plan.steps import Scan

Compose = Callable[..., Composed]


def table(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def classes(tmp_path: Path) -> list[str]:
    """Overrides for a dataset with classes and a network with three outputs."""
    rows = [
        {
            "path": f"{i}.png",
            "label": ["cat", "dog", "owl"][i % 3],
            "split": ["train", "test"][i % 2],
        }
        for i in range(12)
    ]
    path = table(tmp_path / "rows.csv", rows)
    return [
        f"dataset={{source: manifest, path: '{path}', classes: [cat, dog, owl]}}",
        "~dataset.splits",
        "attributes.smiling={output: cat, column: null, classes: [cat]}",
        "attributes.lipstick={output: 1, column: null, classes: [dog]}",
        "attributes.hat={output: 2, column: null, classes: [dog, owl]}",
    ]


def test_everything_that_is_missing_is_named_at_once_with_near_names(
    compose: Compose, classes: list[str]
) -> None:
    missing = [
        "attributes.hat={output: 2, column: lable, classes: null}",
        "attributes.smiling={output: 0, column: spilt, classes: null}",
        "audits.first.confirm=tests",
    ]
    with pytest.raises(PlanError) as caught:
        make_plan(compose(*classes, *missing))
    assert "attributes.hat.column is 'lable'" in str(caught.value)
    assert "did you mean `label`?" in str(caught.value)
    assert "attributes.smiling.column is 'spilt'" in str(caught.value)
    assert (
        "audits.first reads the split 'tests', which the dataset lacks; did you mean `test`?"
        in str(caught.value)
    )


def test_a_class_name_is_an_output(compose: Compose, classes: list[str]) -> None:
    composed = compose(*classes, "attributes.smiling.output=owl", "attributes.hat.output=0")
    plan = make_plan(composed)
    assert plan.warnings == ()
    jacobian = next(
        output
        for step in plan.steps
        if isinstance(step, Scan)
        for output in step.outputs
        if output.kind == "jacobian"
    )
    assert jacobian.outputs == (2, 1, 0)


def test_classes_of_an_image_folder_are_its_folders(compose: Compose, tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            (folder / "1.png").write_bytes(b"x")
    overrides = [
        "~dataset.splits",
        f"dataset={{source: imagefolder, root: '{tmp_path}', splits: [train, test]}}",
        *(f"attributes.{name}.column=null" for name in ("smiling", "lipstick", "hat")),
        *(f"attributes.{name}.classes=[cat]" for name in ("smiling", "lipstick")),
    ]
    assert make_plan(compose(*overrides, "attributes.hat.classes=[dog]")).steps
    with pytest.raises(PlanError, match=r"'dogs', which is no class; did you mean `dog`"):
        make_plan(compose(*overrides, "attributes.hat.classes=[dogs]"))


def test_a_label_that_never_changes_is_a_warning(compose: Compose, classes: list[str]) -> None:
    plan = make_plan(compose(*classes, "attributes.hat.classes=[cat, dog, owl]"))
    assert plan.warnings == (
        "the label of attribute 'hat' is the same in every row of 'train'",
        "the label of attribute 'hat' is the same in every row of 'test'",
    )


def test_an_intervention_makes_a_label_constant(compose: Compose) -> None:
    plan = make_plan(compose("dataset.interventions.hat=true"))
    assert len(plan.warnings) == 2
    assert "'hat'" in plan.warnings[0]


def test_a_missing_weights_file_names_the_path_and_the_data_root(compose: Compose) -> None:
    with pytest.raises(InputError, match=r"there is no file nowhere\.safetensors") as caught:
        make_plan(compose("model.network.weights=nowhere.safetensors"))
    assert caught.value.hint is not None
    assert "data_root" in caught.value.hint
