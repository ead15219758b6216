"""The one way from a model of the spec to a network in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import assert_never

import torch
from torch import nn

from auditor.adapters.models.code import (
    open_exported,
    open_python,
    open_torchscript,
    require_permission,
)
from auditor.adapters.models.head import replace_head
from auditor.adapters.models.networks import build_network
from auditor.adapters.models.weights import load_state, load_weights, read_state
from auditor.errors import InputError, PlanError
from auditor.spec.model import (
    Architecture,
    BuiltinArchitecture,
    BuiltinModel,
    ExportedModel,
    ModelSpec,
    PredictionsModel,
    Preprocess,
    PythonModel,
    TorchScriptModel,
    TorchvisionModel,
    TrainedModel,
)

INITIAL_SEED = 0
"""Seed of random weights where the spec gives neither weights nor a recipe."""


def open_network(
    spec: ModelSpec, *, allow_code: bool = False, trained: Path | None = None
) -> nn.Module:
    """Open a network: evaluation mode, CPU, float32. The global random state stays as it is.

    Args:
        spec: The model of the spec.
        allow_code: Whether archives and Python files may run what they contain.
        trained: For `source: train`, the safetensors file that the Train step left.

    Raises:
        InputError: A file is missing, is refused, or does not fit; or code is not allowed.
        PlanError: There is no network (`source: predictions`), or it has not been trained yet.
    """
    match spec:
        case BuiltinModel() | TorchvisionModel():
            network = initial_network(spec, INITIAL_SEED, spec.preprocess)
        case TrainedModel():
            network = trained_network(spec, trained)
        case TorchScriptModel():
            require_permission(f"the TorchScript archive {spec.path}", allow_code=allow_code)
            network = open_torchscript(spec)
        case ExportedModel():
            require_permission(f"the torch.export archive {spec.path}", allow_code=allow_code)
            network = open_exported(spec)
        case PythonModel():
            require_permission(f"the Python file {spec.file}", allow_code=allow_code)
            network = open_python(spec)
        case PredictionsModel():
            raise PlanError(
                "the model is a column of predictions, but an audit needs a network",
                hint="Name a network under `model`, or remove the audits that look inside one.",
            )
        case _:
            assert_never(spec)
    return network.to(device="cpu", dtype=torch.float32).eval()


def start_network(spec: TrainedModel, num_targets: int) -> nn.Module:
    """The network that a recipe starts from, in training mode, with its new head if it gets one.

    Args:
        spec: The model of the spec.
        num_targets: Number of targets of the recipe's loss: attributes or classes.

    Raises:
        InputError: The weights to start from do not fit, or there is no such head.
        PlanError: The network has another number of outputs than there are targets.
    """
    network = initial_network(spec.network, spec.recipe.seed, spec.preprocess)
    if spec.replace_head is not None:
        with seeded(spec.recipe.seed):
            replace_head(network, spec.replace_head, num_targets)
    elif spec.network.num_outputs != num_targets:
        raise PlanError(
            f"the network has {spec.network.num_outputs} outputs, but is fitted on {num_targets} "
            "targets",
            hint=f"Set `num_outputs: {num_targets}`, or name the layer to `replace_head`.",
        )
    return network.train()


def trained_network(spec: TrainedModel, trained: Path | None) -> nn.Module:
    """The network of a recipe with the weights that fitting it left."""
    if trained is None:
        raise PlanError("the network is trained by the plan, and its Train step has not run yet")
    state = read_state(trained)
    with seeded(spec.recipe.seed):
        network = architecture(spec.network)
        if spec.replace_head is not None:
            weight = state.get(f"{spec.replace_head}.weight")
            if weight is None:
                raise InputError(f"{trained} has no weights for the head {spec.replace_head!r}")
            replace_head(network, spec.replace_head, weight.shape[0])
    load_state(network, state, trained, preprocess=spec.preprocess)
    return network


def initial_network(spec: Architecture, seed: int, preprocess: Preprocess) -> nn.Module:
    """The architecture with its weights, or with random ones from a seed.

    Raises:
        InputError: The weights do not fit, or normalise images that `preprocess` normalises.
    """
    with seeded(seed):
        network = architecture(spec)
    if spec.weights is not None:
        load_weights(network, spec.weights, preprocess=preprocess)
    return network


def architecture(spec: Architecture) -> nn.Module:
    """The network with random weights from the global generator."""
    if isinstance(spec, BuiltinArchitecture):
        return build_network(spec.name, num_outputs=spec.num_outputs)
    # Importing torchvision costs seconds, which other models need not pay.
    from auditor.adapters.models.published import build_published

    return build_published(spec.name, num_outputs=spec.num_outputs)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random weights from a seed, with torch's global random state as it was afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
