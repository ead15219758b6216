"""`auditor plan --probe`: measured operations and memory of each step, kept for later plans."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from auditor.compose.composed import Composed
from auditor.engine.batch_size import choose_batch_size
from auditor.engine.determinism import deterministic
from auditor.engine.device import describe
from auditor.engine.network import PlacedNetwork, layers_of, place, refuse_missing_layers
from auditor.engine.progress import Silent
from auditor.engine.sample import network_before_run, sample_image
from auditor.engine.settle import fresh
from auditor.needs import Output
from auditor.plan.history import Probe
from auditor.plan.identity import probe_key
from auditor.plan.steps import Plan, Scan, Train
from auditor.spec.model import PredictionsModel, TrainedModel
from auditor.store.atomic import write_text
from auditor.store.history import PROBES

Work = Callable[[], object]
"""One batch of a step."""


def probe(composed: Composed, plan: Plan, *, cache_dir: Path, allow_code: bool = False) -> None:
    """Run one batch of every step that uses a network, and keep what it cost.

    Args:
        composed: The spec.
        plan: Its plan.
        cache_dir: Folder of the cache; the next plan reads the probes there.
        allow_code: Whether the model may run code of its own.

    Raises:
        InputError: the model cannot be opened, has no such layer, or no image can be read.
        PlanError: the device is not there.
        ExecutionError: the cache cannot be written, or one image does not fit the memory.
    """
    spec = composed.spec
    if isinstance(spec.model, PredictionsModel):
        return
    settled = fresh(spec.engine)
    sample = sample_image(spec)
    module = network_before_run(spec, allow_code=allow_code)
    network = place(module, spec.model, spec.engine, settled)
    with deterministic(spec.engine.seed, settled.num_threads):
        for step in plan.steps:
            key = probe_key(step)
            if key is None:
                continue
            if isinstance(step, Train) and isinstance(spec.model, TrainedModel):
                found = probe_training(network, sample, spec.model.recipe.batch_size)
            elif isinstance(step, Scan):
                refuse_missing_layers(module, layers_of([step]))
                asked = spec.engine.batch_size
                found = probe_scan(network, sample, step.outputs, asked)
            write_text(cache_dir / PROBES / f"{key}.json", f"{found.model_dump_json(indent=2)}\n")


def probe_scan(
    network: PlacedNetwork, sample: Tensor, outputs: tuple[Output, ...], asked: int | str
) -> Probe:
    """Cost of one batch of a scan."""
    size = (
        asked if isinstance(asked, int) else choose_batch_size(network, sample, outputs, Silent())
    )
    pixels = sample.expand(size, -1, -1, -1)
    return measured(network, size, lambda: network.compute(pixels, outputs))


def probe_training(network: PlacedNetwork, sample: Tensor, size: int) -> Probe:
    """Cost of one step of training: a forward and a backward pass."""
    images = network.prepare(sample.expand(size, -1, -1, -1))
    parameters = [each for each in network.module.parameters() if each.requires_grad]
    return measured(
        network, size, lambda: torch.autograd.grad(network.module(images).sum(), parameters)
    )


def measured(network: PlacedNetwork, size: int, work: Work) -> Probe:
    """Operations, and peak memory with the network's own weights."""
    with FlopCounterMode(display=False) as counter:
        work()
    return Probe(
        device=describe(network.device),
        flops_per_image=int(counter.get_total_flops()) // size,
        memory_bytes={size: peak_bytes(network.module, network.device, work)},
    )


def peak_bytes(module: nn.Module, device: torch.device, work: Work) -> int:
    """Peak memory in tensors while a batch runs, weights included."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return int(torch.cuda.max_memory_allocated(device))
    weights = [*module.parameters(), *module.buffers()]
    with LiveBytes() as live:
        work()
    return int(live.peak) + sum(each.numel() * each.element_size() for each in weights)


@final
class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that operations make, from their making to their end."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._live: dict[int, tuple[weakref.ref[Any], int]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in made if isinstance(made, tuple | list) else (made,):
            if isinstance(value, Tensor):
                self._note(value.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._live:
            self._live[key] = (
                weakref.ref(storage, lambda _gone: self._live.pop(key, None)),
                storage.nbytes(),
            )
            self.peak = max(self.peak, sum(size for _, size in self._live.values()))
