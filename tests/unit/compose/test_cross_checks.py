"""Names that must exist elsewhere in the spec, and rules that must not contradict each other."""

from __future__ import annotations

import pytest

from auditor.errors import Location

BASE = """\
defaults:
  - dataset: portraits
  - attributes: portraits
  - model: portraits_net
  - _self_
version: 1
name: demo
"""


def where(problem):
    return str(problem.location) if problem.location else problem.source


@pytest.mark.parametrize(
    ("lines", "place", "path", "message", "hint"),
    [
        ("rules: {r: {between: [lipstik, hat], expect: unrelated}}", "11:23", "rules.r.between.0",
         "there is no attribute `lipstik`", "did you mean `lipstick`?"),
        ("rules: {r: {between: [[hat, hatt], glasses], expect: unrelated}}", "11:29",
         "rules.r.between.0.1", "there is no attribute `hatt`", "did you mean `hat`?"),
        ("rules: {r: {among: [hat, glases], expect: unrelated}}", "11:26", "rules.r.among.1",
         "there is no attribute `glases`", "did you mean `glasses`?"),
        ("rules: {r: {between: [hat, hat], expect: unrelated}}", "11:28", "rules.r.between.1",
         "a rule between `hat` and itself", ""),
        ("rules: {r: {among: [hat, beard, hat], expect: unrelated}}", "11:33", "rules.r.among.2",
         "a rule between `hat` and itself", ""),
        ("rules: {r: {between: [[hat, beard], [beard]], expect: unrelated}}", "11:38",
         "rules.r.between.1.0", "a rule between `beard` and itself", ""),
        ("rules: {r: {among: [hat], expect: unrelated}}", "11:20", "rules.r.among",
         "at least two", ""),
        ("rules: {r: {between: [hat, beard], expect: unrelatd}}", "11:44", "rules.r.expect",
         "there is no relation `unrelatd`", "did you mean `unrelated`?"),
        ("attributes: {x: {output: 20, column: hat}}", "11:26", "attributes.x.output",
         "no output 20; it has 0 to 19", ""),
        ("attributes: {x: {output: -1, column: hat}}", "11:26", "attributes.x.output",
         "no output -1", ""),
        ("attributes: {x: {output: dog, column: hat}}", "11:26", "attributes.x.output",
         "`dog` is the name of a class", "dataset.classes"),
        ("attributes: {smiling: {output: 0, column: hatt}}", "11:43", "attributes.smiling.column",
         "there is no column `hatt`", "did you mean `hat`?"),
        ("attributes: {smiling: {output: 0, column: null, classes: [dog]}}", "11:58",
         "attributes.smiling.classes", "portraits have no classes", "column"),
        ("policy: {required: [relationship]}", "11:21", "policy.required.0",
         "there is no audit `relationship`", "did you mean `relationships`?"),
        ("policy: {limits: {l: {audit: relation, metric: cosine, max: 1}}}", "11:30",
         "policy.limits.l.audit", "there is no audit `relation`", "`relationships`"),
        ("model: {split: trian}", "11:16", "model.split", "there is no split `trian`", "`train`"),
        ("model: {freeze_backbone: true}", "11:26", "model.freeze_backbone",
         "nothing to fit without `replace_head`", "model.replace_head"),
        ("model: {freeze_backbone: true, replace_head: x, recipe: {augment: true}}", "11:67",
         "model.recipe.augment", "not augmented for a frozen backbone", ""),
        ("dataset: {interventions: {hatt: true}}", "11:27", "dataset.interventions.hatt",
         "there is no attribute `hatt`", "`hat`"),
        ("dataset: {splits: {more: {count: 10, start: 7999}}}", "11:20", "dataset.splits.more",
         "share images", "start `more` at 8000 or later"),
        ("dataset: {splits: {train: {planted: [{between: [hat, beard], tau: 1},"
         " {between: [hat, blush], tau: 1}]}}}", "11:37", "dataset.splits.train.planted",
         "in two planted pairs", ""),
    ],
)  # fmt: skip
def test_names_that_do_not_fit_are_located(only, lines, place, path, message, hint):
    problem = only(f"{lines}\n")
    assert where(problem) == f"audit.yaml:{place}"
    assert problem.path == path
    assert message in problem.message
    assert hint in (problem.hint or "")


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("audits.relationships.split=trian", "audits.relationships.split"),
        ("audits.relationships.confirm=tset", "audits.relationships.confirm"),
        ("audits.relationships.attributes=[hat,hatt,beard]", "audits.relationships.attributes.1"),
        ("audits.relationships.attributes=[hat]", "audits.relationships.attributes"),
    ],
)
def test_overrides_are_cross_checked_too(only, override, path):
    problem = only("", override)
    assert problem.path == path
    assert problem.source == override


def test_confirming_on_half_of_the_split_needs_no_second_split(load):
    assert (
        load("", "audits.relationships.confirm=null").spec.audits["relationships"].confirm is None
    )


def test_class_names_must_be_classes_of_the_dataset(problems):
    found = problems(
        "dataset: {source: manifest, files: {train: a.csv, test: b.csv}, classes: [cat, dog]}\n"
        "model: {source: torchvision, name: resnet18}\n"
        "attributes:\n"
        "  tame: {output: dgo, classes: [cat, wolf]}\n"
        "  wild: {output: dog, classes: [cat]}\n"
        "audits: {relationships: {kind: relationships, layer: x, split: val}}\n",
        base="version: 1\nname: demo\n",
    )
    assert [(where(p), p.path) for p in found] == [
        ("audit.yaml:6:18", "attributes.tame.output"),
        ("audit.yaml:6:38", "attributes.tame.classes.1"),
        ("audit.yaml:8:64", "audits.relationships.split"),
    ]


@pytest.mark.parametrize("head", ["multi_label", "multi_class"])
def test_an_output_scores_one_attribute_alone(only, head):
    problem = only(
        "dataset: {source: manifest, files: {train: a.csv, test: b.csv}, classes: [cat, dog]}\n"
        f"model: {{source: torchvision, name: resnet18, head: {head}}}\n"
        "attributes:\n"
        "  tame: {output: 1, classes: [cat, dog]}\n"
        "  loud: {output: dog, classes: [dog]}\n"
        "audits: {relationships: {kind: relationships, layer: x, split: train}}\n",
        base="version: 1\nname: demo\n",
    )
    assert (where(problem), problem.path) == ("audit.yaml:7:18", "attributes.loud.output")
    assert problem.message == "output `dog` scores `tame` already (audit.yaml:6:18)"


def test_an_audit_of_attributes_needs_attributes(only):
    base = (
        "defaults:\n  - dataset: portraits\n  - model: portraits_net\n  - _self_\n"
        "version: 1\nname: demo\naudits: {r: {kind: relationships, layer: x}}\n"
    )
    problem = only(base=base)
    assert where(problem) == "audit.yaml:7:10"
    assert "has 0 of them" in problem.message


def test_contradictory_rules_name_both_places(only):
    problem = only(
        "rules:\n"
        "  first: {between: [hat, beard], expect: unrelated}\n"
        "  second: {among: [beard, glasses, hat], expect: definitely_positive}\n"
    )
    assert where(problem) == "audit.yaml:13:3"
    assert "contradicts rule `first` (audit.yaml:12:3)" in problem.message
    assert "`definitely_positive` against `unrelated`" in problem.message


def test_rules_of_two_severities_contradict_each_other(only):
    problem = only(
        "rules:\n"
        "  first: {between: [hat, beard], expect: unrelated}\n"
        "  second: {between: [beard, hat], expect: unrelated, severity: note}\n"
    )
    assert "severity `note` against `error`" in problem.message


def test_a_rule_said_twice_counts_once_and_warns(load):
    composed = load(
        "rules:\n"
        "  first: {between: [hat, beard], expect: unrelated}\n"
        "  second: {among: [beard, glasses, hat], expect: unrelated}\n"
    )
    assert [(rule.id, rule.a, rule.b) for rule in composed.rules] == [
        ("first", "hat", "beard"),
        ("second", "beard", "glasses"),
        ("second", "glasses", "hat"),
    ]
    assert composed.warnings == (
        "rule second repeats rule first about beard and hat; the first is kept",
    )


def test_null_removes_a_rule_of_a_group(load):
    base = BASE.replace("  - _self_", "  - rules: portraits\n  - _self_")
    everything = load(base=base)
    fewer = load("rules: {worn: null}\n", base=base)
    assert len(everything.rules) == 190
    assert {rule.id for rule in everything.rules} - {rule.id for rule in fewer.rules} == {"worn"}


def test_families_are_written_out_in_writing_order_with_their_places(load):
    composed = load(
        "relations: {tied: {mean: 0.5, sd: 0.1}}\n"
        "rules:\n"
        "  a: {between: [[hat, beard], [glasses, blush]], expect: tied, why: because}\n"
    )
    assert [(rule.a, rule.b) for rule in composed.rules] == [
        ("hat", "glasses"), ("hat", "blush"), ("beard", "glasses"), ("beard", "blush")
    ]  # fmt: skip
    assert {rule.location for rule in composed.rules} == {Location("audit.yaml", 13, 3)}
    assert {rule.why for rule in composed.rules} == {"because"}


def test_a_rule_set_by_an_override_has_no_place_in_a_file(load):
    [rule] = load("", "rules.r={between: [hat, beard], expect: unrelated}").rules
    assert rule.location is None


def test_empty_audits_validate_with_a_warning(load):
    for text in ("audits: {}\n", "audits:\n"):
        base = "defaults:\n  - dataset: portraits\n  - model: portraits_net\nversion: 1\nname: x\n"
        composed = load(text, base=base)
        assert composed.spec.audits == {}
        assert "no audits" in composed.warnings[0]


def test_a_table_gives_rules_with_their_rows_as_places(folder, load):
    (folder / "rules.csv").write_text(
        'a,b,expect,severity,why\nhat,beard,unrelated,,"one\nand two"\nhat,blush,unrelated,note,\n',
        encoding="utf-8",
    )
    first, second = load("rules: {t: {file: rules.csv, why: fallback}}\n").rules
    assert (first.severity, first.why, first.location) == (
        "error", "one\nand two", Location("rules.csv", 2, 1)
    )  # fmt: skip
    assert (second.severity, second.why, second.location) == (
        "note", "fallback", Location("rules.csv", 4, 1)
    )  # fmt: skip


def test_every_bad_row_of_a_table_is_located(folder, problems):
    (folder / "rules.csv").write_text(
        "a,b,expect,severity\n"
        "hat,beard,unrelated,\n"
        "hatt,beard,unrelated,\n"
        "hat,hat,unrelated,\n"
        "hat,blush,unrelatd,\n"
        "hat,winking,unrelated,grave\n"
        "beard,hat,definitely_positive,\n"
        "\n"
        "bangs\n"
    )
    found = problems("rules: {t: {file: rules.csv}}\n")
    assert [(where(p), p.message[:22]) for p in found] == [
        ("rules.csv:3:1", "there is no attribute "),
        ("rules.csv:4:1", "a rule between `hat` a"),
        ("rules.csv:5:1", "there is no relation `"),
        ("rules.csv:6:1", "there is no severity `"),
        ("rules.csv:7:1", "contradicts rule `t` ("),
        ("rules.csv:9:1", "there is no attribute "),
        ("rules.csv:9:1", "there is no relation `"),
    ]


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (b"a,b\nhat,beard\n", "rules.csv:1:1", "`expect` is missing"),
        (b"a,b,expect,extra\n", "rules.csv:1:1", "`extra` is unknown"),
        (b"a,b,expect\n\xff\n", "audit.yaml:11:19", "cannot be read"),
        (None, "audit.yaml:11:19", "cannot be read"),
        (b"", "rules.csv:1:1", "`a` is missing"),
    ],
)
def test_unusable_tables_are_explained(folder, only, content, place, message):
    if content is not None:
        (folder / "rules.csv").write_bytes(content)
    problem = only("rules: {t: {file: rules.csv}}\n")
    assert where(problem) == place
    assert message in problem.message
