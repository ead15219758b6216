"""Cross checks of filter audits and comparisons of groups: what they look at exists."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from auditor.compose.composed import Composed
from auditor.errors import Problem

Load = Callable[..., Composed]
Only = Callable[..., Problem]

BASE = """\
version: 1
name: demo
dataset: {source: portraits}
model: {source: builtin, name: portraits_net, num_outputs: 3}
vocabulary: {source: everyday}
"""
FOLDER = BASE.replace("{source: portraits}", "{source: imagefolder, root: images}")
SPLITS = "splits: [train, test]"
EXTRACTOR = """\
extractor: {source: builtin, name: portraits_net, num_outputs: 3, layer: features.4}
"""
ITSELF = "extractor: {source: model, layer: features.4}\n"
STORED = "extractor: {source: features, files: {test: f.npy}}\n"


def audits(line: str) -> str:
    return f"audits: {{one: {{{line}}}}}\n"


@pytest.mark.parametrize(
    ("line", "path", "message"),
    [
        ("kind: filters", "audits.one", "it is not said which layer's filters are looked at"),
        (
            "kind: filters, layer: features.0, inspect: extractor",
            "audits.one.inspect",
            "the spec has no `extractor` to look into",
        ),
        (
            "kind: filters, layer: features.0, unwanted: [hatt]",
            "audits.one.unwanted.0",
            "there is no part `hatt`",
        ),
        (
            "kind: filters, layer: features.0, expected: [hat, hat]",
            "audits.one.expected.1",
            "`hat` stands in this list twice",
        ),
        (
            "kind: filters, layer: features.0, expected: [hat], unwanted: [hat]",
            "audits.one.expected",
            "`hat` is both unwanted and expected",
        ),
        (
            "kind: groups, by: [skin]",
            "audits.one",
            "it is not said which layer's filters are looked at",
        ),
        (
            "kind: groups, by: [skni], layer: features.0",
            "audits.one.by.0",
            "there is no column `skni`",
        ),
        (
            "kind: groups, by: [skin, skin], layer: features.0",
            "audits.one.by.1",
            "`skin` stands in this list twice",
        ),
        (
            "kind: groups, named: {hats: {hatt: ['1']}}, layer: features.0",
            "audits.one.named.hats.hatt",
            "there is no column `hatt`",
        ),
        (
            "kind: groups, named: {old: {age: [odl]}}, layer: features.0",
            "audits.one.named.old.age.0",
            "there is no value `odl`",
        ),
        (
            "kind: groups, by: [skin], compare: attributes",
            "audits.one.compare",
            "the spec has no attributes to compare",
        ),
        (
            "kind: groups, compare: networks, layer: features.0",
            "audits.one.compare",
            "the spec has no `extractor` to look into",
        ),
    ],
)
def test_what_is_looked_at_exists(only: Only, line: str, path: str, message: str) -> None:
    found = only(audits(line), base=BASE)
    assert (found.path, found.message) == (path, message)
    assert found.hint


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("kind: filters, layer: features.0", "audits.one"),
        (f"kind: groups, by: [dog], compare: concepts, {SPLITS}", "audits.one.compare"),
    ],
)
def test_regions_are_annotated(only: Only, line: str, path: str) -> None:
    found = only(audits(line), base=FOLDER)
    assert found.path == path
    assert found.message.endswith("and `dataset: imagefolder` has none")


def test_a_column_of_predictions_has_no_filters(only: Only) -> None:
    predictions = BASE.replace(
        "{source: builtin, name: portraits_net, num_outputs: 3}", "{source: predictions}"
    )
    found = only(audits("kind: groups, by: [skin], layer: features.0"), base=predictions)
    assert (found.path, found.message) == (
        "audits.one",
        "the model is a column of predictions, and has no filters",
    )


@pytest.mark.parametrize(
    ("extractor", "message"),
    [(ITSELF, "the extractor is the model itself"), (STORED, "features from a file have no maps")],
)
def test_only_another_network_is_an_extractor_to_look_into(
    only: Only, extractor: str, message: str
) -> None:
    line = "kind: filters, layer: features.0, inspect: extractor"
    found = only(extractor + audits(line), base=BASE)
    assert (found.path, found.message) == ("audits.one.inspect", message)


def test_an_extractor_has_a_layer_of_its_own(load: Load) -> None:
    line = "kind: filters, inspect: extractor"
    assert load(EXTRACTOR + audits(line), base=BASE).spec.audits["one"].kind == "filters"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("by: [skin], named: {a: {skin: [deep]}}", "either from `by` or from `named`"),
        ("by: [skin], compare: networks", "takes no groups"),
        ("layer: features.0", "name columns under `by`"),
    ],
)
def test_there_is_one_way_of_grouping(only: Only, line: str, message: str) -> None:
    assert message in only(audits(f"kind: groups, {line}"), base=BASE).message
