"""Run a network once and read the outputs of named modules, leaving the network as found.

`tap` reads activations; `cut_open` also makes one of them the start of the gradient graph, so that
a backward pass ends there and never enters the layers below. Both run the network in evaluation
mode with frozen parameters, and put hooks, modes and flags back, also after an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from auditor.errors import InputError

Hook = Callable[[nn.Module, tuple[Any, ...], Any], Any]


class Taps(NamedTuple):
    """What one forward pass left behind.

    Attributes:
        output: The network's output [B, ...].
        activations: Module path to that module's output [B, *L], in the order asked for.
    """

    output: Tensor
    activations: dict[str, Tensor]


@dataclass(frozen=True)
class CutOpen:
    """A forward pass whose gradient graph starts at one layer.

    Attributes:
        output: The network's output [B, ...].
        activation: The layer's output [B, *L], a leaf that requires a gradient.
        head: The linear module that maps the flattened activation straight to `output`, if the
            layer feeds one; its weight rows are then the gradients.
    """

    output: Tensor
    activation: Tensor
    head: nn.Linear | None


def find_module(network: nn.Module, path: str) -> nn.Module:
    """The module at a dotted path.

    Raises:
        InputError: when there is none; the hint offers near names.
    """
    modules: dict[str, nn.Module] = dict(network.named_modules())
    if path in modules and path:
        return modules[path]
    near = get_close_matches(path, modules, n=3, cutoff=0.4) or [m for m in modules if m][:5]
    raise InputError(
        f"the network has no module {path!r}",
        hint=f"near names: {', '.join(near)}" if near else "the network has no named modules",
    )


@contextmanager
def borrowed(network: nn.Module) -> Iterator[None]:
    """Evaluation mode and frozen parameters inside, everything as found outside."""
    modes = [(module, module.training) for module in network.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    try:
        network.eval()
        for parameter, _ in flags:
            parameter.requires_grad_(False)
        yield
    finally:
        # Module by module: a user may have frozen some BatchNorm layers on purpose.
        for module, training in modes:
            module.training = training
        for parameter, requires_grad in flags:
            parameter.requires_grad_(requires_grad)


def tap(network: nn.Module, images: Tensor, layers: Sequence[str]) -> Taps:
    """Run once without a gradient and read the outputs of `layers`.

    Values are those right after the module, even where a later module works in place.

    Args:
        network: Any module that maps [B, ...] to a tensor.
        images: Input [B, ...].
        layers: Module paths.

    Raises:
        InputError: for a path that does not exist, a module that is not called exactly once, or
            one whose output is not a tensor.
    """
    seen: dict[str, Tensor] = {}

    def reader(path: str) -> Hook:
        def read(_module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
            seen[path] = _fresh(path, output, seen).clone()

        return read

    hooks = {path: reader(path) for path in layers}
    with torch.no_grad(), borrowed(network), _hooked(network, hooks):
        output = _tensor_output(network(images))
    return Taps(output, {path: _called(path, seen) for path in layers})


def cut_open(network: nn.Module, images: Tensor, layer: str) -> CutOpen:
    """Run once and keep the gradient graph from `layer` upwards only.

    Raises:
        InputError: as `tap`.
    """
    seen: dict[str, Tensor] = {}
    entries: list[tuple[Tensor, int]] = []
    heads: list[tuple[nn.Linear, Tensor, int, Tensor]] = []

    def start(_module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> Tensor:
        seen[layer] = _fresh(layer, output, seen).detach().requires_grad_()
        # The copy may be changed in place by the next module; the leaf may not.
        entry = seen[layer].clone()
        entries.append((entry, entry._version))
        return entry

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if entries and isinstance(module, nn.Linear):
            heads.append((module, inputs[0], inputs[0]._version, output))

    linear = [path for path, module in network.named_modules() if type(module) is nn.Linear]
    # The start must come before a note of the same module, so it is registered first.
    hooks = [(layer, start), *((path, note) for path in linear)]
    with torch.enable_grad(), borrowed(network), _hooked_in_order(network, hooks):
        output = _tensor_output(network(images))
    activation = _called(layer, seen)
    return CutOpen(output, activation, _linear_head(entries[0], heads, output))


def _linear_head(
    entry: tuple[Tensor, int],
    heads: list[tuple[nn.Linear, Tensor, int, Tensor]],
    output: Tensor,
) -> nn.Linear | None:
    start, version = entry
    for module, given, given_version, produced in heads:
        is_output = produced is output and given.dim() == 2
        # Same memory, same order, never changed in between: the input is the activation, flattened.
        is_entry = (
            given.data_ptr() == start.data_ptr()
            and given.shape == (start.shape[0], start[0].numel())
            and given.is_contiguous()
            and start.is_contiguous()
            and given_version == version
        )
        if is_output and is_entry and start.numel():
            return module
    return None


@contextmanager
def _hooked(network: nn.Module, hooks: dict[str, Hook]) -> Iterator[None]:
    with _hooked_in_order(network, list(hooks.items())):
        yield


@contextmanager
def _hooked_in_order(network: nn.Module, hooks: Sequence[tuple[str, Hook]]) -> Iterator[None]:
    targets = [(find_module(network, path), hook) for path, hook in hooks]
    handles = []
    try:
        for module, hook in targets:
            handles.append(module.register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _fresh(path: str, output: Any, seen: dict[str, Tensor]) -> Tensor:
    if path in seen:
        raise InputError(
            f"module {path!r} is called more than once in one forward pass",
            hint="name a module that runs once, such as the block around it",
        )
    if not isinstance(output, Tensor):
        raise InputError(
            f"module {path!r} returns {type(output).__name__}, not a tensor",
            hint="name a module inside it that returns one tensor",
        )
    if not output.is_floating_point():
        raise InputError(f"module {path!r} returns {output.dtype}, which has no gradient")
    return output


def _called(path: str, seen: dict[str, Tensor]) -> Tensor:
    if path not in seen:
        raise InputError(
            f"module {path!r} was not called in the forward pass",
            hint="name a module that the network runs; scripted networks cannot be tapped",
        )
    return seen[path]


def _tensor_output(output: Any) -> Tensor:
    if not isinstance(output, Tensor):
        raise InputError(
            f"the network returns {type(output).__name__}, not a tensor",
            hint="wrap it so that it returns logits [B, C]",
        )
    return output
