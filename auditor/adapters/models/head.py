"""A new last layer for a trained network, and whether a network has the outputs a spec names."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from auditor.context import Attribute
from auditor.errors import InputError, PlanError
from auditor.near import suggest


def replace_head(network: nn.Module, path: str, num_outputs: int) -> None:
    """Put a new linear layer, with random weights, in place of the one at a module path.

    Raises:
        InputError: There is no such module, or it is no linear layer; linear layers are offered.
    """
    modules = dict(network.named_modules())
    old = modules.get(path)
    if not isinstance(old, nn.Linear):
        linear = [name for name, module in modules.items() if isinstance(module, nn.Linear)]
        what = "has no module" if old is None else f"is a {type(old).__name__} at"
        raise InputError(
            f"`replace_head: {path}`: the network {what} {path!r}; a linear layer is needed",
            hint=suggest(path, linear, "linear layer", most=3),
        )
    parent, _, name = path.rpartition(".")
    new = nn.Linear(old.in_features, num_outputs, bias=old.bias is not None)
    setattr(modules[parent], name, new)


def check_logits(output: object, attributes: Sequence[Attribute]) -> Tensor:
    """The output of a network as logits [B, C], with a logit for every attribute.

    Raises:
        InputError: The network returns something else than one matrix of numbers.
        PlanError: An attribute names an output that the network does not have.
    """
    if not isinstance(output, Tensor) or output.ndim != 2 or not output.is_floating_point():
        found = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise InputError(
            f"the network returns {found}, not one row of logits per image",
            hint="An audited network maps images [B, 3, H, W] to logits [B, C].",
        )
    num_outputs = output.shape[1]
    for attribute in attributes:
        if attribute.output >= num_outputs:
            raise PlanError(
                f"attribute {attribute.name!r} is scored by output {attribute.output}, but the "
                f"network has {num_outputs} output{'' if num_outputs == 1 else 's'}",
                hint="outputs count from 0",
            )
    return output
