"""Signed distances of simple shapes: negative inside, in the units of the coordinates.

Only additions, products, quotients of tensors, square roots, minima and maxima are used, each as
an operation of its own. IEEE 754 rounds those correctly, so CPU and GPU agree to the last bit.
Functions such as `sin`, `lerp` or `addcmul` would not: their rounding depends on the device.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor

Length: TypeAlias = Tensor | float


def ellipse(x: Tensor, y: Tensor, half_width: Length, half_height: Length) -> Tensor:
    """First-order distance f / |∇f| with f = (x/a)² + (y/b)² − 1: exact on the outline."""
    across = x * _inverse(half_width)
    down = y * _inverse(half_height)
    level = across * across + down * down - 1.0
    across = across * _inverse(half_width)
    down = down * _inverse(half_height)
    slope = torch.sqrt(across * across + down * down)
    return level / (slope + slope).clamp_(min=1e-6)


def disc(x: Tensor, y: Tensor, radius: Length) -> Tensor:
    """Distance to a circle."""
    return torch.sqrt(x * x + y * y) - radius


def box(x: Tensor, y: Tensor, half_width: Length, half_height: Length, corner: float) -> Tensor:
    """Distance to a rectangle whose corners are rounded with radius `corner`."""
    across = x.abs() - half_width + corner
    down = y.abs() - half_height + corner
    outside = torch.sqrt(across.clamp(min=0.0) ** 2 + down.clamp(min=0.0) ** 2)
    return outside + torch.maximum(across, down).clamp_(max=0.0) - corner


def bow(x: Tensor, y: Tensor, half_width: Length, bend: Length, thickness: Length) -> Tensor:
    """Distance to a stroke along the parabola y = bend · (x / half_width)², |x| ≤ half_width.

    The stroke is `2 · thickness` wide and tapers to its ends. A positive `bend` lifts the middle
    (y points down): the ends hang.
    """
    along = x * _inverse(half_width)
    offset = y - along * along * bend
    slope = along * _inverse(half_width) * bend * 2.0
    distance = offset.abs() / torch.sqrt(slope * slope + 1.0)
    return torch.maximum(distance - thickness, x.abs() - half_width)


def _inverse(length: Length) -> Length:
    # A GPU divides by a Python number through its reciprocal, a CPU does not.
    return torch.ones_like(length) / length if isinstance(length, Tensor) else 1.0 / length
