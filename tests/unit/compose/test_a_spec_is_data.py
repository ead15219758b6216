"""Everything by which composition could be made to act is refused, in files and in overrides."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from auditor.compose.folders import SpecFolder
from auditor.errors import SpecError


@pytest.mark.parametrize("key", ["_target_", "_partial_", "_recursive_", "_convert_", "_args_"])
def test_keys_of_instantiate_are_refused_wherever_they_stand(only, key):
    problem = only(f"engine: {{device: cpu, {key}: os.system}}\n")
    assert str(problem.location) == "audit.yaml:11:23"
    assert problem.path == f"engine.{key}"
    assert "a spec is data" in problem.message


def test_a_target_inside_a_list_is_refused(only):
    problem = only("dataset: {splits: {train: {planted: [{_target_: os.system}]}}}\n")
    assert problem.path == "dataset.splits.train.planted.0._target_"


def test_a_target_in_a_group_file_is_refused(folder, problems):
    (folder / "engine").mkdir()
    (folder / "engine" / "evil.yaml").write_text("device: cpu\n_target_: os.system\n")
    [problem] = problems("", "engine=evil")
    assert str(problem.location) == "engine/evil.yaml:2:1"


@pytest.mark.parametrize(
    "override",
    [
        "+engine._target_=os.system",
        "engine={_target_: os.system}",
        "++_target_=x",
        "x.y=[{_a_: 1}]",
    ],
)
def test_a_target_in_an_override_is_refused(only, override):
    problem = only("", override)
    assert problem.location is None
    assert problem.source == override
    assert "a spec is data" in problem.message


def test_hydra_keys_are_refused_in_files(only):
    problem = only("hydra: {searchpath: [pkg://os]}\n")
    assert str(problem.location) == "audit.yaml:11:1"
    assert "a search path alone can run code" in problem.message


@pytest.mark.parametrize(
    "override",
    [
        "hydra.searchpath=[pkg://os]",
        "+hydra.run.dir=x",
        "hydra/launcher=basic",
        "~hydra",
        "hydra=x",
    ],
)
def test_hydra_overrides_are_refused(only, override):
    problem = only("", override)
    assert problem.source == override
    assert "`hydra` keys are not allowed" in problem.message


@pytest.mark.parametrize(
    "entry", ["hydra/launcher: basic", "override hydra/launcher: basic", "engine@hydra: cpu"]
)
def test_hydra_groups_are_refused(only, entry):
    problem = only(base=f"defaults:\n  - {entry}\nversion: 1\n")
    assert "`hydra` groups are not allowed" in problem.message
    assert problem.location is not None
    assert problem.location.line == 2


def test_a_package_line_cannot_reach_hydra(folder, only):
    (folder / "engine").mkdir()
    (folder / "engine" / "evil.yaml").write_text("# @package hydra\nsearchpath: [pkg://os]\n")
    assert "`# @package` must name a place inside the spec" in only("", "engine=evil").message


@pytest.mark.parametrize(
    "text",
    [
        "${oc.env:HOME}",
        "${now:%Y}",
        "${oc.decode:1}",
        "before ${oc.env:HOME,none} behind",
        "${oc.create:{a: 1}}",
        "${name}${hydra:job.name}",
        "${${name}}",
        "${.name}",
        "${name",
    ],
)
def test_resolvers_are_refused(only, text):
    problem = only(f"title: '{text}'\n")
    assert str(problem.location) == "audit.yaml:11:8"
    assert "only `${path.to.key}` can be used" in (problem.hint or "")


def test_resolvers_are_refused_in_overrides(only):
    assert only("", "title=${oc.env:HOME}").source == "title=${oc.env:HOME}"


def test_resolvers_are_refused_in_defaults(only):
    base = "defaults:\n  - engine: ${oc.env:ENGINE}\nversion: 1\n"
    assert only(base=base).path == "defaults.0"


def test_a_resolver_that_the_process_registered_is_not_run(only):
    from omegaconf import OmegaConf

    ran = []
    OmegaConf.register_new_resolver("mischief", lambda: ran.append(1), replace=True)
    try:
        only("title: ${mischief:}\n")
    finally:
        OmegaConf.clear_resolver("mischief")
    assert not ran


@pytest.mark.parametrize(
    "entry",
    [
        "/etc/passwd",
        "../secret",
        "engine: ../../secret",
        "engine: /etc/passwd",
        "../engine: cpu",
        "pkg://os",
        "engine: file://etc",
        "engine: [cpu, ../secret]",
        "/engine: cpu",
    ],
)
def test_configs_outside_the_folders_are_refused(only, entry):
    problem = only(base=f"defaults:\n  - {entry}\nversion: 1\n")
    assert problem.path == "defaults.0"
    assert "the folder of the spec or in the package" in problem.message


@pytest.mark.parametrize("choice", ["../secret", "/etc/passwd"])
def test_overrides_cannot_choose_configs_outside_the_folders(only, choice):
    assert only("", f"engine={choice}").source == f"engine={choice}"


def test_a_config_reached_by_interpolation_stays_inside_the_folders(folder, load):
    (folder / "secret.yaml").write_text("device: cpu\n")
    with pytest.raises(SpecError, match="outside"):
        SpecFolder(folder, "").read("../secret")


def test_links_that_leave_the_folder_are_refused(tmp_path_factory, folder, load):
    outside = tmp_path_factory.mktemp("outside") / "secret.yaml"
    outside.write_text("device: cpu\n")
    (folder / "engine").mkdir()
    (folder / "engine" / "linked.yaml").symlink_to(outside)
    with pytest.raises(SpecError, match=r"engine/linked\.yaml is a link that leads out of"):
        load("", "engine=linked")


def test_links_inside_the_folder_are_followed(folder, load):
    (folder / "engine").mkdir()
    (folder / "engine" / "real.yaml").write_text("device: cpu\n")
    (folder / "engine" / "linked.yaml").symlink_to(folder / "engine" / "real.yaml")
    assert load("", "engine=linked").spec.engine.device == "cpu"


@pytest.mark.parametrize(
    "value",
    [
        "!!python/name:os.system x",
        "!!python/object/apply:os.system [id]",
        "!!python/object/apply:pathlib.Path [a]",
        "!!binary aGk=",
        "!custom x",
        "!!set {a}",
    ],
)
def test_yaml_tags_are_refused(only, value):
    problem = only(f"title: {value}\n")
    assert problem.location is not None
    assert problem.location.line == 11
    assert "the YAML tag" in problem.message


def test_sweeps_are_refused(only):
    problem = only("", "engine.seed=1,2")
    assert problem.message == "an override has one value, not several"


def test_aliases_that_write_out_to_too_much_are_refused(load):
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 20)}]" for n in range(1, 8)]
    with pytest.raises(SpecError, match="holds too much"):
        load("a0: &a0 [x]\n" + "\n".join(levels) + "\n")


def test_interpolations_that_write_out_to_too_much_are_refused(problems):
    lines = [f"k{n}: '" + f"${{k{n - 1}}}" * 20 + "'" for n in range(1, 9)]
    found = problems("k0: 'xxxxxxxxxx'\n" + "\n".join(lines) + "\n")
    assert any("more than a spec can be" in problem.message for problem in found)


def test_deep_nesting_is_refused(load):
    with pytest.raises(SpecError, match="nested too deeply"):
        load("a: " + "[" * 5000 + "]" * 5000 + "\n")


def test_composition_leaves_nothing_behind(load):
    from hydra.core.global_hydra import GlobalHydra

    before = (Path.cwd(), dict(os.environ), list(sys.path))
    load()
    assert not GlobalHydra.instance().is_initialized()
    assert (Path.cwd(), dict(os.environ), list(sys.path)) == before
