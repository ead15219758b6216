"""The specs that ship: they validate, read like documentation, and fit the schema of a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.compose.folders import packaged_groups, packaged_names
from auditor.compose.load import load_spec
from auditor.compose.schema import file_schema
from auditor.resources import specs_dir
from auditor.spec.portraits import ATTRIBUTES

RUN_FILES = packaged_names()
GROUP_FILES = [(group, name) for group, names in packaged_groups().items() for name in names]
OF_CLASSES = ("cifar10", "coco299", "imagenet_squeezenet")
"""How group files begin that name classes; they go with each other, not with portraits."""


@pytest.fixture(scope="module")
def schema():
    return file_schema()


def read(path: Path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_there_is_a_biased_a_clean_and_three_real_ones():
    assert RUN_FILES == [
        "cifar10_attributes",
        "cifar10_failures",
        "coco_filters",
        "portraits",
        "portraits_clean",
    ]


@pytest.mark.parametrize("name", RUN_FILES)
def test_run_files_validate_without_warnings_and_give_every_rule_a_reason(name):
    composed = load_spec(name)
    assert composed.warnings == ()
    assert composed.spec.name == name
    assert all(rule.why for rule in composed.rules)
    assert composed.spec.title
    assert composed.spec.purpose


@pytest.mark.parametrize("name", RUN_FILES)
def test_run_files_fit_one_screen(name):
    assert len((specs_dir() / f"{name}.yaml").read_text().splitlines()) <= 50


@pytest.mark.parametrize("name", RUN_FILES)
def test_run_files_fit_the_schema(name, schema):
    jsonschema.validate(read(specs_dir() / f"{name}.yaml"), schema)


@pytest.mark.parametrize(("group", "name"), GROUP_FILES)
def test_group_files_start_with_a_comment_and_fit_their_part_of_the_schema(group, name, schema):
    path = specs_dir() / group / f"{name}.yaml"
    assert path.read_text().startswith("# ")
    content = read(path)
    content.pop("defaults", None)
    jsonschema.validate({group: content}, schema)


@pytest.mark.parametrize(
    ("group", "name"), [pair for pair in GROUP_FILES if not pair[1].startswith(OF_CLASSES)]
)
def test_every_group_file_composes(group, name):
    assert load_spec("portraits_clean", [f"{group}={name}"])


def test_portraits_have_a_rule_about_every_pair_and_four_planted_biases():
    composed = load_spec("portraits")
    assert tuple(composed.spec.attributes) == ATTRIBUTES
    assert [a.column for a in composed.spec.attributes.values()] == list(ATTRIBUTES)
    assert [a.output for a in composed.spec.attributes.values()] == list(range(20))
    assert len(composed.rules) == 190
    assert {rule.expect for rule in composed.rules} == {"unrelated"}
    assert len(composed.spec.dataset.splits["train"].planted) == 4
    assert composed.spec.dataset.splits["test"].planted == ()


def test_the_clean_demo_differs_in_the_planted_bias_alone():
    biased, clean = (load_spec(name).spec for name in ("portraits", "portraits_clean"))
    assert clean.dataset.splits["train"].planted == ()
    for part in ("model", "extractor", "attributes", "rules", "audits", "policy", "engine"):
        assert getattr(biased, part) == getattr(clean, part)


def test_cifar10_rules_agree_with_the_classes_that_the_attributes_are_derived_from():
    composed = load_spec("cifar10_attributes")
    has = {name: set(a.classes) for name, a in composed.spec.attributes.items()}
    for rule in composed.rules:
        together = has[rule.a] & has[rule.b]
        if rule.expect == "definitely_positive":
            assert has[rule.a] <= has[rule.b] or has[rule.b] <= has[rule.a], rule
        elif rule.expect == "definitely_negative":
            assert not together, rule


def test_every_relation_of_the_packaged_rules_has_pairs_enough_to_be_decided():
    for name in RUN_FILES:
        composed = load_spec(name)
        counts = {}
        for rule in composed.rules:
            counts[rule.expect] = counts.get(rule.expect, 0) + 1
        for audit in composed.spec.audits.values():
            if isinstance(audit, RelationshipsSpec):
                assert all(count >= audit.expected.min_pairs for count in counts.values()), counts


@pytest.mark.data
def test_cifar10_finds_its_files_below_the_data_root(shared_data):
    spec = load_spec("cifar10_attributes", [f"data_root={shared_data}"]).spec
    for path in (*spec.dataset.files.values(), spec.model.network.weights):
        assert Path(path).is_file()
    spec = load_spec("cifar10_failures", [f"data_root={shared_data}"]).spec
    for path in (spec.model.weights, spec.extractor.weights):
        assert Path(path).is_file()


@pytest.mark.data
def test_coco_filters_finds_its_files_below_the_data_root(shared_data):
    spec = load_spec("coco_filters", [f"data_root={shared_data}"]).spec
    files = [spec.model.weights, spec.vocabulary.path]
    for split in spec.dataset.splits.values():
        files += [split.annotations, split.images]
    assert all(Path(path).exists() for path in files), files


def test_loading_a_spec_never_loads_torch(tmp_path):
    for name in ("torch", "torchvision"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('torch was imported')\n")
    program = (
        "from auditor.compose.load import load_spec\n"
        "from auditor.compose.schema import file_schema\n"
        "load_spec('portraits'); file_schema()\n"
        "import sys; assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
