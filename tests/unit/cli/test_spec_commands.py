"""What a user sees of a spec that is being written: init, schema, validate."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from auditor.compose.load import load_spec

BAD = "titel: x\nengine: {seed: many}\n"


Auditor = Callable[..., Any]


def test_validate_says_ok_and_the_digest(auditor: Auditor) -> None:
    done = auditor("validate", "portraits", "engine.device=cpu")
    assert (done.code, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert first == "ok: packaged:portraits (5 audits, 20 attributes, 190 rules)"
    assert len(second.removeprefix("digest: ")) == 64


def test_validate_prints_every_problem_in_one_block(auditor: Auditor) -> None:
    Path("bad.yaml").write_text(f"defaults: [portraits, _self_]\n{BAD}")
    done = auditor("validate", "bad.yaml", "policy=strickt")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: bad.yaml cannot be composed\n\noverride policy=strickt")

    done = auditor("validate", "bad.yaml", "report.images=none")
    assert done.code == 2
    assert done.err == (
        "error: bad.yaml is not valid: 3 problems\n"
        "\n"
        "bad.yaml:2:1  titel\n"
        "    unknown key\n"
        "    did you mean `title`?\n"
        "\n"
        "bad.yaml:3:16  engine.seed\n"
        '    expected a whole number (got "many")\n'
        "\n"
        "override report.images=none  report.images\n"
        '    expected `full`, `blurred`, `heatmap_only` or `withheld` (got "none")\n'
    )


def test_validate_as_json_is_one_document(auditor: Auditor) -> None:
    Path("bad.yaml").write_text(f"defaults: [portraits, _self_]\n{BAD}")
    done = auditor("validate", "bad.yaml", "report.images=none", "--json")
    assert (done.code, done.err) == (2, "")
    document = done.document()
    assert (document["ok"], document["digest"]) == (False, None)
    assert document["errors"][0] == {
        "file": "bad.yaml",
        "line": 2,
        "column": 1,
        "path": "titel",
        "value": None,
        "message": "unknown key",
        "hint": "did you mean `title`?",
        "source": "file",
    }
    last = document["errors"][2]
    assert (last["file"], last["source"]) == (None, "report.images=none")


@pytest.mark.parametrize("command", ["plan", "run", "layers"])
def test_every_command_names_the_problems_of_a_spec_as_validate_does(
    auditor: Auditor, command: str
) -> None:
    Path("bad.yaml").write_text(f"defaults: [portraits, _self_]\n{BAD}")
    rows = auditor("validate", "bad.yaml", "--json").document()["errors"]
    assert auditor(command, "bad.yaml", "--json").document()["error"]["problems"] == rows


def test_validate_as_json_of_a_valid_spec(auditor: Auditor) -> None:
    done = auditor("validate", "portraits", "--json")
    assert done.code == 0
    assert done.document()["ok"] is True
    assert done.document()["errors"] == []
    assert len(done.document()["digest"]) == 64


def test_validate_as_json_of_a_spec_that_is_not_there(auditor: Auditor) -> None:
    done = auditor("validate", "nowhere.yaml", "--json")
    assert done.code == 2
    [error] = done.document()["errors"]
    assert error["message"] == "there is no spec nowhere.yaml"


def test_warnings_go_beside_the_output(auditor: Auditor) -> None:
    audits = load_spec("portraits").spec.audits
    removed = [f"~audits.{name}" for name in audits]
    done = auditor("validate", "portraits", *removed, "policy.required=[]")
    assert done.code == 0
    assert done.err.startswith("warning: the spec has no audits")
    assert "warnings" in auditor("validate", "portraits", "--json").document()


def test_init_writes_a_spec_that_validates_and_fits_its_schema(auditor: Auditor) -> None:
    assert auditor("init").code == 0
    text = Path("audit.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=./auditor.schema.json\n")
    schema = json.loads(Path("auditor.schema.json").read_text())
    jsonschema.validate(yaml.safe_load(text), schema)
    done = auditor("validate", "audit.yaml")
    assert (done.code, done.err) == (0, "")
    assert schema == auditor("schema").document()


def test_what_the_first_spec_comments_out_validates_too(auditor: Auditor) -> None:
    auditor("init")
    lines = Path("audit.yaml").read_text().splitlines()
    start = lines.index("# rules:")
    end = lines.index("", start)
    lines[start:end] = [line.removeprefix("# ") for line in lines[start:end]]
    Path("more.yaml").write_text("\n".join(lines) + "\n")
    done = auditor("validate", "more.yaml")
    assert (done.code, done.err) == (0, "")


def test_every_kind_of_audit_of_the_first_spec_validates(auditor: Auditor) -> None:
    auditor("init")
    text = Path("audit.yaml").read_text()
    # Keys and list entries lose their comment sign; sentences keep it.
    Path("more.yaml").write_text(re.sub(r"^  # (?=- |(  )?\w+:)", "  ", text, flags=re.MULTILINE))
    done = auditor("validate", "more.yaml")
    assert (done.code, done.err) == (0, "")
    spec = load_spec("more.yaml").spec
    assert sorted(spec.audits) == ["failures", "filters", "groups", "relationships"]
    assert all(audit.kind == name for name, audit in spec.audits.items())
    assert spec.extractor is not None
    assert spec.vocabulary is not None


def test_init_makes_the_folder_it_is_given(auditor: Auditor) -> None:
    assert auditor("init", "new/audit").code == 0
    assert auditor("validate", "new/audit/audit.yaml").code == 0


@pytest.mark.parametrize("name", ["audit.yaml", "auditor.schema.json"])
def test_init_never_overwrites(auditor: Auditor, name: str) -> None:
    Path(name).write_text("mine")
    done = auditor("init")
    assert done.code == 2
    assert f"{name} exists already" in done.err
    assert [path.name for path in Path().iterdir()] == [name]
    assert Path(name).read_text() == "mine"


ROBUST = ("extractor=portraits_robust", "audits.failures.attributes=[hat, beard]")


def test_layers_tells_the_layers_of_the_extractor_from_those_of_the_model(
    auditor: Auditor,
) -> None:
    overrides = (*ROBUST, "extractor.network.name=cifar_resnet20")
    layers = auditor("layers", "portraits", *overrides, "--json").document()["layers"]
    found = {(each["network"], each["path"]) for each in layers}
    assert {("model", "features.0"), ("extractor", "layer1.0.conv1")} <= found
    assert ("model", "layer1.0.conv1") not in found
    assert "network" in auditor("layers", "portraits", *overrides).out.splitlines()[0]
    users = ("~audits.failures", "~audits.robust_filters")
    alone = auditor("layers", "portraits", "~extractor", *users).out.splitlines()
    assert alone[0].split() == ["layer", "module", "output", "shape"]


def test_plan_tells_what_a_failure_audit_looks_at(auditor: Auditor) -> None:
    done = auditor("plan", "portraits", *ROBUST)
    assert (done.code, done.err) == (0, "")
    assert "train  extractor on reference" in done.out
    assert "chosen by failures/trees" in done.out
    steps = auditor("plan", "portraits", *ROBUST, "--json").document()["steps"]
    visits = {step["audit"]: step for step in steps if step["kind"] == "visit"}
    visit = visits["failures"]
    assert (visit["network"], visit["after"]) == ("extractor", ["trees"])
    drawn = auditor("plan", "portraits", *ROBUST, "--format", "mermaid").out
    assert "visit failures/pictures on test<br/>up to" in drawn


def test_validate_names_what_a_failure_audit_lacks(auditor: Auditor) -> None:
    done = auditor("validate", "portraits", "~extractor", "audits.failures.inspect=[extractor]")
    assert done.code == 2
    assert "the spec has no `extractor`" in done.err
