"""Each mistake gives one located problem that says what is wrong and what to do."""

from __future__ import annotations

import pytest

from auditor.errors import SpecError


def where(problem):
    return str(problem.location) if problem.location else problem.source


@pytest.mark.parametrize(
    ("lines", "place", "path", "message", "hint"),
    [
        ("titel: x", "11:1", "titel", "unknown key", "did you mean `title`?"),
        ("engine: {devcie: cpu}", "11:10", "engine.devcie", "unknown key", "`device`"),
        ("engine: {seed: '3'}", "11:16", "engine.seed", "whole number", "without quotes"),
        ("engine: {seed: 1.5}", "11:16", "engine.seed", "expected a whole number", ""),
        ("engine: {compile: 1}", "11:19", "engine.compile", "expected true or false", ""),
        ("engine: {device: gpu}", "11:18", "engine.device", "`cuda`", ""),
        ("engine: {batch_size: 0}", "11:22", "engine.batch_size", "`auto` or a whole number", ""),
        ("engine: {max_unreadable: 2}", "11:26", "engine.max_unreadable", "at most 1", ""),
        ("engine: [cpu]", "11:9", "engine", "expected a mapping", ""),
        ("title: yes", "11:8", "title", "expected text", 'put it in quotes: "yes"'),
        ("title: 3", "11:8", "title", "expected text", 'put it in quotes: "3"'),
        ("policy: {fail_on: eror}", "11:19", "policy.fail_on", "`error`", "did you mean `error`?"),
        ("policy: {required: rel}", "11:20", "policy.required", "expected a list", "[rel]"),
        ("review: [a]", "11:9", "review", "expected text", ""),
        ("attributes: {Hat: {output: 0, column: hat}}", "11:14", "attributes.Hat", "a name", ""),
        ("attributes: {x: {output: 1.5, column: hat}}", "11:26", "attributes.x.output",
         "expected a whole number or text", ""),
        ("attributes: {x: {output: 0}}", "11:17", "attributes.x", "`column` or `classes`", ""),
        ("rules: {r: {expect: unrelated}}", "11:12", "rules.r", "exactly one of", ""),
        ("rules: {r: {between: [hat], expect: unrelated}}", "11:13", "rules.r.between.1",
         "item 2 of the list is missing", ""),
        ("policy: {limits: {l: {audit: relationships, metric: x}}}", "11:22", "policy.limits.l",
         "needs `max`, `min` or both", ""),
        ("model: {network: {head: multi_class}}", "11:19", "model.network.head",
         "unknown key", "known keys: source, name, num_outputs, weights"),
        ("dataset: {source: portrait}", "11:19", "dataset.source", "`portraits`",
         "did you mean `portraits`?"),
    ],
)  # fmt: skip
def test_wrong_values_are_located_and_explained(only, lines, place, path, message, hint):
    problem = only(f"{lines}\n")
    assert where(problem) == f"audit.yaml:{place}"
    assert problem.path == path
    assert message in problem.message
    assert hint in (problem.hint or "")


def test_the_offending_value_is_shown(only):
    problem = only("engine: {seed: many}\n")
    assert problem.value == '"many"'
    assert str(problem) == (
        'audit.yaml:11:16  engine.seed\n    expected a whole number (got "many")'
    )


def test_tags_of_unions_stay_out_of_paths(only):
    problem = only(
        "model: {recipe: {epochs: none}, network: {name: portraits_nett}}\n",
        "model.recipe.epochs=1",
    )
    assert problem.path == "model.network.name"
    assert problem.hint == "did you mean `portraits_net`?"


def test_missing_keys_are_located_at_their_mapping(only):
    base = "defaults: [portraits, _self_]\naudits:\n  second:\n    kind: relationships\n"
    problem = only(base=base)
    assert where(problem) == "audit.yaml:3:3"
    assert problem.path == "audits.second.layer"
    assert problem.message == "is missing"
    assert "Module path" in (problem.hint or "")


def test_missing_sections_say_how_to_add_them(problems):
    found = {p.path: p.hint for p in problems(base="version: 1\nname: demo\n")}
    assert found == {
        "dataset": "add `- dataset: NAME` to the defaults, or a `dataset:` section",
        "model": "add `- model: NAME` to the defaults, or a `model:` section",
    }


def test_an_empty_file_lacks_everything(problems):
    assert {p.path for p in problems(base="")} == {"version", "name", "dataset", "model"}


def test_all_problems_come_at_once_from_top_to_bottom(problems):
    found = problems(
        "titel: x\n"
        "engine: {seed: many}\n"
        "rules: {r: {between: [hatt, hat], expect: unrelated}}\n"
        "policy: {required: [relationship]}\n",
        "report.max_findings=0",
    )
    assert [where(p) for p in found] == [
        "audit.yaml:11:1",
        "audit.yaml:12:16",
        "audit.yaml:13:23",
        "audit.yaml:14:21",
        "report.max_findings=0",
    ]


def test_what_a_broken_section_declares_is_not_reported_as_missing(problems):
    found = problems(
        "attributes: {cap: {output: many, column: hat}}\n"
        "rules: {r: {between: [cap, glasses], expect: unrelated}}\n"
    )
    assert [p.path for p in found] == ["attributes.cap.output"]


def test_a_value_of_a_group_file_is_located_there(folder, problems):
    (folder / "engine").mkdir()
    (folder / "engine" / "big.yaml").write_text("# a comment\nseed: many\n")
    [problem] = problems("", "engine=big")
    assert where(problem) == "engine/big.yaml:2:7"


def test_the_file_that_set_the_value_is_named_and_not_the_one_it_replaced(folder, only):
    (folder / "engine").mkdir()
    (folder / "engine" / "big.yaml").write_text("seed: 3\n")
    base = "defaults:\n  - portraits\n  - override engine: big\n  - _self_\nengine: {seed: many}\n"
    assert where(only(base=base)) == "audit.yaml:5:16"


def test_overrides_are_named_as_they_were_typed(problems):
    found = problems("", "engine.seed='many'", "+engine.devcie=cpu", "name.x=1")
    assert {p.source: p.path for p in found} == {
        "engine.seed='many'": "engine.seed",
        "+engine.devcie=cpu": "engine.devcie",
        "name.x=1": "name",
    }


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("policy.required.7=x", "there is no such place in the spec"),
        ("engine=[cpu,2]", "a config name is text"),
        ("engine=3", "a config name is text"),
        ("~policy.required.0", "items of a list cannot be deleted"),
        ("~name=other", "a deletion takes no value"),
        ("nogroup@engine=cpu", "there is no config group `nogroup`"),
        ("engine=cpu,cuda", "an override has one value, not several"),
        ("title='open", "this is not an override"),
    ],
)
def test_overrides_that_cannot_be_applied_are_explained(only, override, message):
    problem = only("policy: {required: [relationships]}\n", override)
    assert problem.source == override
    assert message in problem.message


@pytest.mark.parametrize(
    ("override", "path", "message"),
    [
        ("dataset={source: portraits, splits: [a]}", "dataset.splits", "a mapping, not a list"),
        ("dataset.splits.train=[a]", "dataset.splits.train", "a mapping, not a list"),
        ("policy.required={a: 1}", "policy.required", "a list, not a mapping"),
    ],
)
def test_an_override_that_does_not_merge_is_located(only, override, path, message):
    problem = only("policy: {required: [relationships]}\n", override)
    assert (problem.source, problem.path) == (override, path)
    assert problem.message == f"expected {message}"


def test_a_file_that_does_not_merge_into_its_parts_is_located(only):
    problem = only("dataset: {splits: [train]}\n")
    assert (where(problem), problem.path) == ("audit.yaml:11:19", "dataset.splits")
    assert problem.message == "expected a mapping, not a list"


def test_an_override_without_a_value_is_explained(only):
    problem = only("", "engine")
    assert problem.source == "engine"
    assert "KEY=VALUE" in (problem.hint or "")


def test_deleting_what_is_not_there_is_explained(only):
    problem = only("", "~audits.relationship")
    assert problem.hint == "did you mean `relationships`?"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("version: 1\nname: x\nversion: 2\n", "3:1", "the key `version` stands here twice"),
        ("a:\n  b: 1\n  b: 2\n", "3:3", "the first is on line 2"),
        ("a: [1\nb: 2\n", "2:2", "YAML syntax"),
        ("a: 1\n\tb: 2\n", "2:1", "YAML syntax"),
        ("a: 'x\n", "2:1", "YAML syntax"),
        ("a: \x00\n", "1:4", "U+0000"),
        ("no: 1\n", "1:1", "reads the key `no` as a truth value"),
        ("7: 1\n", "1:1", "reads the key `7` as a number"),
        ("a: .nan\n", "1:4", "not a finite number"),
        ("a: 1e999\n", "1:4", "not a finite number"),
        ("a: &a [*a]\n", "1:4", "inside the value that it names"),
        ("- a\n", "1:1", "a mapping of `key: value` lines"),
        ("a: 1\n---\nb: 1\n", "2:1", "YAML syntax"),
    ],
)
def test_files_that_are_not_plain_yaml_are_located(only, text, place, message):
    problem = only(base=text)
    assert where(problem) == f"audit.yaml:{place}"
    assert message in problem.message


def test_text_that_is_not_utf8_is_refused(folder, load):
    (folder / "engine").mkdir()
    (folder / "engine" / "latin.yaml").write_bytes("device: cpu # größe\n".encode("latin-1"))
    with pytest.raises(SpecError, match=r"engine/latin\.yaml is not UTF-8"):
        load("", "engine=latin")


def test_a_missing_group_is_located_with_the_nearest_one(only):
    problem = only(base="defaults:\n  - datset: portraits\nversion: 1\n")
    assert where(problem) == "audit.yaml:2:13"
    assert problem.message == "there is no config group `datset`"
    assert problem.hint == "did you mean `dataset`?"


def test_a_missing_choice_is_located_with_the_nearest_one(only):
    problem = only(base="defaults:\n  - dataset: portrait\nversion: 1\n")
    assert where(problem) == "audit.yaml:2:14"
    assert problem.hint == "did you mean `portraits`?"


def test_a_missing_choice_of_an_override_names_the_override(only):
    problem = only("", "policy=strickt")
    assert where(problem) == "policy=strickt"
    assert problem.hint == "did you mean `strict`?"


def test_cyclic_defaults_are_located(folder, only):
    (folder / "engine").mkdir()
    (folder / "engine" / "a.yaml").write_text("defaults:\n  - b\n")
    (folder / "engine" / "b.yaml").write_text("defaults:\n  - a\n")
    problem = only("", "engine=a")
    assert where(problem) == "engine/b.yaml:2:5"
    assert problem.message.endswith("engine/a → engine/b → engine/a")


def test_a_file_that_names_itself_is_located(only):
    problem = only(base="defaults:\n  - audit\nversion: 1\n")
    assert where(problem) == "audit.yaml:2:5"
    assert "audit → audit" in problem.message


def test_a_group_chosen_twice_is_refused_at_the_defaults(only):
    problem = only(base="defaults:\n  - engine: cpu\n  - engine: cuda\nversion: 1\n")
    assert where(problem) == "audit.yaml:1:1"


def test_interpolations_that_lead_nowhere_or_in_circles_are_located(problems):
    found = problems("title: ${titel}\nowner: ${purpose}\npurpose: ${owner}\nreview: ???\n")
    assert [(where(p), p.path) for p in found] == [
        ("audit.yaml:11:8", "title"),
        ("audit.yaml:13:10", "purpose"),
        ("audit.yaml:14:9", "review"),
    ]
    assert found[0].hint == "did you mean `title`?"


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("adit.yaml", "did you mean `audit.yaml`?"),
        ("portraitz", "did you mean `portraits`?"),
        (
            "qqqq",
            "known packaged specs: cifar10_attributes, cifar10_failures, coco_filters, portraits, "
            "portraits_clean",
        ),
        ("../portraits", "did you mean `portraits`?"),
    ],
)
def test_a_spec_that_is_not_there_is_refused_with_the_nearest_one(folder, load, spec, hint):
    from auditor.compose.load import load_spec

    load()
    with pytest.raises(SpecError) as caught:
        load_spec(spec)
    assert caught.value.hint == hint
