"""Whole runs on a few portraits: what is left behind when all is well, and when it is not."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from auditor.adapters.models.networks import build_network
from auditor.compose.load import load_spec
from auditor.engine import dispatch, execution
from auditor.engine.execute import RunOptions, execute
from auditor.engine.progress import Silent
from auditor.errors import ExecutionError, InputError, PlanError, SpecError
from auditor.plan.make import make_plan
from auditor.results.run_record import RunRecord
from auditor.store.find import read_record
from auditor.store.lock import held_lock
from auditor.store.reader import read_run
from auditor.store.writer import reopen_run

PORTRAITS = """\
version: 1
name: small
dataset: {source: portraits, splits: {train: {count: 96}, test: {count: 40, start: 100000}}}
model: MODEL
attributes:
  smiling: {output: 0, column: smiling}
  lipstick: {output: 1, column: lipstick}
  hat: {output: 2, column: hat}
rules:
  every: {among: [smiling, lipstick, hat], expect: unrelated}
audits:
  early: {kind: relationships, layer: features.2, examples: 4}
  late: {kind: relationships, layer: features.6, examples: 4}
engine: {shard_size: 32, device: cpu, num_threads: 1}
"""
BUILTIN = "{source: builtin, name: portraits_net, num_outputs: 3}"
RECIPE = (
    "{source: train, network: {source: builtin, name: portraits_net, num_outputs: 3}, "
    "recipe: {epochs: 1, batch_size: 32}}"
)

Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Compose, plan and execute in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def go(*overrides: str, text: str = PORTRAITS, model: str = BUILTIN, **options: object) -> Path:
        write_spec(text, model)
        composed = load_spec("audit.yaml", overrides)
        chosen = RunOptions(
            out=Path("reports"),
            cache_dir=Path("cache"),
            fresh=False,
            only=(),
            allow_code=False,
            command="auditor run audit.yaml",
            progress=Silent(),
        )
        return execute(composed, make_plan(composed), replace(chosen, **options))

    return go


def write_spec(text: str, model: str) -> None:
    spec = Path("audit.yaml")
    if not spec.is_file() or spec.read_text() != text.replace("MODEL", model):
        spec.write_text(text.replace("MODEL", model))


def record_of(folder: Path) -> RunRecord:
    return read_record(folder)


def only_run() -> Path:
    (found,) = Path("reports/small").iterdir()
    return found


def documents(folder: Path) -> dict[str, bytes]:
    paths = [folder / "findings.json", *sorted(folder.glob("audits/*/result.json"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_run_leaves_results_findings_and_a_judged_record(run: Run) -> None:
    folder = run()
    record = record_of(folder)
    assert record.status == "ok"
    assert [(audit.id, audit.status) for audit in record.audits] == [
        ("early", "ok"),
        ("late", "ok"),
    ]
    assert record.exit_code == 4, "an untrained network lets no rule be decided"
    assert record.provenance.command == "auditor run audit.yaml"
    assert [each.role for each in record.provenance.inputs] == ["dataset train", "dataset test"]
    assert record.host.determinism["num_threads"] == "1"
    assert len(record.step_seconds) == 4
    found = read_run(folder)
    assert set(found.results) == {"early", "late"}
    assert {finding.audit for finding in found.findings} == {"early", "late"}


def test_the_same_spec_gives_the_same_bytes_in_a_new_run(run: Run) -> None:
    assert documents(run(fresh=True)) == documents(run(fresh=True))


def test_a_finished_run_is_followed_by_a_new_one_and_an_unfinished_one_goes_on(run: Run) -> None:
    first = run()
    assert run() == first, "no report yet: the run is not finished"
    with reopen_run(first) as writer:
        writer.seal()
    assert run() != first


def test_only_runs_what_was_chosen(run: Run) -> None:
    record = record_of(run(only=("late",)))
    assert [(audit.id, audit.status) for audit in record.audits] == [
        ("early", "skipped"),
        ("late", "ok"),
    ]
    with pytest.raises(SpecError, match="no audit 'lat'"):
        run(only=("lat",))


def test_no_audits_run_to_inconclusive(run: Run) -> None:
    record = record_of(run("~audits.early", "~audits.late"))
    assert (record.status, record.verdict, record.exit_code) == ("ok", "inconclusive", 4)


def test_a_layer_that_does_not_exist_is_refused_before_any_image(run: Run) -> None:
    with pytest.raises(InputError, match=r"features\.22") as caught:
        run("audits.late.layer=features.22")
    assert "features.2" in str(caught.value)
    assert caught.value.exit_code == 2
    record = record_of(only_run())
    assert record.status == "failed"
    assert "features.22" in (record.failure or "")
    assert not list(only_run().glob("states/*/000000.safetensors"))


def test_one_failed_audit_leaves_the_others_intact(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    solve = dispatch.solve

    def breaks(spec: object, context: object, name: str, states: object) -> object:
        if context.audit == "early":
            raise FloatingPointError("singular")
        return solve(spec, context, name, states)

    monkeypatch.setattr(dispatch, "solve", breaks)
    folder = run()
    record = record_of(folder)
    assert (record.status, record.exit_code) == ("failed", 3)
    early, late = record.audits
    assert (early.status, early.verdict) == ("failed", None)
    assert early.reason == "early/result: FloatingPointError: singular"
    assert late.status == "ok"
    assert set(read_run(folder).results) == {"late"}
    assert "FloatingPointError" in caplog.text

    monkeypatch.setattr(dispatch, "solve", solve)
    assert record_of(run()).status == "ok", "the same run goes on and heals"


def test_weights_with_nan_name_the_samples(run: Run) -> None:
    network = build_network("portraits_net", num_outputs=3)
    with torch.no_grad():
        network.get_submodule("classifier.2").bias[1] = float("inf")
    save_file(network.state_dict(), "broken.safetensors")
    with pytest.raises(InputError, match=r"NaN or infinite.*outputs 1"):
        run("+model.weights=broken.safetensors")
    assert record_of(only_run()).status == "failed"


def test_a_review_file_that_is_none_is_refused_before_anything_runs(run: Run) -> None:
    Path("reviews").mkdir()
    Path("reviews/small.yaml").write_text("version: 1\nfindings: [oh, no]\n")
    with pytest.raises(SpecError, match=r"reviews/small\.yaml:2:11"):
        run()
    assert not Path("reports").exists()


def test_a_device_that_is_not_there_is_refused(run: Run) -> None:
    with pytest.raises(PlanError, match="CUDA"):
        run("engine.device=cuda:77")


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a folder closed even to root")
def test_a_folder_without_write_permission_is_named(run: Run) -> None:
    before = documents(run())
    with pytest.raises(ExecutionError, match="no permission to write /sys/reports") as caught:
        run(out=Path("/sys/reports"))
    assert caught.value.exit_code == 3
    assert documents(only_run()) == before


@pytest.mark.parametrize("limit", [600, 3000, 20_000])
def test_a_full_disk_breaks_the_run_and_nothing_half_written_counts(run: Run, limit: int) -> None:
    write_spec(PORTRAITS, RECIPE)
    with files_no_larger_than(limit), pytest.raises(ExecutionError, match="no room") as caught:
        run(model=RECIPE)
    assert caught.value.exit_code == 3
    assert not list(Path().rglob("*.partial"))
    after_mending = run(model=RECIPE)
    assert record_of(after_mending).status == "ok"
    whole = run(model=RECIPE, out=Path("elsewhere"), cache_dir=Path("other_cache"))
    assert documents(after_mending) == documents(whole)


def test_two_processes_never_write_one_run(run: Run) -> None:
    folder = run()
    with held_lock(folder / "states" / "lock"), pytest.raises(ExecutionError, match="process"):
        run()


def test_a_network_is_fitted_once_and_again_if_its_file_is_damaged(run: Run) -> None:
    first = documents(run(model=RECIPE, fresh=True))
    (weights,) = Path("cache/networks").glob("*.safetensors")
    content, fitted = weights.read_bytes(), weights.stat().st_mtime_ns
    assert documents(run(model=RECIPE, fresh=True)) == first
    assert weights.stat().st_mtime_ns == fitted
    weights.write_bytes(content[:-1])
    assert documents(run(model=RECIPE, fresh=True)) == first
    assert weights.read_bytes() == content
    weights.with_suffix(".json").unlink()
    record = record_of(run(model=RECIPE, fresh=True))
    assert weights.read_bytes() == content
    (trained,) = [each for each in record.provenance.inputs if each.role == "trained network"]
    assert trained.num_bytes == len(content)
    assert set(load_file(weights)) == set(
        build_network("portraits_net", num_outputs=3).state_dict()
    )


def test_an_automatic_batch_size_is_chosen_once_and_kept_on_resume(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = documents(run("engine.batch_size=5", out=Path("elsewhere")))
    solve = dispatch.solve

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dispatch, "solve", killed)
    monkeypatch.setattr(execution, "choose_batch_size", lambda *_arguments: 5)
    with pytest.raises(KeyboardInterrupt):
        run("engine.batch_size=auto")
    assert record_of(only_run()).status == "started"

    monkeypatch.setattr(dispatch, "solve", solve)
    monkeypatch.setattr(execution, "choose_batch_size", killed)
    assert documents(run("engine.batch_size=auto")) == expected


def test_a_misspelt_layer_is_found_before_the_network_is_fitted(run: Run) -> None:
    with pytest.raises(InputError, match=r"features\.66"):
        run("audits.late.layer=features.66", model=RECIPE)
    assert not Path("cache").exists()


PHOTOS = """\
version: 1
name: small
dataset: {source: manifest, files: {train: train.csv}}
model: {source: builtin, name: portraits_net, num_outputs: 2, preprocess: {resize: 48, crop: 48}}
attributes:
  red: {output: 0, column: red}
  dark: {output: 1, column: dark}
rules:
  both: {between: [red, dark], expect: unrelated}
audits:
  colours: {kind: relationships, layer: features.2, examples: 0, split: train, confirm: null}
engine: {device: cpu, num_threads: 1, max_unreadable: 0.1}
"""


def photos(*, broken: int) -> None:
    lines = ["id,path,red,dark"]
    for index in range(40):
        colour = (200 if index % 2 else 20, 90, 30 if index % 3 else 220)
        data = BytesIO()
        Image.new("RGB", (60, 50), colour).save(data, "JPEG")
        whole = data.getvalue()
        content = (b"", whole[: len(whole) // 2])[index % 2] if index < broken else whole
        Path(f"{index}.jpg").write_bytes(content)
        lines.append(f"{index},{index}.jpg,{index % 2},{int(index % 3 == 0)}")
    Path("train.csv").write_text("\n".join(lines))


def test_unreadable_images_are_counted_in_the_record(run: Run) -> None:
    photos(broken=2)
    record = record_of(run(text=PHOTOS))
    assert record.status == "ok"
    assert {(image.sample, image.split) for image in record.quarantined} >= {
        ("0", "train"),
        ("1", "train"),
    }
    assert all(image.reason for image in record.quarantined)


def test_too_many_unreadable_images_stop_the_run(run: Run) -> None:
    photos(broken=9)
    with pytest.raises(ExecutionError, match="unreadable") as caught:
        run(text=PHOTOS)
    assert caught.value.exit_code == 3
    assert record_of(only_run()).status == "failed"


@contextmanager
def files_no_larger_than(limit: int) -> Iterator[None]:
    """A disk on which larger files find no room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
