"""Groups, overrides and files become one spec, as a user would expect it."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.catalog import AuditSpec
from auditor.compose.load import load_spec
from auditor.errors import SpecError
from auditor.resources import specs_dir

OVERRIDES = (
    "engine.device=cpu",
    "engine.seed=7",
    "engine=cuda",
    "policy=strict",
    "+policy.min_decided=0.5",
    "report=engineer",
    "report.formats=[html]",
    "audits.relationships.top=[3]",
    "audits.relationships.sampling={method: full}",
    "++audits.second={kind: relationships, layer: features.2}",
    "dataset.splits.train.planted.0.tau=0.5",
    "dataset=portraits",
    "rules.worn=null",
    "~rules.hair",
    "title='A title, with a comma'",
    "owner=${name}",
    "data_root=elsewhere",
    "policy.limits.z={audit: relationships, metric: robust_z, max: 6}",
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(OVERRIDES), unique=True))
def test_any_choice_of_valid_overrides_gives_a_valid_spec(overrides):
    if "dataset=portraits" in overrides and "dataset.splits.train.planted.0.tau=0.5" in overrides:
        overrides.remove("dataset=portraits")  # it plants nothing whose strength could be set
    composed = load_spec("portraits", overrides)
    assert composed.overrides == tuple(overrides)
    assert AuditSpec.model_validate_json(composed.spec.model_dump_json()) == composed.spec


def test_what_stands_below_self_wins_over_groups_and_overrides_win_over_all(load):
    base = "defaults:\n  - portraits\n  - override engine: cuda\n  - _self_\nengine: {seed: 3}\n"
    engine = load("", "engine.num_workers=1", base=base).spec.engine
    assert (engine.device, engine.seed, engine.num_workers) == ("cuda", 3, 1)


def test_without_self_the_file_comes_last(load):
    base = "defaults:\n  - portraits\nengine: {seed: 3}\n"
    assert load(base=base).spec.engine.seed == 3


def test_with_self_first_the_groups_win(load):
    base = "defaults:\n  - _self_\n  - portraits\nname: mine\nowner: me\n"
    assert load(base=base).spec.name == "portraits"


def test_mappings_merge_and_lists_are_replaced(load):
    spec = load("dataset: {splits: {train: {count: 100}}}\n", "attributes.hat.title=cap").spec
    assert spec.dataset.splits["train"].count == 100
    assert set(spec.dataset.splits) == {"train", "test", "reference"}
    assert (spec.attributes["hat"].output, spec.attributes["hat"].title) == (3, "cap")
    assert (
        load("policy: {required: [relationships]}\n", "policy.required=[]").spec.policy.required
        == ()
    )


def test_a_plain_override_sets_keys_that_are_not_there_yet(load):
    assert load("", "policy.min_decided=0.3").spec.policy.min_decided == 0.3
    assert load("", "+policy.min_decided=0.3").spec.policy.min_decided == 0.3


def test_choosing_a_group_swaps_or_adds_it(load):
    assert load("", "policy=strict").spec.policy.fail_on == "warning"
    assert load("policy: {fail_on: error}\n", "policy=strict").spec.policy.fail_on == "warning"
    base = "version: 1\nname: x\n"
    spec = load("", "dataset=portraits", "model=portraits_net", base=base).spec
    assert spec.dataset.source == "portraits"


def test_a_choice_can_repair_what_the_file_chooses(load):
    base = "defaults:\n  - portraits\n  - override engine: nonsense\n  - _self_\n"
    with pytest.raises(SpecError):
        load(base=base)
    assert load("", "engine=cpu", base=base).spec.engine.device == "cpu"


def test_a_tilde_removes_audits_groups_and_sections(load):
    assert load("", "~audits.relationships").spec.audits == {}
    assert load("", "rules=portraits").rules
    listed = "defaults:\n  - portraits\n  - _self_\n"
    assert load("", "~rules", base=listed).rules == ()
    assert load("policy: {fail_on: note}\n", "~policy").spec.policy.fail_on == "error"


def test_the_users_folder_comes_before_the_package(folder, load):
    (folder / "engine").mkdir()
    (folder / "engine" / "cpu.yaml").write_text("device: cpu\nseed: 99\n")
    (folder / "engine" / "mine.yaml").write_text("defaults: [cpu]\nnum_workers: 2\n")
    assert load("", "engine=cpu").spec.engine.seed == 99
    mine = load("", "engine=mine").spec.engine
    assert (mine.seed, mine.num_workers) == (99, 2)


def test_a_group_file_can_say_where_its_content_goes(folder, load):
    (folder / "experiment").mkdir()
    (folder / "experiment" / "quick.yaml").write_text(
        "# @package _global_\nengine: {seed: 5}\nowner: nobody\n"
    )
    spec = load("", "experiment=quick").spec
    assert (spec.engine.seed, spec.owner) == (5, "nobody")


def test_folders_that_hold_no_yaml_are_no_groups(folder, load):
    (folder / "title").mkdir()
    assert load("", "title=plain").spec.title == "plain"


def test_interpolations_take_the_value_of_another_key(load):
    text = (
        "title: Audit of ${name}\n"
        "owner: ${title}\n"
        "engine:\n"
        "  seed: ${report.max_findings}\n"
        "report: {max_findings: 9}\n"
    )
    spec = load(text, "purpose=${name}").spec
    assert spec.title == spec.owner == "Audit of demo"
    assert spec.engine.seed == 9
    assert spec.purpose == "demo"


def test_scalars_mean_what_they_mean_to_hydra(load):
    recipe = load("model: {recipe: {learning_rate: 1e-3}}\ntitle: 2024-01-31\n")
    assert recipe.spec.model.recipe.learning_rate == 0.001
    assert recipe.spec.title == "2024-01-31"


def test_anchors_and_merge_keys_are_written_out(load):
    spec = load(
        "attributes:\n"
        "  smiling: &smile {output: 3, column: smiling, title: smiling}\n"
        "  hat: {<<: *smile, output: 0, title: grinning}\n"
    ).spec
    assert spec.attributes["hat"].model_dump() == {
        **spec.attributes["smiling"].model_dump(),
        "output": 0,
        "title": "grinning",
    }


def test_non_ascii_text_and_file_names_compose(folder):
    path = folder / "prüfung größe.yaml"
    path.write_text("defaults: [portraits, _self_]\ntitle: Prüfung 審査\n", encoding="utf-8")
    composed = load_spec(path)
    assert composed.spec.title == "Prüfung 審査"
    assert "審査" in composed.resolved


def test_the_digest_does_not_depend_on_the_data_root(folder):
    digests = {
        load_spec("cifar10_attributes", overrides).digest
        for overrides in ([], ["data_root=/elsewhere"], ["data_root=../shared/data"])
    }
    assert len(digests) == 1


def test_the_data_root_moves_every_path(folder):
    spec = load_spec("cifar10_attributes", ["data_root=/elsewhere"]).spec
    assert spec.dataset.files["test"] == "/elsewhere/images/cifar10_test.parquet"
    assert spec.model.network.weights == "/elsewhere/models/cifar10_resnet20.safetensors"


def test_the_digest_does_not_depend_on_the_order_of_keys_nor_on_the_way_of_writing(load):
    lines = ["title: x\n", "owner: y\n", "engine: {seed: 1, device: cpu}\n"]
    first = load("".join(lines)).digest
    assert load("".join(reversed(lines))).digest == first
    assert load("", "title=x", "owner=y", "engine=cpu", "engine.seed=1").digest == first
    assert load("".join(lines), "engine.seed=2").digest != first


def test_the_digest_covers_the_rows_of_rule_tables(folder, load):
    table = folder / "rules.csv"
    table.write_text("a,b,expect\nhat,beard,unrelated\n")
    first = load("rules: {t: {file: rules.csv}}\n").digest
    table.write_text("a,b,expect\nhat,blush,unrelated\n")
    assert load("rules: {t: {file: rules.csv}}\n").digest != first


def test_what_was_written_is_kept_word_for_word(folder, load):
    composed = load("# a comment\n", "engine.seed=3")
    assert composed.source == (folder / "audit.yaml").read_text()
    assert composed.overrides == ("engine.seed=3",)
    assert composed.path == "audit.yaml"
    resolved = yaml.safe_load(composed.resolved)
    assert resolved["engine"]["seed"] == 3
    assert resolved["engine"]["shard_size"] == 256


def test_a_packaged_spec_is_found_by_name_from_anywhere(folder):
    assert load_spec("portraits").path == "packaged:portraits"


def test_a_packaged_spec_and_its_copy_have_one_digest(folder):
    shutil.copytree(specs_dir(), folder / "copy")
    assert load_spec("copy/portraits.yaml").digest == load_spec("portraits").digest


def test_specs_compose_in_many_threads_at_once(folder):
    with ThreadPoolExecutor(4) as pool:
        digests = list(pool.map(lambda n: load_spec("portraits", [f"engine.seed={n % 2}"]).digest,
                                range(8)))  # fmt: skip
    assert len(set(digests)) == 2
