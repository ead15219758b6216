"""Maps of where in an image a pattern lies."""

from __future__ import annotations

from torch import Tensor


def pattern_map(gradient: Tensor, activation: Tensor) -> Tensor:
    """Gradient × activation, summed over channels.

    The maps are signed and add up to ν·x: positive places speak for the attribute.

    Args:
        gradient: [B, ..., K, H, W].
        activation: [B, K, H, W]; middle dimensions of the gradient broadcast.

    Returns:
        [B, ..., H, W].
    """
    middle = gradient.dim() - activation.dim()
    shape = (activation.shape[0], *[1] * middle, *activation.shape[1:])
    return (gradient * activation.reshape(shape)).sum(-3)
