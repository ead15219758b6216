"""The units of a layer as features, and where in an image a unit finds its evidence.

A layer is spatial if it puts out maps [B, F, h, w] with more than one place; its units are the
channels. The unit of any other layer is a number, and its evidence is traced back to the last
spatial layer before it by gradient x activation: for a piecewise linear network the contributions
of all places add up to the unit's value, up to what the biases in between add.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from auditor.errors import InputError
from auditor.measure.heatmaps import pattern_map
from auditor.measure.taps import calls, cut_open, find_module, follow, tap

Pool = Literal["mean", "max"]


def pooled(activation: Tensor, pool: Pool) -> Tensor:
    """One number per unit: a channel's map or a sequence of tokens is pooled over its places.

    Differentiable. The mean over places is what networks with global average pooling feed to
    their head, so that a channel of the last block is a unit of the penultimate vector.

    Args:
        activation: A layer's output: [B, F], tokens [B, T, F] or maps [B, F, h, w].
        pool: How the places of a unit become one number.

    Returns:
        [B, F], in the dtype of the activation.

    Raises:
        InputError: for an output of another shape.
    """
    if activation.dim() == 2:
        return activation
    if activation.dim() == 3:
        return activation.mean(1) if pool == "mean" else activation.amax(1)
    if activation.dim() == 4:
        return activation.mean((2, 3)) if pool == "mean" else activation.amax((2, 3))
    raise InputError(
        f"a layer that puts out {list(activation.shape)} has no units to read as features",
        hint="name a layer that puts out [B, F], tokens [B, T, F] or maps [B, F, h, w]",
    )


def features_at(module: nn.Module, inputs: Tensor, layer: str, pool: Pool) -> Tensor:
    """The features of some prepared images, differentiable with respect to them.

    Args:
        module: The network; left as found.
        inputs: Prepared images [B, ...].
        layer: Module path of the layer whose units are the features.
        pool: How the places of a unit become one number.

    Returns:
        [B, F], float32.

    Raises:
        InputError: the layer cannot be tapped, or its output has no units.
    """
    return pooled(follow(module, inputs, [layer]).activations[layer], pool).float()


def spatial_layer_before(module: nn.Module, inputs: Tensor, layer: str) -> str | None:
    """The last spatial layer that finishes before `layer` does, found by running the network.

    Modules that run several times are passed over, as they have no one output.

    Args:
        module: The network; left as found.
        inputs: Prepared images [B, ...]; one is enough.
        layer: Module path.

    Returns:
        Its module path; None where none runs before.

    Raises:
        InputError: there is no such module, or it does not run exactly once.
    """
    find_module(module, layer)
    last = None
    for call in calls(module, inputs):
        if call.path == layer:
            return last
        if call.shape is not None and _has_places(call.shape):
            last = call.path
    raise InputError(
        f"module {layer!r} does not run exactly once in a forward pass",
        hint="name a module that runs once, such as the block around it",
    )


def feature_maps(
    module: nn.Module,
    inputs: Tensor,
    layer: str,
    units: Tensor,
    *,
    heatmap_layer: str | None,
    pool: Pool = "mean",
) -> Tensor:
    """Where in each image its unit is active: what a heat map shows, before it is normalised.

    A unit of a spatial layer is shown by its channel, as in Barlow. Any other unit is shown by the
    part of its `evidence_maps` that raises it; places that lower it count as 0.

    Args:
        module: The network; left as found.
        inputs: Prepared images [B, ...].
        layer: Module path of the layer whose units are the features.
        units: One unit per image, int64 [B].
        heatmap_layer: Spatial layer for units without places; None takes the last one before
            `layer`, or the prepared image itself where there is none.
        pool: How tokens become one number.

    Returns:
        [B, h, w], float32, at the resolution of the layer it was read from.

    Raises:
        InputError: a layer cannot be tapped, or `heatmap_layer` has no places or does not feed
            `layer`.
    """
    activation = tap(module, inputs, [layer]).activations[layer]
    if _has_places(activation.shape):
        return activation[_each(units, activation), units.to(activation.device)].float()
    start = heatmap_layer or spatial_layer_before(module, inputs[:1], layer)
    return evidence_maps(module, inputs, layer, units, start=start, pool=pool).clamp(min=0)


def evidence_maps(
    module: nn.Module,
    inputs: Tensor,
    layer: str,
    units: Tensor,
    *,
    start: str | None,
    pool: Pool = "mean",
) -> Tensor:
    """Gradient x activation of one unit per image, summed over the channels of a spatial layer.

    With the activation a, the unit f and g = df/da, each place p contributes Σ_k g_kp a_kp. Where
    the network between `start` and `layer` is piecewise linear, the places add up to f minus what
    the biases in between contribute. After global average pooling this is the unit's channel
    divided by the number of places, the map that Barlow shows.

    Args:
        module: The network; left as found.
        inputs: Prepared images [B, ...].
        layer: Module path of the layer whose units are the features.
        units: One unit per image, int64 [B].
        start: Module path of a spatial layer before `layer`; None for the prepared image itself.
        pool: How the places of a unit become one number.

    Returns:
        [B, h, w], float32: positive where a place raises the unit.

    Raises:
        InputError: a layer cannot be tapped, or `start` has no places, is `layer` itself or does
            not feed it.
    """
    if start == layer:
        raise InputError(
            f"layer {layer!r} has no places of its own that a heat map could show",
            hint="name a `heatmap_layer` that runs before the layer of the features",
        )
    with torch.enable_grad():
        if start is None:
            activation = inputs.detach().clone().requires_grad_()
            values = follow(module, activation, [layer]).activations[layer]
        else:
            opened = cut_open(module, inputs.detach(), [start, layer])
            activation, values = opened.activations[start], opened.activations[layer]
        _refuse_no_places(activation, start)
        features = pooled(values, pool)
        chosen = features[_each(units, features), units.to(features.device)].sum()
        (gradient,) = torch.autograd.grad(chosen, activation, allow_unused=True)
    if gradient is None:
        raise InputError(
            f"layer {layer!r} does not depend on {start!r}: no heat map can be made from it",
            hint="name a `heatmap_layer` that runs before the layer of the features",
        )
    return pattern_map(gradient.float(), activation.detach().float())


def all_evidence(
    module: nn.Module,
    inputs: Tensor,
    layer: str,
    *,
    start: str,
    pool: Pool = "mean",
) -> Tensor:
    """Where every unit of a layer finds its evidence: `evidence_maps` of all units at once.

    Args:
        module: The network; left as found.
        inputs: Prepared images [B, ...].
        layer: Module path of the layer.
        start: Module path of a spatial layer before it.
        pool: How the places of a unit become one number.

    Returns:
        [B, F, h, w], float32: positive where a place raises the unit.

    Raises:
        InputError: as `evidence_maps`.
    """
    with torch.enable_grad():
        opened = cut_open(module, inputs.detach(), [start, layer])
        return traced_back(
            opened.activations[layer],
            opened.activations[start],
            layer=layer,
            start=start,
            pool=pool,
        )


def traced_back(
    values: Tensor, activation: Tensor, *, layer: str, start: str, pool: Pool = "mean"
) -> Tensor:
    """`all_evidence` from an open graph, which it leaves standing.

    Args:
        values: Output of `layer` [B, ...], computed from `activation` with a graph.
        activation: Output of `start` [B, K, h, w].
        layer: For errors.
        start: For errors.
        pool: How the places of a unit become one number.

    Returns:
        [B, F, h, w], float32.

    Raises:
        InputError: `start` has no places or does not feed `layer`.
    """
    if start == layer:
        raise InputError(
            f"layer {layer!r} cannot be looked at through itself",
            hint="name a spatial layer that runs before it under `start`",
        )
    _refuse_no_places(activation, start)
    features = pooled(values, pool)
    seen = activation.detach().float()
    maps = seen.new_empty(len(seen), features.shape[1], *seen.shape[2:])
    for unit in range(features.shape[1]):
        # Images are independent in evaluation mode: the gradient of the sum holds each one's own.
        gradient = None
        if features.requires_grad:
            (gradient,) = torch.autograd.grad(
                features[:, unit].sum(), activation, retain_graph=True, allow_unused=True
            )
        if gradient is None:
            raise InputError(
                f"layer {layer!r} does not depend on {start!r}: its units find no evidence there",
                hint="name a spatial layer that runs before it under `start`",
            )
        maps[:, unit] = pattern_map(gradient.float(), seen)
    return maps


def _each(units: Tensor, activation: Tensor) -> Tensor:
    return torch.arange(units.shape[0], device=activation.device)


def _has_places(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[2] * shape[3] > 1


def _refuse_no_places(activation: Tensor, start: str | None) -> None:
    if _has_places(activation.shape):
        return
    where = "the prepared image" if start is None else f"layer {start!r}"
    raise InputError(
        f"{where} is {list(activation.shape)}: it has no places that a heat map could show",
        hint="name a `heatmap_layer` that puts out maps [B, F, h, w]",
    )
