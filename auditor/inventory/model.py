"""Stock of a model: the files that its spec names."""

from __future__ import annotations

from typing import assert_never

from auditor.inventory.weights import WeightsInventory, take_weights
from auditor.spec.model import (
    Architecture,
    BuiltinModel,
    ExportedModel,
    ModelSpec,
    PredictionsModel,
    PythonModel,
    TorchScriptModel,
    TorchvisionModel,
    TrainedModel,
)


def take_model(spec: ModelSpec) -> WeightsInventory | None:
    """Stock of the one file that decides what the network computes, or None where there is none.

    That file is a state dict, an archive, or a Python file (of which only itself counts, not what
    it imports). For `source: train` it is the weights that training starts from.

    Raises:
        InputError: when the file is missing, or is called `.safetensors` and is not one.
    """
    match spec:
        case BuiltinModel() | TorchvisionModel():
            return take_architecture(spec)
        case TrainedModel():
            return take_architecture(spec.network)
        case TorchScriptModel() | ExportedModel():
            return take_weights(spec.path)
        case PythonModel():
            return take_weights(spec.file)
        case PredictionsModel():
            return None
        case _:
            assert_never(spec)


def take_architecture(spec: Architecture) -> WeightsInventory | None:
    """Stock of the weights that a network starts from, or None where they are random."""
    return take_weights(spec.weights) if spec.weights is not None else None
