"""Layers are listed as they can be named; what a probe measures is what later plans show."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from auditor.compose.load import load_spec
from auditor.engine.layers import layers_of, list_layers
from auditor.engine.network import place
from auditor.engine.probe import LiveBytes, probe, probe_scan
from auditor.errors import InputError
from auditor.measure.taps import tap
from auditor.needs import Output
from auditor.plan.identity import Settled
from auditor.plan.make import make_plan
from auditor.plan.steps import Scan, Train
from auditor.spec.engine import EngineSpec
from auditor.spec.model import BuiltinModel
from auditor.store.history import look_back
from tests.unit.engine.test_runs_end_as_the_contract_says import BUILTIN, PORTRAITS, RECIPE

CPU = Settled(device="cpu", precision="float32", num_threads=1)


@pytest.mark.parametrize("model", [BUILTIN, RECIPE])
def test_layers_of_a_spec_are_listed_before_anything_is_fitted(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("audit.yaml").write_text(PORTRAITS.replace("MODEL", model))
    layers = {layer.path: layer for layer in list_layers(load_spec("audit.yaml"))}
    assert layers["features.0"].module == "Conv2d"
    assert layers["features.0"].shape == (24, 24, 24)
    assert layers["classifier.2"].shape == (3,)


def test_every_listed_layer_can_be_tapped_and_the_network_is_left_as_found() -> None:
    shared = nn.ReLU()
    network = nn.Sequential(nn.Conv2d(3, 2, 3), shared, nn.Conv2d(2, 2, 1), shared, nn.Flatten())
    network.train()
    images = torch.rand(1, 3, 6, 6)
    layers = layers_of(network, images)
    assert [layer.path for layer in layers] == ["0", "2", "4"], "`1` runs twice: it cannot be named"
    found = tap(network, images, [layer.path for layer in layers]).activations
    assert [tuple(found[layer.path].shape[1:]) for layer in layers] == [
        layer.shape for layer in layers
    ]
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("model", [BUILTIN, RECIPE])
def test_a_probe_is_what_the_next_plan_shows(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("audit.yaml").write_text(PORTRAITS.replace("MODEL", model))
    composed = load_spec("audit.yaml")
    probe(composed, make_plan(composed), cache_dir=Path("cache"))
    history = look_back("small", composed.digest, out=Path("reports"), cache_dir=Path("cache"))
    for step in make_plan(composed, history=history).steps:
        if isinstance(step, Train | Scan):
            assert step.cost is not None
            assert step.cost.flops.value
            assert step.cost.memory.value


def test_a_probe_names_a_layer_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("audit.yaml").write_text(PORTRAITS.replace("MODEL", BUILTIN))
    composed = load_spec("audit.yaml", ["audits.late.layer=features.99"])
    with pytest.raises(InputError, match=r"features\.99"):
        probe(composed, make_plan(composed), cache_dir=Path("cache"))


def test_operations_and_memory_of_a_linear_network_are_what_one_counts_by_hand() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 10))
    spec = BuiltinModel(source="builtin", name="portraits_net", num_outputs=10)
    placed = place(network, spec, EngineSpec(), CPU)
    sample = torch.zeros(3, 4, 4, dtype=torch.uint8)
    found = probe_scan({"model": placed}, {"model": sample}, (Output(kind="logits"),), 8)
    assert found.flops_per_image == 2 * 48 * 10
    weights, images, logits = 4 * (480 + 10), 4 * 8 * 48, 4 * 8 * 10
    assert found.memory_bytes[8] >= weights + images + logits


def test_memory_that_was_given_back_does_not_count_twice() -> None:
    with LiveBytes() as live:
        for _ in range(5):
            torch.zeros(1000, dtype=torch.float32)
    assert live.peak == 4000
