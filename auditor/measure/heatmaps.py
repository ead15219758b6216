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


def min_max(maps: Tensor) -> Tensor:
    """Each map scaled so that its smallest place is 0 and its largest 1 (Singla et al., CVPR 2021).

    A map without contrast becomes 0 everywhere: it points nowhere. (The paper's release divides
    by the maximum alone, which is NaN for an all-zero map.) So does one that is not finite.

    Args:
        maps: [..., h, w].

    Returns:
        The same shape, in [0, 1].
    """
    low = maps.amin((-2, -1), keepdim=True)
    height = maps.amax((-2, -1), keepdim=True) - low
    usable = (height > 0) & height.isfinite()
    return ((maps - low) / height).where(usable, 0)
