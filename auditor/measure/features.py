"""The units of a layer as features, and where in an image a unit finds its evidence."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from auditor.errors import InputError

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
