"""Failure audits: what is wrong with one is said where it is written, before any file is read."""

from __future__ import annotations

import pytest

from auditor.compose.load import load_spec

ATTRIBUTES = """\
defaults:
  - dataset: portraits
  - attributes: portraits
  - model: portraits_net
  - _self_
version: 1
name: demo
extractor: {source: builtin, name: portraits_net, num_outputs: 20, layer: classifier.1}
audits:
  failures: {kind: failures}
"""

CLASSES = """\
version: 1
name: demo
dataset: {source: manifest, files: {train: a.csv, test: b.csv}, classes: [cat, dog]}
model: {source: torchvision, name: resnet18, num_outputs: 2, head: multi_class}
extractor:
  source: features
  files: {test: b.npy}
audits:
  failures: {kind: failures}
"""

INSPECT = "audits.failures.inspect=[model,extractor]"


@pytest.mark.parametrize("base", [ATTRIBUTES, CLASSES])
def test_a_spec_with_failures_alone_needs_no_rules(load, base):
    assert load(base=base).warnings == ()


def test_the_packaged_spec_of_failures_composes(folder):
    composed = load_spec("cifar10_failures", ("audits.failures.max_depth=2",))
    assert composed.warnings == ()
    assert composed.spec.audits["failures"].max_depth == 2


@pytest.mark.parametrize(
    ("override", "path", "message", "hint"),
    [
        ("audits.failures.split=tset", "audits.failures.split", "no split `tset`", "`test`"),
        ("audits.failures.attributes=[hat,hatt]", "audits.failures.attributes.1",
         "no attribute `hatt`", "`hat`"),
        ("audits.failures.attributes=[]", "audits.failures.attributes",
         "this audit has no attributes", "model.head"),
        ("audits.failures.attributes=[hat,hat]", "audits.failures.attributes.1",
         "`hat` stands in this list twice", ""),
        ("audits.failures.inspect=[model,model]", "audits.failures.inspect.1",
         "`model` stands in this list twice", "keep one"),
        ("audits.failures.group_by=[label,label]", "audits.failures.group_by.1",
         "`label` stands in this list twice", ""),
        ("audits.failures.columns=[age,age]", "audits.failures.columns.1",
         "`age` stands in this list twice", ""),
        ("audits.failures.group_by=[]", "audits.failures.group_by", "nothing to group", "columns"),
        ("audits.failures.max_depth=5", "audits.failures.max_depth", "at most 4", ""),
        ("audits.failures.group_by=[lable]", "audits.failures.group_by.0", "expected `label`",
         "`label`"),
        ("extractor.nam=x", "extractor.nam", "unknown key", "`name`"),
        ("extractor.source=builtn", "extractor.source", "expected `builtin`", "`builtin`"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_audit_of_attributes_is_named(only, override, path, message, hint):
    problem = only("", override, base=ATTRIBUTES)
    assert (problem.path, problem.source) == (path, override)
    assert message in problem.message
    assert hint in (problem.hint or "")


@pytest.mark.parametrize(
    ("override", "path", "message", "hint"),
    [
        (INSPECT, "audits.failures.inspect.1", "features from a file make no predictions",
         "the model alone"),
        ("audits.failures.split=train", "audits.failures.split",
         "`extractor.files` has no features of the split `train`", "extractor.files.train"),
        ("extractor.files.tset=x.npy", "extractor.files.tset", "no split `tset`", "`test`"),
        ("audits.failures.attributes=[]", "audits.failures.attributes",
         "no attribute has failures of its own", "remove"),
        ("dataset.classes=null", "audits.failures", "the dataset names no classes",
         "dataset.classes"),
        ("dataset.classes=[cat]", "model", "the model has 2 outputs, but the dataset has 1 classes",
         "one class per output"),
        ("model.head=multi_label", "audits.failures", "this audit has no attributes",
         "multi_class"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_audit_of_classes_is_named(only, override, path, message, hint):
    problem = only("", override, base=CLASSES)
    assert problem.path == path
    assert message in problem.message
    assert hint in (problem.hint or "")


def test_features_come_from_somewhere(only):
    problem = only("", "~extractor", base=ATTRIBUTES)
    assert (problem.path, str(problem.location)) == ("audits.failures", "audit.yaml:10:3")
    assert "the spec has no `extractor`" in problem.message
    assert "- extractor: NAME" in (problem.hint or "")


def test_mistakes_point_into_the_file(only):
    problem = only(
        base=ATTRIBUTES.replace("{kind: failures}", "{kind: failures, inspect: [moodel]}")
    )
    assert (problem.path, str(problem.location)) == (
        "audits.failures.inspect.0",
        "audit.yaml:10:40",
    )


def test_the_model_itself_as_extractor_has_no_failures_of_its_own(only):
    base = ATTRIBUTES.replace(
        "{source: builtin, name: portraits_net, num_outputs: 20, layer: classifier.1}",
        "{source: model, layer: classifier.1}",
    )
    problem = only("", INSPECT, base=base)
    assert problem.message == "the extractor is the model itself"


def test_a_column_of_predictions_has_no_layers(only):
    base = CLASSES.replace(
        "{source: torchvision, name: resnet18, num_outputs: 2, head: multi_class}",
        "{source: predictions}",
    )
    inspected = "source: model\n  layer: layer4"
    problem = only(base=base.replace("source: features\n  files: {test: b.npy}", inspected))
    assert problem.path == "extractor.source"
    assert "has no layers" in problem.message


def test_only_a_manifest_has_a_column_of_predictions(only):
    classes = "dataset: {classes: [a, b]}\nmodel: {source: predictions}\n"
    base = ATTRIBUTES.replace("  - model: portraits_net\n", "")
    problem = only(classes, base=base)
    assert (problem.path, problem.message) == (
        "model.source",
        "only a manifest has a column of predictions",
    )


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        (
            "num_outputs: 20, head: multi_class",
            "extractor.head",
            "model's head is `multi_label`",
        ),
        ("num_outputs: 19", "extractor", "no output 19 for attribute `winking`; it has 0 to 18"),
    ],
)
def test_a_network_that_is_inspected_beside_the_model_answers_like_it(only, changes, path, message):
    base = ATTRIBUTES.replace("num_outputs: 20", changes)
    problem = only("", INSPECT, base=base)
    assert problem.path == path
    assert message in problem.message


TRAINED = """\
extractor:
  source: train
  network: {source: builtin, name: portraits_net, num_outputs: 20}
  layer: classifier.1
  recipe: {epochs: 1, adversary: {eps: 0.5}}
"""


@pytest.mark.parametrize(
    ("override", "path", "message"),
    [
        ("extractor.split=trian", "extractor.split", "there is no split `trian`"),
        ("extractor.evaluate=tset", "extractor.evaluate", "there is no split `tset`"),
        ("extractor.recipe.adversary.eps=0", "extractor.recipe.adversary.eps", "greater than 0"),
        ("extractor.recipe.adversary.norm=l3", "extractor.recipe.adversary.norm", "`l2` or `linf`"),
    ],
)
def test_a_recipe_of_an_extractor_is_checked_too(only, override, path, message):
    first, _, rest = ATTRIBUTES.partition("extractor:")
    base = first + TRAINED + rest.partition("\n")[2]
    problem = only("", override, base=base)
    assert (problem.path, problem.source) == (path, override)
    assert message in problem.message


def test_a_frozen_extractor_is_fitted_on_clean_images(problems):
    first, _, rest = ATTRIBUTES.partition("extractor:")
    base = first + TRAINED + "  freeze_backbone: true\n" + rest.partition("\n")[2]
    assert [(each.path, each.message.partition(" ")[0]) for each in problems(base=base)] == [
        ("extractor.recipe.adversary", "images"),
        ("extractor.freeze_backbone", "a"),
    ]


def test_a_broken_extractor_hides_no_other_mistake_and_makes_none(problems):
    base = ATTRIBUTES.replace("layer: classifier.1", "pool: mean")
    found = problems("title: 3\n", base=base)
    assert [each.path for each in found] == ["extractor.layer", "title"]


def test_an_extractor_that_nobody_uses_is_a_warning(load):
    composed = load(
        "rules: {r: {between: [hat, beard], expect: unrelated}}\n"
        "extractor: {source: model, layer: classifier.1}\n"
    )
    assert composed.warnings == ("the spec has an extractor, but no audit uses its features",)


def test_an_extractor_is_a_group_like_any_other(load):
    composed = load("", "extractor=cifar10_robust", "extractor.pool=max", base=ATTRIBUTES)
    extractor = composed.spec.extractor
    assert (extractor.name, extractor.pool) == ("robust_resnet4b", "max")
