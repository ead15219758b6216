"""`auditor plan --probe`: measured operations and memory of each step, kept for later plans."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
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
from auditor.engine.network import (
    PlacedNetwork,
    compute_all,
    layers_of,
    place,
    refuse_missing_layers,
    roles_of,
)
from auditor.engine.networks import model_of, passed
from auditor.engine.progress import Silent
from auditor.engine.sample import network_before_run, sample_images
from auditor.engine.settle import fresh
from auditor.needs import NetworkRole, Output
from auditor.plan.facts import ROLES
from auditor.plan.history import Probe
from auditor.plan.identity import probe_key
from auditor.plan.steps import Plan, Scan, Step, Train
from auditor.spec.model import TrainedModel
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
    settled = fresh(spec.engine)
    steps = [step for step in plan.steps if probe_key(step) is not None]
    roles = tuple(role for role in ROLES if any(role in roles_in(step) for step in steps))
    if not roles:
        return
    samples = sample_images(spec, roles)
    networks: dict[NetworkRole, PlacedNetwork] = {}
    for role in roles:
        module = network_before_run(spec, role, allow_code=allow_code)
        refuse_missing_layers(module, layers_of(plan.steps, role))
        networks[role] = place(module, model_of(spec, role), spec.engine, settled)
        passed(networks[role], samples[role], role)
    with deterministic(spec.engine.seed, settled.num_threads):
        for step in steps:
            used = {role: networks[role] for role in roles_in(step)}
            if isinstance(step, Train):
                model = model_of(spec, step.network)
                assert isinstance(model, TrainedModel)
                network, sample = networks[step.network], samples[step.network]
                found = probe_training(network, sample, model.recipe.batch_size)
            else:
                assert isinstance(step, Scan)
                found = probe_scan(used, samples, step.outputs, spec.engine.batch_size)
            path = cache_dir / PROBES / f"{probe_key(step)}.json"
            write_text(path, f"{found.model_dump_json(indent=2)}\n")


def roles_in(step: Step) -> tuple[NetworkRole, ...]:
    """The networks whose work a step's probe measures."""
    if isinstance(step, Train):
        return (step.network,)
    return roles_of(step.outputs) if isinstance(step, Scan) else ()


def probe_scan(
    networks: Mapping[NetworkRole, PlacedNetwork],
    samples: Mapping[NetworkRole, Tensor],
    outputs: tuple[Output, ...],
    asked: int | str,
) -> Probe:
    """Cost of one batch of a scan."""
    used = {role: samples[role] for role in networks}
    size = asked if isinstance(asked, int) else choose_batch_size(networks, used, outputs, Silent())
    pixels = {role: sample.expand(size, -1, -1, -1) for role, sample in used.items()}
    return measured(tuple(networks.values()), size, lambda: compute_all(networks, pixels, outputs))


def probe_training(network: PlacedNetwork, sample: Tensor, size: int) -> Probe:
    """Cost of one step of training: a forward and a backward pass."""
    images = network.prepare(sample.expand(size, -1, -1, -1))
    parameters = [each for each in network.module.parameters() if each.requires_grad]
    return measured(
        (network,), size, lambda: torch.autograd.grad(network.module(images).sum(), parameters)
    )


def measured(networks: Sequence[PlacedNetwork], size: int, work: Work) -> Probe:
    """Operations, and peak memory with the networks' own weights."""
    device = networks[0].device
    with FlopCounterMode(display=False) as counter:
        work()
    return Probe(
        device=describe(device),
        flops_per_image=int(counter.get_total_flops()) // size,
        memory_bytes={size: peak_bytes([each.module for each in networks], device, work)},
    )


def peak_bytes(modules: Sequence[nn.Module], device: torch.device, work: Work) -> int:
    """Peak memory in tensors while a batch runs, weights included."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return int(torch.cuda.max_memory_allocated(device))
    weights = [each for module in modules for each in (*module.parameters(), *module.buffers())]
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
