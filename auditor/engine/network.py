"""A network where a run computes with it, and everything asked of it in one forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never, cast, final

import torch
from torch import Tensor, nn

from auditor.adapters.models.head import check_logits
from auditor.adapters.models.preprocess import normalise, standardised
from auditor.adapters.models.weights import first_line
from auditor.engine.device import is_out_of_memory
from auditor.engine.settle import DTYPES, torch_device
from auditor.errors import AuditorError, InputError
from auditor.measure.features import pooled
from auditor.measure.jacobians import layer_jacobians
from auditor.measure.taps import borrowed, find_module, tap
from auditor.needs import NetworkRole, Output
from auditor.plan.facts import ROLES
from auditor.plan.identity import Settled
from auditor.plan.steps import Scan, Step, Visit
from auditor.spec.engine import EngineSpec
from auditor.spec.model import ModelSpec, PredictionsModel, Preprocess

LENT = ("activation", "features", "evidence")
"""Outputs of a network that only lends its units."""

NAMED = 5
"""Samples that an error names."""


class Computed(NamedTuple):
    """What one pass gave.

    Attributes:
        logits: All scores [B, C], float32; None where only features were asked for.
        outputs: The quantities asked for, float32.
    """

    logits: Tensor | None
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

    def normalised(self, images: Tensor) -> Tensor:
        """Float images [B, 3, h, w] in [0, 1] to the network's input on its device.

        Differentiable. For images that are pixels / 255 it is what `prepare` gives, to the bit.
        """
        images = standardised(images.to(self.device), self.preprocess).to(self.dtype)
        return images.to(memory_format=torch.channels_last) if self.channels_last else images

    def compute(self, pixels: Tensor, outputs: Sequence[Output]) -> Computed:
        """All `outputs` of some images from one forward pass, in the mode that the network is in.

        Args:
            pixels: uint8 [B, 3, h, w], after resize and crop.
            outputs: What is wanted of this network; equal layers are computed once.

        Raises:
            InputError: a layer cannot be tapped or has no units, or the network does not return
                logits [B, C] although scores are wanted.
        """
        images = self.prepare(pixels)
        looked = ("activation", "features")
        traced = tuple(
            {
                (o.layer, o.start): None
                for o in outputs
                if o.kind == "evidence" and o.layer and o.start
            }
        )
        read = tuple({o.layer: None for o in outputs if o.kind in looked and o.layer})
        wanted = _union(outputs)
        activations: dict[str, Tensor] = {}
        jacobians: dict[str, Tensor] = {}
        evidence: dict[tuple[str, str], Tensor] = {}
        if wanted or traced:
            logits, activations, jacobians, evidence = layer_jacobians(
                self.module, images, wanted, read=read, traced=traced
            )
        elif read:
            logits, activations = tap(self.module, images, read)
        else:
            with torch.no_grad():
                logits = self.compiled(images)
        # A network that only lends its units need not be a classifier.
        scores = None
        if any(output.kind not in LENT for output in outputs):
            scores = check_logits(logits, ()).float()
        values = {
            output: evidence[output.layer or "", output.start or ""]
            if output.kind == "evidence"
            else _pick(output, scores, activations, jacobians, wanted)
            for output in outputs
        }
        return Computed(scores, values)


def compute_all(
    networks: Mapping[NetworkRole, PlacedNetwork],
    pixels: Mapping[NetworkRole, Tensor],
    outputs: Sequence[Output],
) -> dict[NetworkRole, Computed]:
    """One pass through every network that some output is wanted of."""
    found = {}
    for role, network in networks.items():
        wanted = outputs_of(role, outputs)
        if wanted:
            found[role] = network.compute(pixels[role], wanted)
    return found


def outputs_of(role: NetworkRole, outputs: Sequence[Output]) -> tuple[Output, ...]:
    """The outputs that the network of a role computes."""
    return tuple(each for each in outputs if each.network == role and each.computed)


def roles_of(outputs: Sequence[Output]) -> tuple[NetworkRole, ...]:
    """The networks that compute some outputs, the inspected model first."""
    return tuple(role for role in ROLES if outputs_of(role, outputs))


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


def first_answer(module: nn.Module, inputs: Tensor, what: str, role: NetworkRole) -> object:
    """What a network makes of prepared images: its first try, before any long work.

    Args:
        module: The network; left as found.
        inputs: Prepared images [B, 3, h, w].
        what: The network in the words of an error.
        role: Its role in the spec, for the hint.

    Raises:
        InputError: it does not take images of this size.
    """
    try:
        with torch.no_grad(), borrowed(module):
            return module(inputs)
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        if is_out_of_memory(error) or isinstance(error, AuditorError):
            raise
        height, width = inputs.shape[2:]
        raise InputError(
            f"{what} cannot take images of {width}×{height} pixels: {first_line(error)}",
            hint=f"set `{role}.preprocess.resize` and `{role}.preprocess.crop` to the size that "
            "the network was fitted on",
        ) from error


def refuse_missing_layers(network: nn.Module, layers: Mapping[str, Sequence[str]]) -> None:
    """Raise for a layer that the network does not have, before any image is read.

    Args:
        network: The network.
        layers: Module path to the places in the spec that ask for it.

    Raises:
        InputError: names the places and offers near names.
    """
    for layer, places in layers.items():
        try:
            find_module(network, layer)
        except InputError as error:
            hint = f"{error.hint}; `auditor layers SPEC` lists all"
            raise InputError(f"{', '.join(places)}: {error.message}", hint=hint) from error


def layers_of(steps: Sequence[Step], role: NetworkRole) -> dict[str, tuple[str, ...]]:
    """Every layer of a network that some steps look at, with the places in the spec."""
    asked: dict[str, dict[str, None]] = {}
    for step in steps:
        if isinstance(step, Scan):
            for fold in step.folds:
                for output in outputs_of(role, fold.outputs):
                    place = f"audits.{fold.audit}.layer"
                    if output.layer:
                        units = output.kind == "features"
                        asked.setdefault(output.layer, {})[
                            "extractor.layer" if units else place
                        ] = None
                    if output.start:
                        asked.setdefault(output.start, {})[f"audits.{fold.audit}.start"] = None
        elif isinstance(step, Visit) and step.network == role:
            # A layer that only a visit looks at is one that heat maps are made from.
            for layer in step.layers:
                asked.setdefault(layer, {"extractor.heatmap_layer": None})
    return {layer: tuple(places) for layer, places in asked.items()}


def refuse_non_finite(logits: Tensor, ids: Sequence[str], role: NetworkRole = "model") -> None:
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
        f"the {role}'s scores are NaN or infinite for {len(rows)} of {len(ids)} images of a batch: "
        f"samples {named}{' …' if len(rows) > NAMED else ''}; "
        f"outputs {', '.join(map(str, outputs[:NAMED]))}{' …' if len(outputs) > NAMED else ''}",
        hint=f"check the weights, `{role}.preprocess` (mean, std) and engine.precision",
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
    logits: Tensor | None,
    activations: dict[str, Tensor],
    jacobians: dict[str, Tensor],
    wanted: dict[str, list[int]],
) -> Tensor:
    layer = output.layer or ""
    match output.kind:
        case "logits":
            assert logits is not None
            return logits
        case "activation":
            return activations[layer].float()
        case "features":
            return pooled(activations[layer], output.pool or "mean").float()
        case "evidence" | "masks":
            raise ValueError(f"{output.kind} are no output of a forward pass alone")
        case "jacobian":
            rows = [wanted[layer].index(index) for index in output.outputs]
            whole = jacobians[layer].float()
            return whole if rows == list(range(whole.shape[1])) else whole[:, rows]
        case _:
            assert_never(output.kind)
