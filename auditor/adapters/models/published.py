"""Classification architectures of torchvision. Importing this file costs seconds."""

from __future__ import annotations

from torch import nn
from torchvision import models

from auditor.errors import InputError
from auditor.near import suggest


def build_published(name: str, *, num_outputs: int) -> nn.Module:
    """A classification architecture with random weights from the global generator.

    Other kinds of networks are left out: their builders download a backbone by default.

    Raises:
        InputError: torchvision has no such architecture; near names are offered.
    """
    known = models.list_models(module=models)
    if name not in known:
        raise InputError(
            f"torchvision has no classification network {name!r}",
            hint=suggest(name, known, "network", most=3),
        )
    arguments = {"num_classes": num_outputs}
    if name in ("googlenet", "inception_v3"):
        # Without this they warn that their initialisation is slow.
        arguments["init_weights"] = True
    network: nn.Module = models.get_model(name, weights=None, **arguments)
    return network
