"""On a CUDA device runs repeat byte for byte, and agree with the CPU within rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from auditor.compose.load import load_spec
from auditor.engine.batch_size import choose_batch_size
from auditor.engine.execute import RunOptions, execute
from auditor.engine.progress import Silent
from auditor.needs import Output
from auditor.plan.make import make_plan
from auditor.store.find import read_record
from tests.unit.engine.conftest import LOGITS, Bench, look
from tests.unit.engine.test_runs_end_as_the_contract_says import PORTRAITS, RECIPE, documents

pytestmark = [
    pytest.mark.gpu,
    # Backward passes of a few layers have no deterministic kernel; torch says so and goes on.
    pytest.mark.filterwarnings("ignore:.*does not have a deterministic implementation"),
]
GRADIENTS = Output(kind="jacobian", layer="1", outputs=(0, 3))


def test_a_scan_agrees_with_the_cpu(make_bench: Callable[..., Bench]) -> None:
    looks = (look("logits", LOGITS), look("gradients", GRADIENTS))
    bench = make_bench(30)
    expected = bench.run(*looks)
    bench.store = type(bench.store)(bench.store.root / "cuda")
    cuda = torch.device("cuda", 0)
    network = replace(bench.network, module=bench.network.module.to(cuda), device=cuda)
    found = bench.run(*looks, network=replace(network, compiled=network.module))
    for name, state in expected.states.items():
        assert torch.equal(found.states[name].samples, state.samples)
        torch.testing.assert_close(found.states[name].total, state.total, rtol=1e-3, atol=1e-3)


def test_an_automatic_batch_size_runs(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(1)
    cuda = torch.device("cuda", 0)
    module = bench.network.module.to(cuda)
    network = replace(bench.network, module=module, compiled=module, device=cuda)
    sample = bench.dataset.images[0]
    size = choose_batch_size({"model": network}, {"model": sample}, (GRADIENTS,), Silent())
    assert 1 <= size <= 512


def test_two_runs_end_in_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("audit.yaml").write_text(PORTRAITS.replace("MODEL", RECIPE))
    composed = load_spec("audit.yaml", ["engine.device=cuda"])
    options = RunOptions(out=Path("a"), cache_dir=Path("cache_a"), fresh=True, progress=Silent())
    first = execute(composed, make_plan(composed), options)
    again = replace(options, out=Path("b"), cache_dir=Path("cache_b"))
    second = execute(composed, make_plan(composed), again)
    assert read_record(first).host.device.startswith("cuda:0: ")
    assert documents(first) == documents(second)
