"""Losses that turn a predicted vector towards the direction of its concept, among all concepts.

Each is a function of the cosines of the prediction v with the classes' directions v_j, and t is the
class that it should point to.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

Loss = Literal["hinge", "cosine", "softmax"]

TEMPERATURE = 0.1
"""Of the softmax loss: cosines are divided by it."""

_TINY = 1e-12


class Slope(NamedTuple):
    """A loss and its gradient.

    Attributes:
        loss: Mean over the batch, one number.
        gradient: With respect to what was predicted [B, D].
    """

    loss: Tensor
    gradient: Tensor


def loss_slope(
    predicted: Tensor, targets: Tensor, units: Tensor, *, loss: Loss, margin: float
) -> Slope:
    """A loss, and its gradient in closed form.

    All losses are functions of the cosines c_j of v with the classes. With weights w_j = ∂L/∂c_j
    and p = Σ_j w_j v_j the gradient is (p - (p·v̂) v̂) / ‖v‖, where v̂ = v/‖v‖.

    Args:
        predicted: v [B, D].
        targets: int64 [B].
        units: v_j [C, D], rows of length 1.
        loss: `hinge`: Σ_{j≠t} max(0, margin - c_t + c_j); `softmax`: cross entropy of c/0.1;
            `cosine`: 1 - c_t.
        margin: Of the hinge.
    """
    norms = torch.linalg.vector_norm(predicted, dim=1, keepdim=True).clamp(min=_TINY)
    found = predicted / norms
    cosines, own = found @ units.T, targets[:, None]
    if loss == "hinge":
        active = hinges(cosines, targets, margin)
        # The target's own hinge is worth the margin everywhere.
        total, weights = active.sum() - margin * len(targets), active.sign_()
        weights.scatter_add_(1, own, -weights.sum(1, keepdim=True))
    elif loss == "softmax":
        logs = (cosines / TEMPERATURE).log_softmax(1)
        total, weights = -logs.gather(1, own).sum(), logs.exp_()
        weights.scatter_add_(1, own, -torch.ones_like(own, dtype=weights.dtype))
        weights.div_(TEMPERATURE)
    else:
        total = (1 - cosines.gather(1, own)).sum()
        weights = torch.zeros_like(cosines).scatter_(1, own, -1.0)
    pull = (weights @ units).div_(len(targets))
    along = torch.linalg.vecdot(pull, found)[:, None]
    return Slope(total / len(targets), pull.addcmul_(found, along, value=-1.0).div_(norms))


def hinges(cosines: Tensor, targets: Tensor, margin: float) -> Tensor:
    """max(0, margin - c_t + c_j) [B, C], the target's own (the margin) among them."""
    return (cosines + (margin - cosines.gather(1, targets[:, None]))).relu()


def unit(rows: Tensor) -> Tensor:
    """Rows at length 1; a row of zeros stays as it is."""
    return normalize(rows, dim=1, eps=_TINY)
