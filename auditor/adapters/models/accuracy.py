"""Which answers of a network are right, on images as they are or changed by an adversary."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, assert_never

import torch
from torch import Tensor, nn

from auditor.adapters.models.losses import UNKNOWN_CLASS, Loss, image_losses
from auditor.adapters.models.preprocess import standardised
from auditor.adapters.models.training import OVERSTEP, perturbed
from auditor.measure.taps import borrowed
from auditor.spec.model import AdversarySpec, Preprocess

BATCH = 250


class Answers(NamedTuple):
    """Answers to each image: one per attribute, or one class.

    Attributes:
        right: bool [N, answers]; False where the truth is unknown.
        known: bool [N, answers], whether the truth is known.
    """

    right: Tensor
    known: Tensor


def answers(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    loss: Loss,
    preprocess: Preprocess,
    device: torch.device,
    adversary: AdversarySpec | None,
    seed: int = 0,
    on_batch: Callable[[int], object] | None = None,
) -> Answers:
    """Ask a network, in evaluation mode and in float32; it is left as found.

    The adversary drives up the summed loss of each image with `test_steps` steps of
    2.5 eps / test_steps, as the robustness library evaluates.

    Args:
        network: From normalised images to logits, on `device`.
        images: uint8 [N, 3, H, W] after resize and crop, on the CPU.
        targets: As `fit` takes them.
        loss: What the network was fitted with, which tells how its logits are read.
        preprocess: The network's mean and standard deviation.
        device: Where to compute.
        adversary: Who changes the images first; None for images as they are.
        seed: Seed of its random starts.
        on_batch: Called with the number of images after each batch.
    """
    starts = torch.Generator().manual_seed(seed)
    right: list[Tensor] = []
    known: list[Tensor] = []
    with borrowed(network):
        for part, truth in zip(
            torch.split(images, BATCH), torch.split(targets, BATCH), strict=True
        ):
            batch, wanted = part.to(device).float() / 255.0, truth.to(device)
            if adversary is not None:
                batch = _attacked(network, batch, wanted, loss, preprocess, adversary, starts)
            with torch.no_grad():
                logits = network(standardised(batch, preprocess))
            found = _judged(logits, wanted, loss)
            right.append(found.right.cpu())
            known.append(found.known.cpu())
            if on_batch is not None:
                on_batch(len(part))
    return Answers(torch.cat(right), torch.cat(known))


def evaluation_step_size(adversary: AdversarySpec) -> float:
    """Length of a step when robust accuracy is measured."""
    return OVERSTEP * adversary.eps / adversary.test_steps


def _attacked(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    loss: Loss,
    preprocess: Preprocess,
    adversary: AdversarySpec,
    starts: torch.Generator,
) -> Tensor:
    return perturbed(
        lambda moved: image_losses(network(standardised(moved, preprocess)), targets, loss),
        images,
        adversary,
        num_steps=adversary.test_steps,
        step_size=evaluation_step_size(adversary),
        generator=starts,
    )


def _judged(logits: Tensor, targets: Tensor, loss: Loss) -> Answers:
    match loss:
        case "multi_label":
            known = targets != 0
            return Answers(((logits > 0) == (targets > 0)) & known, known)
        case "multi_class":
            known = targets != UNKNOWN_CLASS
            return Answers(((logits.argmax(dim=1) == targets) & known)[:, None], known[:, None])
        case _:
            assert_never(loss)
