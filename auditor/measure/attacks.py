"""Projected gradient ascent: change images within a ball, as far as an objective rises by it.

One kernel for adversarial training, for robust accuracy and for feature attacks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, assert_never

import torch
from torch import Tensor

Norm = Literal["l2", "linf"]
"""Norm of the ball: root of the summed squares, or the largest change of any value."""


def ascend(
    objective: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    norm: Norm,
    eps: float,
    num_steps: int,
    step_size: float,
    start: Tensor | None = None,
) -> Tensor:
    """Maximise an objective for each image over the images in [0, 1] that lie in its ball.

    Every step goes `step_size` along the normalised gradient (l2: g / ‖g‖₂; linf: sign g), back
    onto the ball, then into [0, 1] (Madry et al., ICLR 2018, section 2.1; the l2 step as in the
    robustness library's `L2Step`). The centre lies in the box, so the second projection never
    leaves the ball again. An image whose gradient is zero or not finite stays where it is.

    Args:
        objective: From images [B, 3, H, W] to one number per image [B]; differentiable, and each
            number depends on its own image alone (a network in evaluation mode).
        images: float [B, 3, H, W] in [0, 1], the centres of the balls.
        norm: Norm of the ball and of the steps.
        eps: Radius of the ball, for images in [0, 1].
        num_steps: Gradient steps.
        step_size: Length of a step in that norm.
        start: Where to start, [B, 3, H, W] inside ball and box; the images themselves by default.

    Returns:
        float [B, 3, H, W], detached, in the ball (up to rounding) and in [0, 1].
    """
    centre = images.detach()
    found = centre if start is None else start.detach()
    for _ in range(num_steps):
        with torch.enable_grad():
            moving = found.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(objective(moving).sum(), moving)
        found = into_ball(found + step_size * direction(gradient, norm), centre, norm, eps)
    return found


def random_start(images: Tensor, *, norm: Norm, eps: float, generator: torch.Generator) -> Tensor:
    """A point drawn uniformly from each image's ball, then moved into [0, 1].

    Uniform in an l2 ball of d dimensions: a normal vector of length one times eps · u^(1/d) with u
    uniform in [0, 1] (Muller, CACM 1959).

    Args:
        images: float [B, 3, H, W] in [0, 1].
        norm: Norm of the ball.
        eps: Its radius.
        generator: Source of every draw, on the device of the generator; its draws are then moved.

    Returns:
        float [B, 3, H, W] on the device of `images`.
    """
    place = generator.device
    match norm:
        case "l2":
            draws = torch.randn(images.shape, generator=generator, device=place)
            radius = torch.rand(len(images), generator=generator, device=place)
            radius **= 1 / images[0].numel()
            change = direction(draws, norm) * (eps * radius).view(-1, 1, 1, 1)
        case "linf":
            change = eps * (2 * torch.rand(images.shape, generator=generator, device=place) - 1)
        case _:
            assert_never(norm)
    return into_ball(images + change.to(images), images, norm, eps)


def direction(gradient: Tensor, norm: Norm) -> Tensor:
    """The steepest change of length one, per image [B, ...]; zero where there is none."""
    usable = gradient.flatten(1).isfinite().all(dim=1).view(-1, 1, 1, 1)
    gradient = torch.where(usable, gradient, 0.0)
    match norm:
        case "l2":
            # Divided by the largest value first: squares of tiny gradients would vanish.
            largest = gradient.flatten(1).abs().amax(dim=1).view(-1, 1, 1, 1)
            scaled = torch.where(largest > 0, gradient / largest, 0.0)
            lengths = scaled.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            return torch.where(largest > 0, scaled / lengths, 0.0)
        case "linf":
            return gradient.sign()
        case _:
            assert_never(norm)


def into_ball(found: Tensor, centre: Tensor, norm: Norm, eps: float) -> Tensor:
    """The nearest point of each image's ball, then of the box [0, 1]; all [B, 3, H, W]."""
    change = found - centre
    match norm:
        case "l2":
            lengths = change.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            change = torch.where(lengths > eps, change * (eps / lengths), change)
        case "linf":
            change = change.clamp(-eps, eps)
        case _:
            assert_never(norm)
    return (centre + change).clamp(0.0, 1.0)
