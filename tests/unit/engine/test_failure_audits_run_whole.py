"""Whole runs with features: from networks and files, with visits, resumed, broken and diverged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from auditor.adapters.models.networks import build_network
from auditor.engine import dispatch
from auditor.errors import InputError
from auditor.measure.fold import Visited
from auditor.store.reader import read_run
from tests.unit.engine.test_runs_end_as_the_contract_says import (
    BUILTIN,
    PORTRAITS,
    Run,
    documents,
    only_run,
    record_of,
    run,
)

__all__ = ["run"]

COUNT, SIDE = 240, 32
SPEC = """\
version: 1
name: small
dataset: {source: manifest, path: table.csv, classes: [cat, dog]}
model: {source: predictions}
extractor: MODEL
audits:
  failures:
    kind: failures
    split: all
    group_by: [label]
    columns: [site]
    max_depth: 1
    permutations: 9
    resamples: 5
    pictures: {findings: 2, images: 2, failures: 2, attack: {num_steps: 3}}
engine: {shard_size: 64, device: cpu, num_threads: 1}
"""
NETWORK = "{source: builtin, name: robust_resnet2b, num_outputs: 2, layer: relu1}"
STORED = "{source: features, files: {all: features.npy}}"


def levels() -> NDArray[np.int64]:
    """How bright each image is: dark ones are called the wrong thing."""
    return np.random.default_rng(0).integers(0, 256, COUNT)


def alternating(row: int, level: int) -> int:
    return row % 2


def brightness(row: int, level: int) -> int:
    return int(level > 127)


def write_table(
    *, readable: bool = True, side: int = SIDE, label_of: Callable[[int, int], int] = alternating
) -> None:
    lines = ["id,path,label,prediction,site"]
    for row, level in enumerate(levels()):
        data = BytesIO()
        Image.new("RGB", (side, side), (int(level),) * 3).save(data, "PNG")
        Path(f"{row}.png").write_bytes(data.getvalue() if readable else b"no image")
        label, wrong = label_of(row, int(level)), level < 80
        names = ("cat", "dog")
        site = ("north", "south", "")[row % 3]
        lines.append(f"{row},{row}.png,{names[label]},{names[label ^ int(wrong)]},{site}")
    Path("table.csv").write_text("\n".join(lines))


def write_features() -> None:
    values = np.random.default_rng(1).normal(size=(COUNT, 6)).astype(np.float32)
    values[:, 4] = levels()
    np.save("features.npy", values)


def test_stored_features_and_predictions_need_no_readable_image(run: Run) -> None:
    write_table(readable=False)
    write_features()
    folder = run(text=SPEC, model=STORED)
    record = record_of(folder)
    assert record.status == "ok"
    roles = {each.role: each for each in record.provenance.inputs}
    assert list(roles) == ["dataset all", "features all"]
    assert roles["features all"].name == "features.npy"
    assert roles["features all"].num_rows == COUNT
    (result,) = read_run(folder).results.values()
    label = {group.id: group for group in result.groups}["label=cat"]
    assert label.nodes[0].feature == 4, "the planted feature splits the root"
    assert label.nodes[0].threshold == pytest.approx(80, abs=5)
    assert record.quarantined, "the pictures of the slices are missed and named"
    assert len(record.quarantined) < COUNT / 4


def test_a_network_of_units_explains_a_column_of_predictions(run: Run) -> None:
    write_table()
    save_file(build_network("robust_resnet2b", num_outputs=2).state_dict(), "robust.safetensors")
    weighted = NETWORK.replace("relu1", "relu1, weights: robust.safetensors")
    folder = run(text=SPEC, model=weighted)
    record = record_of(folder)
    assert record.status == "ok"
    assert [each.role for each in record.provenance.inputs] == ["dataset all", "extractor weights"]
    assert not record.quarantined
    (result,) = read_run(folder).results.values()
    assert result.pictures
    assert documents(run(text=SPEC, model=weighted, fresh=True)) == documents(folder)


def test_a_visit_borrows_the_network_and_leaves_it_as_found(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table()
    visit, seen = dispatch.visit, []

    def watched(
        spec: Any, context: Any, name: str, states: Mapping[str, Any], visited: Visited
    ) -> Any:
        assert visited.lens is not None
        module = visited.lens.module
        inside = [parameter.requires_grad for parameter in module.parameters()]
        seen.append((module, module.training, inside, visited.rows.tolist(), states["trees"].rows))
        return visit(spec, context, name, states, visited)

    monkeypatch.setattr(dispatch, "visit", watched)
    run(text=SPEC, model=NETWORK)
    ((module, training, inside, rows, chosen),) = seen
    assert not training
    assert not any(inside)
    assert rows == chosen.tolist() == sorted(set(rows))
    assert 0 < len(rows) <= 2 * (2 + 2 * 2)
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not any(
        each._forward_hooks or each._forward_pre_hooks or each._backward_hooks
        for each in module.modules()
    )


def test_a_run_killed_after_a_visit_takes_its_pictures_from_the_store(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table()
    Path("7.png").write_bytes(b"no image")
    tolerant = SPEC.replace("engine: {", "engine: {max_unreadable: 0.1, ")
    whole = run(text=tolerant, model=NETWORK, out=Path("elsewhere"))
    expected, quarantined = documents(whole), record_of(whole).quarantined
    solve, visit = dispatch.solve, dispatch.visit

    def killed(spec: Any, context: Any, name: str, states: Any) -> Any:
        if name == "result":
            raise KeyboardInterrupt
        return solve(spec, context, name, states)

    def again(*_arguments: object) -> None:
        raise AssertionError("the visit was done already")

    monkeypatch.setattr(dispatch, "solve", killed)
    with pytest.raises(KeyboardInterrupt):
        run(text=tolerant, model=NETWORK)
    monkeypatch.setattr(dispatch, "solve", solve)
    monkeypatch.setattr(dispatch, "visit", again)
    folder = run(text=tolerant, model=NETWORK)
    assert documents(folder) == expected
    assert record_of(folder).quarantined == quarantined
    arrays = {path.name: path.read_bytes() for path in folder.glob("audits/*/arrays/*")}
    assert arrays == {path.name: path.read_bytes() for path in whole.glob("audits/*/arrays/*")}
    assert arrays
    monkeypatch.setattr(dispatch, "visit", visit)


def test_a_failed_visit_fails_its_audit_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_table()
    visit = dispatch.visit

    def breaks(
        spec: Any, context: Any, name: str, states: Mapping[str, Any], visited: Visited
    ) -> Any:
        if context.audit == "failures":
            raise FloatingPointError("no gradient")
        return visit(spec, context, name, states, visited)

    monkeypatch.setattr(dispatch, "visit", breaks)
    more = "audits:\n  other: {kind: failures, split: all, max_depth: 1, permutations: 0}"
    record = record_of(run(text=SPEC.replace("audits:", more), model=NETWORK))
    assert {audit.id: audit.status for audit in record.audits} == {
        "other": "ok",
        "failures": "failed",
    }
    (failed,) = [audit for audit in record.audits if audit.status == "failed"]
    assert failed.reason == "failures/pictures: FloatingPointError: no gradient"
    assert "FloatingPointError" in caplog.text


def test_only_the_chosen_audit_is_visited(run: Run) -> None:
    write_table()
    more = "audits:\n  other: {kind: failures, split: all, max_depth: 1, permutations: 0}"
    record = record_of(run(text=SPEC.replace("audits:", more), model=NETWORK, only=("failures",)))
    assert {audit.id: audit.status for audit in record.audits} == {
        "other": "skipped",
        "failures": "ok",
    }
    assert len(record.step_seconds) == 4, "a scan, two solves and a visit"


def test_an_extractor_of_another_input_size_is_refused_with_the_next_move(run: Run) -> None:
    write_table(side=40)
    with pytest.raises(InputError, match="extractor cannot take images of 40×40 pixels") as caught:
        run(text=SPEC, model=NETWORK)
    assert "extractor.preprocess.resize" in str(caught.value)
    assert record_of(only_run()).status == "failed"
    fitting = NETWORK.replace("relu1", "relu1, preprocess: {resize: 32, crop: 32}")
    assert record_of(run(text=SPEC, model=fitting)).status == "ok"


def test_a_layer_that_the_extractor_lacks_is_named_with_its_place(run: Run) -> None:
    write_table()
    with pytest.raises(InputError, match=r"extractor\.layer: .*'relu11'") as caught:
        run(text=SPEC, model=NETWORK.replace("relu1", "relu11"))
    assert "relu1" in str(caught.value)


def test_a_heat_map_layer_without_places_is_refused_before_the_scan(run: Run) -> None:
    write_table()
    with pytest.raises(InputError, match="linear1"):
        run(text=SPEC, model=NETWORK.replace("relu1", "relu1, heatmap_layer: linear1"))
    assert not record_of(only_run()).step_seconds, "no scan was finished for nothing"


def test_unknown_classes_in_the_predictions_end_the_run(run: Run) -> None:
    write_table()
    write_features()
    table = Path("table.csv")
    table.write_text(table.read_text().replace("0.png,cat,cat", "0.png,cat,lynx"))
    table.write_text(table.read_text().replace(".png,dog,dog", ".png,dog,dgo"))
    with pytest.raises(InputError, match=r"2 predictions are not among.*'dgo', 'lynx'"):
        run(text=SPEC, model=STORED)


FITTED = (
    "{source: train, layer: relu1, split: all, evaluate: all, "
    "network: {source: builtin, name: robust_resnet2b, num_outputs: 2}, "
    "recipe: {epochs: 4, batch_size: 32, learning_rate: 1e-2, loss: multi_class}}"
)


def test_a_trained_extractor_is_recorded_with_its_accuracy(run: Run) -> None:
    write_table(label_of=brightness)
    record = record_of(run(text=SPEC, model=FITTED))
    assert record.status == "ok", record.audits
    (training,) = record.provenance.training
    assert (training.network, training.evaluated_on) == ("extractor", "all")
    assert training.clean_accuracy is not None
    assert training.clean_accuracy.value is not None
    assert training.clean_accuracy.value > 0.9
    assert training.diverged is None
    assert [each.role for each in record.provenance.inputs] == ["dataset all", "trained network"]


DIVERGING = """\
extractor:
  source: train
  layer: features.6
  evaluate: null
  network: {source: builtin, name: portraits_net, num_outputs: 3}
  recipe: {epochs: 1, batch_size: 32, learning_rate: 1e6}
attributes:"""


def test_a_training_that_diverged_fails_the_audits_that_use_it(run: Run) -> None:
    more = "audits:\n  slices: {kind: failures, permutations: 0, resamples: 0}"
    text = PORTRAITS.replace("attributes:", DIVERGING, 1).replace("audits:", more)
    record = record_of(run(text=text, model=BUILTIN))
    assert {audit.id: audit.status for audit in record.audits} == {
        "slices": "failed",
        "early": "ok",
        "late": "ok",
    }
    (failed,) = [audit for audit in record.audits if audit.status == "failed"]
    (training,) = record.provenance.training
    assert training.diverged
    assert failed.reason == f"the extractor cannot be used: {training.diverged}"
    assert failed.verdict is None
    assert not torch.isnan(torch.tensor(training.epoch_losses)).any()
