"""Attribute labels become +1, -1 and 0, whatever the column holds; the rest is explained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.adapters.datasets.labels import attribute_matrix, group_codes
from auditor.adapters.datasets.open import open_dataset
from auditor.adapters.datasets.protocol import Dataset
from auditor.errors import InputError, PlanError
from auditor.inventory.dataset import take_dataset
from auditor.spec.attribute import AttributeSpec
from auditor.spec.dataset import ManifestDataset


def dataset(folder: Path, header: str, *rows: str) -> Dataset:
    path = folder / "table.csv"
    path.write_text("\n".join([f"path,{header}", *(f"{n}.png,{r}" for n, r in enumerate(rows))]))
    return open_dataset(
        ManifestDataset(source="manifest", path=str(path), classes=("cat", "dog", "car"))
    )


def column(name: str, above: float | None = None) -> AttributeSpec:
    return AttributeSpec(output=0, column=name, positive_above=above)


@pytest.mark.parametrize(
    ("values", "above", "expected"),
    [
        (("0", "1", "1"), None, [-1, 1, 1]),
        (("-1", "1", "-1"), None, [-1, 1, -1]),
        (("true", "false", "true"), None, [1, -1, 1]),
        (("0.0", "1.0", "nan"), None, [-1, 1, 0]),
        (("1", "", "0"), None, [1, 0, -1]),
        (("0.2", "0.7", ""), 0.5, [-1, 1, 0]),
        (("3", "5", "4"), 4, [-1, 1, -1]),
        (("-1", "0", "1"), 0, [-1, -1, 1]),
        (("1", "1", "1"), None, [1, 1, 1]),
        (("", "", ""), None, [0, 0, 0]),
    ],
)
def test_columns_become_signs(
    tmp_path: Path, values: tuple[str, ...], above: float | None, expected: list[int]
) -> None:
    found = attribute_matrix(dataset(tmp_path, "a", *values), "all", {"a": column("a", above)})
    assert found.dtype == np.float32
    assert found[:, 0].tolist() == expected


def test_a_column_that_is_also_text_elsewhere_is_read_as_numbers(tmp_path: Path) -> None:
    found = attribute_matrix(dataset(tmp_path, "label", "0", "1"), "all", {"a": column("label")})
    assert found[:, 0].tolist() == [-1, 1]


def test_classes_become_signs(tmp_path: Path) -> None:
    animals = AttributeSpec(output=0, classes=("cat", "dog"))
    found = attribute_matrix(
        dataset(tmp_path, "label", "cat", "car", "", "dog"), "all", {"animal": animals}
    )
    assert found[:, 0].tolist() == [1, -1, 0, 1]


def test_attributes_keep_the_order_of_the_spec(tmp_path: Path) -> None:
    table = dataset(tmp_path, "a,b", "0,1", "1,1")
    found = attribute_matrix(table, "all", {"b": column("b"), "a": column("a")})
    assert found.tolist() == [[1, -1], [1, 1]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("0.2", "0.7", "3.5"), r"range from 0\.2 to 3\.5[\s\S]*positive_above"),
        (("0", "1", "2"), r"range from 0 to 2[\s\S]*positive_above"),
        (("-1", "0", "1"), r"mixes -1, 0 and 1"),
        (("yes", "no", "no"), r"holds text, such as 'yes'"),
    ],
)
def test_other_columns_are_explained(tmp_path: Path, values: tuple[str, ...], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        attribute_matrix(dataset(tmp_path, "a", *values), "all", {"a": column("a")})


def test_a_missing_column_offers_near_names(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"'smile'[\s\S]*smiling"):
        attribute_matrix(dataset(tmp_path, "smiling", "1"), "all", {"a": column("smile")})


def test_a_missing_class_offers_near_names(tmp_path: Path) -> None:
    attribute = AttributeSpec(output=0, classes=("cta",))
    with pytest.raises(PlanError, match=r"no class 'cta'[\s\S]*cat"):
        attribute_matrix(dataset(tmp_path, "label", "cat"), "all", {"a": attribute})


def test_classes_without_labels_are_explained(tmp_path: Path) -> None:
    attribute = AttributeSpec(output=0, classes=("cat",))
    with pytest.raises(PlanError, match="no class labels"):
        attribute_matrix(dataset(tmp_path, "a", "1"), "all", {"a": attribute})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("north", "", "south", "north"), [0, -1, 1, 0]),
        (("3", "", "20", "3"), [1, -1, 0, 1]),
        (("true", "", "false", "true"), [1, -1, 0, 1]),
        (("0.5", "", "2.0", "0.5"), [0, -1, 1, 0]),
    ],
)
def test_groups_are_numbered_as_the_plan_names_them(
    tmp_path: Path, values: tuple[str, ...], expected: list[int]
) -> None:
    table = dataset(tmp_path, "site", *values)
    spec = ManifestDataset(source="manifest", path=str(tmp_path / "table.csv"))
    known = take_dataset(spec, ["site"]).splits["all"].columns["site"].values
    assert known is not None
    assert group_codes(table, "all", {"site": known})["site"].tolist() == expected


def test_a_value_that_came_after_planning_is_named(tmp_path: Path) -> None:
    table = dataset(tmp_path, "site", "north", "south")
    with pytest.raises(InputError, match="'south', which was not there when the run was planned"):
        group_codes(table, "all", {"site": ("north",)})


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(-5, 5) | st.just(float("nan")), min_size=1, max_size=20),
    above=st.floats(-4, 4),
)
def test_a_cut_agrees_with_its_definition(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], above: float
) -> None:
    table = dataset(tmp_path_factory.mktemp("cut"), "a", *(repr(v) for v in values))
    found = attribute_matrix(table, "all", {"a": column("a", above)})[:, 0]
    expected = [0 if v != v else 1 if v > above else -1 for v in values]
    assert found.tolist() == expected
