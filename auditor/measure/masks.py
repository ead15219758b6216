"""Inference-pattern masks ρ: which units of a layer carry the score of one attribute.

Zhang et al. (AAAI 2018) ask for ρ = argmin E[(Σ_{k∉ρ} c_k)²] + λ|ρ|, where c_k = ν_k x_k is what
unit k contributes to the score of an image, and solve it greedily. The gain of adding k to ρ is
2 E[r c_k] - E[c_k²] - λ with r the contribution still outside. λ enters every gain alike, so the
greedy order does not depend on it: one path serves every λ.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_BLOCK = 256


class GreedyPath(NamedTuple):
    """The order in which units are added.

    Attributes:
        order: Unit indices [T], int64.
        gains: 2 E[r c_k] - E[c_k²] when each was added, without λ [T], float64. Where one gain
            falls to λ or below, the mask for that λ ends before it.
        num_evaluated: How many gains were computed; the bound spared the other T·N.
    """

    order: Tensor
    gains: Tensor
    num_evaluated: int


def greedy_path(
    contributions: Tensor, *, max_units: int, smallest_penalty: float = 0.0
) -> GreedyPath:
    """Add one unit at a time, always the one with the largest gain.

    The moments with all other units are never formed. By Cauchy-Schwarz a gain is at most
    2 ‖r‖ ‖c_k‖ - ‖c_k‖², and at most its last known value plus 2 ‖c_k‖ times the norms of the units
    added since; a unit whose bound does not reach the best known gain is not looked at. The result
    is that of the full search; among equal gains the lowest index wins.

    Args:
        contributions: c [I, N], one row per image.
        max_units: The path ends after this many units.
        smallest_penalty: The smallest λ of interest; the path ends where no gain is above it.
    """
    num_units = contributions.shape[1]
    c = contributions.double()
    residual = c.sum(1)
    energy = c.square().mean(0)
    norms = energy.sqrt()
    bound = torch.full_like(energy, torch.inf)
    taken = torch.zeros(num_units, dtype=torch.bool, device=c.device)
    order: list[int] = []
    gains: list[float] = []
    num_evaluated = 0
    while len(order) < min(max_units, num_units):
        size = residual.square().mean().sqrt()
        ceiling = torch.minimum(bound, 2 * size * norms - energy).masked_fill(taken, -torch.inf)
        # Rounding must not hide a winner behind a bound that is equal to it.
        ceiling = ceiling + 1e-12 * size.square()
        best, winner, seen = _best_gain(c, residual, energy, ceiling, bound, smallest_penalty)
        num_evaluated += seen
        if winner is None:
            break
        order.append(winner)
        gains.append(best)
        taken[winner] = True
        residual = residual - c[:, winner]
        # E[r c_k] changes by at most ‖c_winner‖ ‖c_k‖.
        bound = bound + 2 * norms[winner] * norms
    device = contributions.device
    return GreedyPath(
        torch.tensor(order, dtype=torch.int64, device=device),
        torch.tensor(gains, dtype=torch.float64, device=device),
        num_evaluated,
    )


def path_mask(path: GreedyPath, num_units: int, *, penalty: float) -> Tensor:
    """The mask [N] that the path reaches for one λ: it ends before the first gain not above λ."""
    stops = (path.gains <= penalty).nonzero()
    end = int(stops[0]) if len(stops) else len(path.order)
    mask = torch.zeros(num_units, dtype=torch.bool, device=path.order.device)
    mask[path.order[:end]] = True
    return mask


def threshold_mask(energy: Tensor, *, fraction: float = 0.05) -> Tensor:
    """An approximation: the given share of units with the largest E[c_k²], at least one [N].

    It ignores that units cancel or repeat each other, and was measured to hurt shallow layers.

    Args:
        energy: E[c_k²] or any multiple of it [N].
        fraction: Share of units to keep.

    Raises:
        ValueError: when the fraction is outside [0, 1].
    """
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"a fraction lies in [0, 1], not {fraction}")
    kept = max(1, round(fraction * energy.numel()))
    mask = torch.zeros(energy.numel(), dtype=torch.bool, device=energy.device)
    mask[energy.argsort(descending=True, stable=True)[:kept]] = True
    return mask


def _best_gain(
    c: Tensor, residual: Tensor, energy: Tensor, ceiling: Tensor, bound: Tensor, floor: float
) -> tuple[float, int | None, int]:
    """Largest gain above the floor; evaluates blocks in the order of their ceilings.

    `bound` takes the evaluated gains: they are the freshest bounds there are.
    """
    candidates = ceiling.argsort(descending=True, stable=True)
    ceilings = ceiling[candidates]
    best, winner, seen = floor, None, 0
    for start in range(0, len(candidates), _BLOCK):
        if float(ceilings[start]) <= best:
            break
        block = candidates[start : start + _BLOCK]
        block = block[ceilings[start : start + _BLOCK] > best]
        gains = 2 * (residual @ c[:, block]) / len(c) - energy[block]
        bound[block] = gains
        seen += len(block)
        top = float(gains.max())
        if top > best or (top == best and winner is not None):
            index = int(block[gains == top].min())
            winner = index if top > best or winner is None else min(winner, index)
            best = top
    return best, winner, seen
