"""Maps of where in an image a pattern lies."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def pattern_map(gradient: Tensor, activation: Tensor, *, absolute: bool = False) -> Tensor:
    """Gradient × activation, summed over channels.

    Signed maps add up to ν·x: positive places speak for the attribute. Absolute maps show how much
    a place matters either way.

    Args:
        gradient: [B, ..., K, H, W].
        activation: [B, K, H, W]; middle dimensions of the gradient broadcast.
        absolute: Sum |ν_k x_k| instead.

    Returns:
        [B, ..., H, W].
    """
    middle = gradient.dim() - activation.dim()
    shape = (activation.shape[0], *[1] * middle, *activation.shape[1:])
    product = gradient * activation.reshape(shape)
    return (product.abs() if absolute else product).sum(-3)


def minmax(maps: Tensor) -> Tensor:
    """Each map [..., H, W] scaled to [0, 1]; a constant map becomes 0."""
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    spread = high - low
    return torch.where(spread > 0, (maps - low) / spread.clamp_min(torch.finfo(maps.dtype).tiny), 0)


def symmetric(maps: Tensor) -> Tensor:
    """Each signed map [..., H, W] scaled to [-1, 1] around zero; a zero map stays zero."""
    size = maps.abs().amax((-2, -1), keepdim=True)
    return torch.where(size > 0, maps / size.clamp_min(torch.finfo(maps.dtype).tiny), 0)


def upsample(maps: Tensor, height: int, width: int) -> Tensor:
    """Bilinear resize of maps [..., H, W], pixel areas aligned, all in one call."""
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    resized = functional.interpolate(
        flat, size=(height, width), mode="bilinear", align_corners=False
    )
    return resized.reshape(*maps.shape[:-2], height, width)
