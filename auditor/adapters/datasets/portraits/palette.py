"""The colours, as (red, green, blue) in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from auditor.adapters.datasets.portraits.causal import Colour

WHITE: Colour = (0.98, 0.98, 0.96)
DARK: Colour = (0.13, 0.1, 0.12)
WOOD: Colour = (0.52, 0.36, 0.24)
GOLD: Colour = (0.93, 0.75, 0.28)

SKINS: tuple[Colour, ...] = ((0.98, 0.83, 0.72), (0.83, 0.62, 0.46), (0.52, 0.35, 0.26))
"""By the values of the group `skin`."""
BLOND_HAIR: tuple[Colour, ...] = ((0.96, 0.83, 0.42), (0.9, 0.74, 0.36), (0.82, 0.66, 0.36))
DARK_HAIR: tuple[Colour, ...] = ((0.16, 0.12, 0.12), (0.3, 0.18, 0.12), (0.46, 0.3, 0.17))
BEARDS: tuple[Colour, ...] = ((0.15, 0.11, 0.1), (0.27, 0.16, 0.1), (0.36, 0.15, 0.08))
IRISES: tuple[Colour, ...] = ((0.3, 0.2, 0.12), (0.2, 0.42, 0.62), (0.24, 0.46, 0.3))
LIPS: tuple[Colour, ...] = ((0.86, 0.08, 0.2), (0.75, 0.05, 0.3), (0.9, 0.16, 0.1))
BLUSH: Colour = (0.96, 0.36, 0.42)
FRAMES: tuple[Colour, ...] = ((0.1, 0.1, 0.12), (0.12, 0.2, 0.5), (0.5, 0.1, 0.12))
HATS: tuple[Colour, ...] = (
    (0.2, 0.32, 0.58), (0.66, 0.2, 0.22), (0.2, 0.44, 0.34), (0.36, 0.26, 0.46),
)  # fmt: skip
SHIRTS: tuple[Colour, ...] = (
    (0.26, 0.45, 0.68), (0.36, 0.56, 0.42), (0.56, 0.38, 0.58), (0.7, 0.42, 0.34),
    (0.3, 0.52, 0.56), (0.42, 0.42, 0.48),
)  # fmt: skip
TIES: tuple[Colour, ...] = ((0.8, 0.2, 0.22), (0.9, 0.62, 0.2), (0.24, 0.2, 0.42), (0.2, 0.36, 0.3))
PEARLS: tuple[Colour, ...] = ((0.98, 0.96, 0.88), (0.98, 0.84, 0.4))
EARRINGS: tuple[Colour, ...] = ((0.1, 0.8, 0.8), (0.98, 0.3, 0.62), (0.36, 0.9, 0.36))
BADGES: tuple[Colour, ...] = ((0.92, 0.16, 0.2), (0.1, 0.42, 0.85), (0.98, 0.72, 0.1))
FLOWERS: tuple[Colour, ...] = ((0.98, 0.45, 0.66), (0.98, 0.98, 0.98), (0.72, 0.5, 0.96))
STUDIOS: tuple[Colour, ...] = ((0.82, 0.8, 0.76), (0.66, 0.74, 0.8), (0.78, 0.7, 0.76))
SKIES: tuple[Colour, ...] = ((0.6, 0.8, 0.95), (0.78, 0.86, 0.92), (0.96, 0.8, 0.66))
MEADOWS: tuple[Colour, ...] = ((0.46, 0.66, 0.36), (0.58, 0.7, 0.4), (0.4, 0.58, 0.42))
WALLS: tuple[Colour, ...] = ((0.86, 0.76, 0.62), (0.7, 0.78, 0.68), (0.84, 0.7, 0.68))


def shaded(colour: Tensor, shade: Tensor) -> Tensor:
    """The colour [B, 3, 1, 1] times a brightness [B, 1, 1]."""
    return (colour * shade[:, None]).clamp_(0.0, 1.0)


def blend(faint: Tensor, full: Tensor, strength: Tensor) -> Tensor:
    """From the one colour at strength 0 to the other at strength 1; colours [B, 3, 1, 1]."""
    return faint + (full - faint) * strength[:, None]


def choose(mask: Tensor, present: Tensor, absent: Tensor) -> Tensor:
    """One colour where the mask [B, 1, 1] holds, another elsewhere."""
    return torch.where(mask[:, None], present, absent)
