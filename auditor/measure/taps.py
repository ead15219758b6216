"""Run a network once and read the outputs of named modules, leaving the network as found.

`tap` reads activations; `follow` keeps them in the gradient graph of the images; `cut_open` starts
the graph at one or more of them, so that a backward pass ends there and never enters the layers
below. All run the network in evaluation mode with frozen parameters, and put hooks, modes and
flags back, also after an exception. `calls` lists what runs, and in which order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from auditor.errors import InputError
from auditor.near import suggest

Hook = Callable[[nn.Module, tuple[Any, ...], Any], Any]


class Taps(NamedTuple):
    """What one forward pass left behind.

    Attributes:
        output: The network's output [B, ...].
        activations: Module path to that module's output [B, *L], in the order asked for.
    """

    output: Tensor
    activations: dict[str, Tensor]


class Call(NamedTuple):
    """A module that runs exactly once in a forward pass.

    Attributes:
        path: Module path.
        shape: Shape of its output, batch included; None where that is no tensor.
    """

    path: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class CutOpen:
    """A forward pass whose gradient graph starts at chosen layers.

    Attributes:
        output: The network's output [B, ...].
        activations: Layer to its output [B, *L]; gradients can be taken with respect to each.
        heads: Layer to the linear module that maps its flattened activation straight to `output`,
            for layers that feed one; the module's weight rows are then the gradients.
        read: Further layer to its output, outside the graph.
    """

    output: Tensor
    activations: dict[str, Tensor]
    heads: dict[str, nn.Linear]
    read: dict[str, Tensor]


def find_module(network: nn.Module, path: str) -> nn.Module:
    """The module at a dotted path.

    Raises:
        InputError: when there is none; the hint offers near names.
    """
    modules: dict[str, nn.Module] = dict(network.named_modules())
    if path in modules and path:
        return modules[path]
    raise InputError(
        f"the network has no module {path!r}",
        hint=suggest(path, filter(None, modules), "module", most=3),
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
    hooks = [(path, _reader(path, seen)) for path in layers]
    with torch.no_grad(), borrowed(network), _hooked(network, hooks):
        output = _tensor_output(network(images))
    return Taps(output, {path: _called(path, seen) for path in layers})


def follow(network: nn.Module, images: Tensor, layers: Sequence[str]) -> Taps:
    """Run once in the gradient mode of the caller and keep the activations in the graph.

    Gradients reach `images` but no parameter. Values are those right after the module, even where
    a later module works in place.

    Args:
        network: As in `tap`.
        images: Input [B, ...]; gradients flow where it requires them.
        layers: Module paths.

    Raises:
        InputError: as `tap`.
    """
    seen: dict[str, Tensor] = {}
    hooks = [(path, _follower(path, seen)) for path in layers]
    with borrowed(network), _hooked(network, hooks):
        output = _tensor_output(network(images))
    return Taps(output, {path: _called(path, seen) for path in layers})


def calls(network: nn.Module, images: Tensor) -> tuple[Call, ...]:
    """The modules that run exactly once, in the order in which they finish.

    Args:
        network: As in `tap`; the network itself is not listed.
        images: Input [B, ...].
    """
    finished: list[Call] = []

    def noter(path: str) -> Hook:
        def note(_module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
            shape = tuple(output.shape) if isinstance(output, Tensor) else None
            finished.append(Call(path, shape))

        return note

    hooks = [(path, noter(path)) for path, _ in network.named_modules() if path]
    with torch.no_grad(), borrowed(network), _hooked(network, hooks):
        network(images)
    times = Counter(call.path for call in finished)
    return tuple(call for call in finished if times[call.path] == 1)


def cut_open(
    network: nn.Module, images: Tensor, layers: Sequence[str], *, read: Sequence[str] = ()
) -> CutOpen:
    """Run once and keep the gradient graph from `layers` upwards only.

    A layer above another one of `layers` stays connected to it: both gradients are then exact.

    Args:
        network: As in `tap`.
        images: Input [B, ...].
        layers: Module paths where gradients are wanted.
        read: Module paths whose outputs are wanted without gradients.

    Raises:
        InputError: as `tap`.
    """
    seen: dict[str, Tensor] = {}
    entries: dict[str, tuple[Tensor, int]] = {}
    linears: list[tuple[nn.Linear, Tensor, int, Tensor]] = []

    def starter(path: str) -> Hook:
        def start(_module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> Tensor:
            found = _fresh(path, output, seen)
            seen[path] = found if found.requires_grad else found.detach().requires_grad_()
            # The copy may be changed in place by the next module; what is returned may not.
            entry = seen[path].clone()
            entries[path] = (entry, entry._version)
            return entry

        return start

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if entries and isinstance(module, nn.Linear):
            linears.append((module, inputs[0], inputs[0]._version, output))

    linear = [path for path, module in network.named_modules() if type(module) is nn.Linear]
    # Readers come first, as a start hands on a copy; starts come before a note of their module.
    hooks = [
        *((path, _reader(path, seen)) for path in read if path not in layers),
        *((path, starter(path)) for path in layers),
        *((path, note) for path in linear),
    ]
    with torch.enable_grad(), borrowed(network), _hooked(network, hooks):
        output = _tensor_output(network(images))
    activations = {path: _called(path, seen) for path in layers}
    heads = {path: _linear_head(entries[path], linears, output) for path in layers}
    return CutOpen(
        output,
        activations,
        {path: head for path, head in heads.items() if head is not None},
        {path: _called(path, seen).detach() for path in read},
    )


def _linear_head(
    entry: tuple[Tensor, int],
    linears: list[tuple[nn.Linear, Tensor, int, Tensor]],
    output: Tensor,
) -> nn.Linear | None:
    start, version = entry
    for module, given, given_version, produced in linears:
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


def _reader(path: str, seen: dict[str, Tensor]) -> Hook:
    def read(_module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
        seen[path] = _fresh(path, output, seen).detach().clone()

    return read


def _follower(path: str, seen: dict[str, Tensor]) -> Hook:
    def keep(_module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
        # A clone: a later in-place module would change the values and break the backward pass.
        seen[path] = _fresh(path, output, seen).clone()

    return keep


@contextmanager
def _hooked(network: nn.Module, hooks: Sequence[tuple[str, Hook]]) -> Iterator[None]:
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
