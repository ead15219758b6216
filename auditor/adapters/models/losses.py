"""Losses of the recipes: how far a network's logits are from its targets."""

from __future__ import annotations

from typing import Literal, NamedTuple, assert_never

from torch import Tensor, nn

UNKNOWN_CLASS = -1

Loss = Literal["multi_label", "multi_class"]
"""Logistic loss per attribute, or cross entropy on the class."""


class Losses(NamedTuple):
    """Losses of single answers.

    Attributes:
        values: [B, outputs] for `multi_label`, [B] for `multi_class`; 0 where the target is
            unknown.
        known: Whether the target is known, of the same shape.
    """

    values: Tensor
    known: Tensor


def losses_of(logits: Tensor, targets: Tensor, loss: Loss) -> Losses:
    """The loss of every answer.

    Args:
        logits: [B, outputs].
        targets: [B, outputs] in {+1, −1, 0 unknown} for `multi_label`; int64 [B] class indices,
            −1 unknown, for `multi_class`.
        loss: Which loss.
    """
    match loss:
        case "multi_label":
            # log(1 + exp(−yY)) with y in {−1, +1}: Zhang, Wang and Zhu, AAAI 2018.
            known = targets != 0
            return Losses(nn.functional.softplus(-targets * logits) * known, known)
        case "multi_class":
            values = nn.functional.cross_entropy(
                logits, targets, ignore_index=UNKNOWN_CLASS, reduction="none"
            )
            return Losses(values, targets != UNKNOWN_CLASS)
        case _:
            assert_never(loss)


def batch_loss(logits: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """The mean over what is known of a batch; 0 where nothing is."""
    values, known = losses_of(logits, targets, loss)
    return values.sum() / known.sum().clamp(min=1)


def image_losses(logits: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """The summed loss of each image [B], which an adversary drives up; 0 where nothing is known."""
    values, _ = losses_of(logits, targets, loss)
    return values.flatten(1).sum(1) if values.ndim > 1 else values
