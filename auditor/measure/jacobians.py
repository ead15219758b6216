"""Per-image gradients of many outputs at one layer, and what is made of them.

For every image the rows are ν_i = dY_i / dx at the layer's output x (Zhang et al., AAAI 2018). One
forward pass serves all outputs, and a backward pass ends at the layer. Because a network in
evaluation mode treats images independently, the gradient of a sum over the batch holds the
gradient of every image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from auditor.errors import InputError
from auditor.measure.features import traced_back
from auditor.measure.taps import cut_open

AT_ONCE = 8
"""Outputs per backward pass. 1 is a plain loop. All at once saves reading the weights again, but
spills the caches at large batches; measured on AlexNet conv1 with 40 outputs, 4 to 10 at once are
best from batch 4 on. It is a constant and not timed at the start of a run, because it moves the
last digits, and the same run twice must give the same bytes."""


class LayerJacobian(NamedTuple):
    """Gradients of chosen outputs at one layer.

    Attributes:
        logits: The chosen outputs [B, n].
        activation: Output x of the layer [B, *L].
        jacobian: dY_i / dx for every image [B, n, *L]. It may be an expanded view: do not write.
    """

    logits: Tensor
    activation: Tensor
    jacobian: Tensor


class LayerJacobians(NamedTuple):
    """Gradients at several layers from one forward pass.

    Attributes:
        logits: All outputs [B, C].
        activations: Layer to its output [B, *L].
        jacobians: Layer to dY_i / dx of the outputs asked for there [B, n, *L]. They may be
            expanded views: do not write.
        evidence: (layer, start) to where each unit of the layer finds its evidence [B, F, h, w].
    """

    logits: Tensor
    activations: dict[str, Tensor]
    jacobians: dict[str, Tensor]
    evidence: dict[tuple[str, str], Tensor]


class Cosines(NamedTuple):
    """Cosines between gradients.

    Attributes:
        values: w_ij [B, n, n]; 0 where not valid.
        valid: Whether both gradients have a norm above zero [B, n, n].
    """

    values: Tensor
    valid: Tensor


def layer_jacobian(
    network: nn.Module,
    images: Tensor,
    layer: str,
    outputs: Sequence[int],
    *,
    at_once: int = AT_ONCE,
) -> LayerJacobian:
    """Gradients of `outputs` at the output of `layer`, per image.

    Where the layer feeds the network's last linear module directly, the gradients are its weight
    rows and no backward pass is made.

    Args:
        network: Maps images to logits [B, C]. It is left exactly as found.
        images: Input [B, ...].
        layer: Module path.
        outputs: Columns of the logits.
        at_once: Outputs per backward pass; above 1 the pass is vectorised over outputs.

    Raises:
        InputError: when the layer cannot be tapped, logits are not [B, C], or an output is out of
            range.
    """
    found = layer_jacobians(network, images, {layer: outputs}, at_once=at_once)
    logits = found.logits[:, list(outputs)]
    return LayerJacobian(logits, found.activations[layer], found.jacobians[layer])


def layer_jacobians(
    network: nn.Module,
    images: Tensor,
    wanted: Mapping[str, Sequence[int]],
    *,
    read: Sequence[str] = (),
    traced: Sequence[tuple[str, str]] = (),
    at_once: int = AT_ONCE,
) -> LayerJacobians:
    """Gradients at several layers, and outputs of further ones, from one forward pass.

    Args:
        network: As in `layer_jacobian`.
        images: Input [B, ...].
        wanted: Layer to the columns of the logits that are differentiated there.
        read: Layers whose outputs alone are wanted.
        traced: Pairs of a layer and the spatial layer that its units are traced back to.
        at_once: As in `layer_jacobian`.

    Raises:
        InputError: as `layer_jacobian`.
    """
    opened_at = dict.fromkeys((*wanted, *(layer for pair in traced for layer in pair)))
    opened = cut_open(network, images, list(opened_at), read=read)
    seen = opened.activations
    evidence = {
        (layer, start): traced_back(seen[layer], seen[start], layer=layer, start=start)
        for layer, start in traced
    }
    jacobians = {}
    for layer, outputs in wanted.items():
        logits = _chosen(opened.output, outputs)
        activation = opened.activations[layer]
        if layer in opened.heads:
            jacobians[layer] = _head_rows(activation, opened.heads[layer], outputs)
        else:
            jacobians[layer] = _pulled_back(logits, activation, layer, at_once)
    activations = {layer: value.detach() for layer, value in opened.activations.items()}
    return LayerJacobians(
        opened.output.detach(), {**opened.read, **activations}, jacobians, evidence
    )


def gram(jacobian: Tensor, *, mask: Tensor | None = None, chunk: int = 1 << 18) -> Tensor:
    """Inner products of masked gradients, G_ij = (ρ_i∘ν_i)·(ρ_j∘ν_j), per image.

    Chunks of units are multiplied in the gradients' own precision and added in float64. A mask is
    applied chunk by chunk, so no masked copy of the whole Jacobian ever exists.

    Args:
        jacobian: [B, n, *L].
        mask: ρ in {0, 1} [n, *L], or None for all units.
        chunk: Units per product.

    Returns:
        [B, n, n], float64.
    """
    rows = jacobian.flatten(2)
    kept = None if mask is None else mask.flatten(1).to(rows.dtype)
    total = torch.zeros(*rows.shape[:2], rows.shape[1], dtype=torch.float64, device=rows.device)
    for start in range(0, rows.shape[2], chunk):
        part = rows[:, :, start : start + chunk]
        if kept is not None:
            part = part * kept[:, start : start + chunk]
        total += torch.bmm(part, part.transpose(1, 2)).double()
    return total


def cosines(inner: Tensor) -> Cosines:
    """w_ij = G_ij / √(G_ii G_jj) from inner products [B, n, n].

    A gradient of norm zero has no direction: its cosines are flagged, not NaN.
    """
    norms = inner.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt()
    nonzero = (norms > 0) & norms.isfinite()
    valid = nonzero.unsqueeze(-1) & nonzero.unsqueeze(-2) & inner.isfinite()
    safe = torch.where(nonzero, norms, 1.0)
    values = (inner / safe.unsqueeze(-1) / safe.unsqueeze(-2)).clamp(-1.0, 1.0)
    return Cosines(torch.where(valid, values, 0.0), valid)


def _chosen(output: Tensor, outputs: Sequence[int]) -> Tensor:
    if output.dim() != 2:
        raise InputError(
            f"the network returns shape {tuple(output.shape)}", hint="logits must be [B, C]"
        )
    beyond = [index for index in outputs if not 0 <= index < output.shape[1]]
    if beyond:
        raise InputError(
            f"output {beyond[0]} does not exist",
            hint=f"the network has {output.shape[1]} outputs, counted from 0",
        )
    return output[:, list(outputs)]


def _head_rows(activation: Tensor, head: nn.Linear, outputs: Sequence[int]) -> Tensor:
    rows = head.weight.detach()[list(outputs)].to(activation.dtype)
    shaped = rows.reshape(len(outputs), *activation.shape[1:])
    return shaped.expand(len(activation), *shaped.shape)


def _pulled_back(logits: Tensor, activation: Tensor, layer: str, at_once: int) -> Tensor:
    num_images, num_outputs = logits.shape
    # Outputs first: every backward pass then writes one contiguous block.
    rows = activation.new_empty(num_outputs, num_images, *activation.shape[1:], requires_grad=False)
    basis = torch.eye(num_outputs, dtype=logits.dtype, device=logits.device)
    directions = basis.unsqueeze(1).expand(num_outputs, num_images, num_outputs)
    for start in range(0, num_outputs, at_once):
        chosen = slice(start, start + at_once)
        direction = directions[start] if at_once == 1 else directions[chosen]
        # The graph is freed with its last reference: another layer may still need it.
        part = _gradient(logits, activation, direction, batched=at_once > 1)
        if part is None:
            raise InputError(
                f"the outputs do not depend on the layer {layer!r}",
                hint="name a layer that the logits are computed from",
            )
        rows[chosen] = part
    return rows.transpose(0, 1)


def _gradient(
    logits: Tensor, activation: Tensor, direction: Tensor, *, batched: bool
) -> Tensor | None:
    if not logits.requires_grad:
        return None
    (part,) = torch.autograd.grad(
        logits,
        activation,
        direction,
        retain_graph=True,
        is_grads_batched=batched,
        allow_unused=True,
    )
    return part
