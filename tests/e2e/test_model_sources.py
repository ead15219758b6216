"""Models that run code of their own, and models that are none, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from auditor.adapters.models.networks import build_network

SPEC = """\
version: 1
name: sources
dataset: {source: portraits, splits: {train: {count: 48}, test: {count: 24, start: 1000}}}
model: MODEL
attributes:
  smiling: {output: 0, column: smiling}
  hat: {output: 1, column: hat}
rules:
  both: {between: [smiling, hat], expect: unrelated}
audits:
  ties: {kind: relationships, layer: features.2, examples: 0}
engine: {device: cpu, num_threads: 1}
report: {formats: [html]}
"""
PYTHON = """\
from auditor.adapters.models.networks import build_network


def build():
    return build_network("portraits_net", num_outputs=2)
"""

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")

Call = Callable[..., Any]


def network() -> nn.Module:
    return build_network("portraits_net", num_outputs=2).eval()


def write_spec(model: str) -> None:
    Path("audit.yaml").write_text(SPEC.replace("MODEL", model))


def only_run() -> Path:
    (found,) = (p for p in Path("reports/sources").iterdir() if (p / "manifest.json").is_file())
    return found


@pytest.mark.parametrize("source", ["torchscript", "torch_export", "python"])
def test_code_of_a_model_runs_with_permission_alone_and_the_report_says_so(
    auditor: Call, source: str
) -> None:
    if source == "torchscript":
        torch.jit.save(torch.jit.script(network()), "net.pt")
        write_spec("{source: torchscript, path: net.pt}")
    elif source == "torch_export":
        size = torch.export.Dim("batch", max=4096)
        images = torch.zeros(2, 3, 48, 48)
        torch.export.save(
            torch.export.export(network(), (images,), dynamic_shapes=({0: size},)), "net.pt2"
        )
        write_spec("{source: torch_export, path: net.pt2}")
    else:
        Path("net.py").write_text(PYTHON)
        write_spec("{source: python, file: net.py}")
    refused = auditor("run", "audit.yaml")
    assert refused.code == 2
    assert "--allow-code" in refused.err
    layers = auditor("layers", "audit.yaml", "--allow-code")
    assert (layers.code, "features.2" in layers.out) == (0, True), layers.err
    done = auditor("run", "audit.yaml", "--allow-code")
    assert done.code == 4, done.err
    record = json.loads((only_run() / "run.json").read_text())
    assert record["provenance"]["allowed_code"] is True
    assert "--allow-code" in (only_run() / "report/report.html").read_text()


def test_an_attribute_beyond_the_outputs_of_a_network_stops_the_run_before_its_first_scan(
    auditor: Call,
) -> None:
    Path("net.py").write_text(PYTHON.replace("num_outputs=2", "num_outputs=1"))
    write_spec("{source: python, file: net.py}")
    done = auditor("run", "audit.yaml", "--allow-code")
    assert done.code == 2
    assert "'hat' is scored by output 1, but the network has 1 output" in done.err
    states = {path.parent.name for path in Path("reports").rglob("*.safetensors")}
    assert states == {"settled"}, "no shard was computed"


def test_a_run_without_permission_says_nothing_of_code(auditor: Call) -> None:
    write_spec("{source: builtin, name: portraits_net, num_outputs: 2}")
    assert auditor("run", "audit.yaml").code == 4
    assert "execute code" not in (only_run() / "report/report.html").read_text()


def test_predictions_alone_cannot_be_looked_into(auditor: Call) -> None:
    write_spec("{source: predictions}")
    for command in ("layers", "plan", "run"):
        done = auditor(command, "audit.yaml")
        assert done.code == 2
        assert "column of predictions" in done.err
        assert "Name a network under `model`" in done.err
    assert "audits.ties" in done.err
