"""`auditor layers`: the modules of a network of the spec, to fill in `layer:`."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from auditor.adapters.models.preprocess import normalise
from auditor.compose.composed import Composed
from auditor.engine.network import preprocess_of
from auditor.engine.networks import model_of
from auditor.engine.sample import network_before_run, sample_images
from auditor.measure.taps import borrowed
from auditor.needs import NetworkRole


class Layer(NamedTuple):
    """A module whose output an audit can name.

    Attributes:
        path: Module path.
        module: Name of its class.
        shape: Shape of its output for one image.
    """

    path: str
    module: str
    shape: tuple[int, ...]


def list_layers(
    composed: Composed, allow_code: bool = False, *, network: NetworkRole = "model"
) -> list[Layer]:
    """Every module that runs once per image and returns one tensor, in the order in which they run.

    Args:
        composed: The spec.
        allow_code: Whether the network may run code of its own.
        network: Whose layers.

    Raises:
        InputError: the network cannot be opened, or no image can be read.
        PlanError: the model is only a column of predictions.
        ValueError: the spec has no extractor that is a network of its own.
    """
    spec = composed.spec
    module = network_before_run(spec, network, allow_code=allow_code)
    pixels = sample_images(spec, (network,))[network].unsqueeze(0)
    images = normalise(pixels, preprocess_of(model_of(spec, network)), torch.float32)
    return layers_of(module, images)


def layers_of(network: nn.Module, images: Tensor) -> list[Layer]:
    """The same for a network and one image [1, 3, h, w]; the network is left as found."""
    outputs: list[tuple[str, str, Any]] = []

    def note(path: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        kind = type(module).__name__
        return module.register_forward_hook(
            lambda _module, _inputs, output: outputs.append((path, kind, output))
        )

    handles = [note(path, module) for path, module in network.named_modules() if path]
    try:
        with torch.no_grad(), borrowed(network):
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    calls = [path for path, _, _ in outputs]
    return [
        Layer(path, kind, tuple(output.shape[1:]))
        for path, kind, output in outputs
        if isinstance(output, Tensor) and output.dim() > 1 and calls.count(path) == 1
    ]
