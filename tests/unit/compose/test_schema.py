"""The schema of the file a user writes: complete, described, and neither too strict nor too lax."""

from __future__ import annotations

import jsonschema
import pytest
import yaml

from auditor.compose.schema import DIALECT, file_schema


@pytest.fixture(scope="module")
def schema():
    return file_schema()


def errors(schema, text):
    return list(jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(text)))


def properties(schema, path=""):
    """Every property of a schema with its path, those of definitions included."""
    if isinstance(schema, dict):
        for name, part in schema.get("properties", {}).items():
            yield f"{path}/{name}", part
        for key, part in schema.items():
            if key != "default":
                yield from properties(part, f"{path}/{key}")
    elif isinstance(schema, list):
        for index, part in enumerate(schema):
            yield from properties(part, f"{path}/{index}")


def test_it_is_a_valid_schema_that_names_its_dialect_and_title(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT
    assert schema["title"] == "Audit spec"


def test_every_property_is_described(schema):
    nameless = [path for path, part in properties(schema) if not part.get("description")]
    assert nameless == []


def test_nothing_is_required(schema):
    parts = [schema, *schema["$defs"].values()]
    assert [part["title"] for part in parts if "required" in part] == []


@pytest.mark.parametrize(
    "text",
    [
        "defaults: [portraits, {dataset: portraits}, {override engine: cpu}, _self_]",
        "defaults: [{rules: [a, b]}, {'engine@engine': cpu}, {policy: null}]",
        "version: 1",
        "dataset: {seed: 3}",
        "dataset: {splits: {train: {count: 10}}}",
        "model: {recipe: {epochs: 3}}",
        "engine: {seed: '${report.max_findings}', device: '${x}', batch_size: '${x}'}",
        "engine: '${other}'",
        "policy: {fail_on: '${x.y}', required: '${z}', limits: {l: {max: '${q}'}}}",
        "rules: {a: null, b: {severity: note}, c: {between: [[a, b], c]}, d: {among: '${names}'}}",
        "attributes: {x: {output: '${n}', classes: ['${c}']}}",
        "audits: {r: {kind: relationships, sampling: {zone: '${zone}'}, top: ['${n}', 10]}}",
        "model: {preprocess: {mean: ['${m}', 0.5, 0.5]}}",
        "extractor: {layer: relu1}",
        "extractor: {recipe: {epochs: 3, adversary: {eps: 0.5}}}",
        "extractor: {source: features, files: {test: '${data_root}/a.npy'}}",
        "extractor: null",
        "defaults: [{extractor: cifar10_robust}]",
        "audits: {f: {kind: failures, max_depth: 3, valid: {excess: '${x}'}, columns: [age]}}",
        "audits: {f: {max_depth: 2, pictures: {attack: {eps: 1}}}}",
    ],
)
def test_partial_files_and_references_fit(schema, text):
    assert errors(schema, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "titel: x",
        "hydra: {}",
        "version: 2",
        "defaults: {dataset: portraits}",
        "defaults: [{dataset: a, model: b}]",
        "engine: {device: gpu}",
        "engine: {seed: many}",
        "engine: {seed: -1}",
        "dataset: {sead: 3}",
        "policy: {fail_on: never}",
        "rules: {a: {between: [x, y], expct: unrelated}}",
        "rules: {Bad Name: null}",
        "audits: {r: {kind: relationship}}",
        "audits: {f: {kind: failures, max_depht: 3}}",
        "audits: {f: {kind: failures, group_by: [lable]}}",
        "extractor: {source: features, file: a.npy}",
        "extractor: {layr: relu1}",
        "audits: {r: {top: 5}}",
        "engine: {seed: '${oc.env:SEED}'}",
    ],
)
def test_mistakes_do_not_fit(schema, text):
    assert errors(schema, text)


def test_defaults_complete_packaged_names(schema):
    groups = schema["properties"]["defaults"]["items"]["anyOf"][1]["properties"]
    assert "cifar10_robust" in groups["extractor"]["anyOf"][0]["enum"]
    assert groups["policy"]["anyOf"][0] == {"enum": ["lenient", "release", "strict"]}
