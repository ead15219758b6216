"""A network where a run computes with it, and everything asked of it in one forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast, final

import torch
from torch import Tensor, nn

from auditor.adapters.models.head import check_logits
from auditor.adapters.models.preprocess import normalise
from auditor.engine.settle import DTYPES, torch_device
from auditor.errors import InputError
from auditor.measure.jacobians import layer_jacobians
from auditor.measure.taps import find_module, tap
from auditor.needs import Output
from auditor.plan.identity import Settled
from auditor.plan.steps import Scan
from auditor.spec.engine import EngineSpec
from auditor.spec.model import ModelSpec, PredictionsModel, Preprocess

NAMED = 5
"""Samples that an error names."""


class Computed(NamedTuple):
    """What one pass gave.

    Attributes:
        logits: All scores [B, C], float32.
        outputs: The quantities asked for, float32.
    """

    logits: Tensor
    outputs: dict[Output, Tensor]


@final
@dataclass(frozen=True)
class PlacedNetwork:
    """A network on its device, in its precision.

    Attributes:
        module: The network; it maps prepared images to logits [B, C].
        compiled: What runs where logits alone are wanted: compiled if the spec says so. Hooks
            need the module itself.
        preprocess: How images are prepared for it.
        device: Where it lies.
        dtype: Precision of its passes.
        channels_last: Memory format of its input.
    """

    module: nn.Module
    compiled: nn.Module
    preprocess: Preprocess
    device: torch.device
    dtype: torch.dtype
    channels_last: bool

    def prepare(self, pixels: Tensor) -> Tensor:
        """uint8 [B, 3, h, w] to the network's input on its device."""
        images = normalise(pixels.to(self.device), self.preprocess, self.dtype)
        return images.to(memory_format=torch.channels_last) if self.channels_last else images

    def compute(self, pixels: Tensor, outputs: Sequence[Output]) -> Computed:
        """All `outputs` of some images from one forward pass, in the mode that the network is in.

        Args:
            pixels: uint8 [B, 3, h, w], after resize and crop.
            outputs: What is wanted; equal layers are computed once.

        Raises:
            InputError: a layer cannot be tapped, or the network does not return logits [B, C].
        """
        images = self.prepare(pixels)
        read = tuple({o.layer: None for o in outputs if o.kind == "activation" and o.layer})
        wanted = _union(outputs)
        activations: dict[str, Tensor] = {}
        jacobians: dict[str, Tensor] = {}
        if wanted:
            logits, activations, jacobians = layer_jacobians(self.module, images, wanted, read=read)
        elif read:
            logits, activations = tap(self.module, images, read)
        else:
            with torch.no_grad():
                logits = self.compiled(images)
        logits = check_logits(logits, ()).float()
        values = {
            output: _pick(output, logits, activations, jacobians, wanted) for output in outputs
        }
        return Computed(logits, values)


def preprocess_of(spec: ModelSpec) -> Preprocess:
    """How images are prepared; left as they are where there is no network."""
    return Preprocess() if isinstance(spec, PredictionsModel) else spec.preprocess


def place(
    module: nn.Module, spec: ModelSpec, engine: EngineSpec, settled: Settled
) -> PlacedNetwork:
    """Put a network where the run computes, in its precision and memory format."""
    device, dtype = torch_device(settled), DTYPES[settled.precision]
    module = module.to(device=device, dtype=dtype)
    if engine.channels_last:
        module = module.to(memory_format=torch.channels_last)
    return PlacedNetwork(
        module=module,
        compiled=cast("nn.Module", torch.compile(module)) if engine.compile else module,
        preprocess=preprocess_of(spec),
        device=device,
        dtype=dtype,
        channels_last=engine.channels_last,
    )


def refuse_missing_layers(network: nn.Module, layers: Mapping[str, Sequence[str]]) -> None:
    """Raise for a layer that the network does not have, before any image is read.

    Args:
        network: The network.
        layers: Module path to the ids of the audits that ask for it.

    Raises:
        InputError: names the audits and offers near names.
    """
    for layer, audits in layers.items():
        try:
            find_module(network, layer)
        except InputError as error:
            asked = ", ".join(f"audits.{audit}.layer" for audit in audits)
            hint = f"{error.hint}; `auditor layers SPEC` lists all"
            raise InputError(f"{asked}: {error.message}", hint=hint) from error


def layers_of(scans: Sequence[Scan]) -> dict[str, tuple[str, ...]]:
    """Every layer that the folds of some scans look at, with the ids of their audits."""
    asked: dict[str, dict[str, None]] = {}
    for scan in scans:
        for fold in scan.folds:
            for output in fold.outputs:
                if output.layer:
                    asked.setdefault(output.layer, {})[fold.audit] = None
    return {layer: tuple(audits) for layer, audits in asked.items()}


def refuse_non_finite(logits: Tensor, ids: Sequence[str]) -> None:
    """Raise for scores that are NaN or infinite.

    Raises:
        InputError: names the first such samples and outputs.
    """
    finite = logits.isfinite()
    if bool(finite.all()):
        return
    rows = (~finite.all(dim=1)).nonzero().flatten().tolist()
    outputs = (~finite.all(dim=0)).nonzero().flatten().tolist()
    named = ", ".join(ids[row] for row in rows[:NAMED])
    raise InputError(
        f"scores are NaN or infinite for {len(rows)} of {len(ids)} images of a batch: "
        f"samples {named}{' …' if len(rows) > NAMED else ''}; "
        f"outputs {', '.join(map(str, outputs[:NAMED]))}{' …' if len(outputs) > NAMED else ''}",
        hint="check the weights, `preprocess` (mean, std) and engine.precision",
    )


def _union(outputs: Sequence[Output]) -> dict[str, list[int]]:
    wanted: dict[str, list[int]] = {}
    for output in outputs:
        if output.kind == "jacobian" and output.layer:
            chosen = wanted.setdefault(output.layer, [])
            chosen.extend(index for index in output.outputs if index not in chosen)
    return wanted


def _pick(
    output: Output,
    logits: Tensor,
    activations: dict[str, Tensor],
    jacobians: dict[str, Tensor],
    wanted: dict[str, list[int]],
) -> Tensor:
    if output.kind == "logits":
        return logits
    layer = output.layer or ""
    if output.kind == "activation":
        return activations[layer].float()
    rows = [wanted[layer].index(index) for index in output.outputs]
    whole = jacobians[layer].float()
    return whole if rows == list(range(whole.shape[1])) else whole[:, rows]
