"""A batch of square pictures that shapes are painted on, with the part that owns each pixel.

A `Patch` is a window of the canvas seen in the coordinates of the person: the head's centre is the
origin, y points down, and half the side of the picture is one unit at zoom 1. Painting in windows
instead of over whole pictures is what makes two thousand portraits a second possible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from auditor.adapters.datasets.portraits.causal import Person
from auditor.spec.portraits import PARTS

ZOOM = (0.92, 1.08)
SHIFT_X = (-0.07, 0.07)
SHIFT_Y = (-0.16, -0.04)
HALF_TILT = (-0.045, 0.045)
"""Tangent of half the angle by which a person leans: up to 5°."""
BACKGROUND = 255


@dataclass(frozen=True)
class Pose:
    """Where each person stands on the canvas. All tensors have shape [B, 1, 1]."""

    centre_x: Tensor
    centre_y: Tensor
    zoom: Tensor
    cosine: Tensor
    sine: Tensor

    @classmethod
    def of(cls, person: Person) -> Pose:
        # From the tangent of half the angle, so that no sine has to be rounded.
        half = person.between("tilt", *HALF_TILT)
        norm = half * half + 1.0
        return cls(
            centre_x=person.between("centre_x", *SHIFT_X),
            centre_y=person.between("centre_y", *SHIFT_Y),
            zoom=person.between("zoom", *ZOOM),
            cosine=(1.0 - half * half) / norm,
            sine=(half + half) / norm,
        )

    def to_person(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """From canvas to person coordinates."""
        across, down = x - self.centre_x, y - self.centre_y
        u = (across * self.cosine + down * self.sine) / self.zoom
        v = (down * self.cosine - across * self.sine) / self.zoom
        return u, v

    def to_canvas(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """From person to canvas coordinates."""
        x = (u * self.cosine - v * self.sine) * self.zoom + self.centre_x
        y = (u * self.sine + v * self.cosine) * self.zoom + self.centre_y
        return x, y


@final
@dataclass(frozen=True)
class Patch:
    """A window of the canvas: coordinates, and the pixels to paint on."""

    u: Tensor
    """Person coordinate across, [B, h, w]."""
    v: Tensor
    """Person coordinate down, [B, h, w]."""
    sharpness: Tensor
    """Pixels per unit, [B, 1, 1]."""
    pixels: Tensor
    """View of the pictures, [B, 3, h, w] in [0, 1]."""
    owners: Tensor | None
    """View of the part numbers, uint8 [B, h, w]; None where nobody asked for them."""

    def paint(
        self,
        part: str | None,
        distance: Tensor,
        colour: Tensor,
        *,
        on: Tensor | None = None,
    ) -> None:
        """Paint the inside of a shape, opaque but for its edge, which is soft over one pixel.

        Args:
            part: The part that owns the painted pixels; None leaves the owners as they are.
            distance: Signed distance in person units, [B, h, w].
            colour: [B, 3, 1, 1].
            on: Who has the shape at all, bool [B, 1, 1]; None means everybody.
        """
        coverage = (distance * self.sharpness).neg_().add_(0.5).clamp_(0.0, 1.0)
        if on is not None:
            coverage *= on
        if self.owners is not None and part is not None:
            self.owners.masked_fill_(coverage >= 0.5, PARTS.index(part))
        self.pixels.add_((colour - self.pixels).mul_(coverage[:, None]))


@final
class Canvas:
    """The pictures of a batch of people, empty at first."""

    def __init__(self, person: Person, size: int, *, with_owners: bool) -> None:
        num_people, device = person.noise.shape[0], person.noise.device
        self.size = size
        self.pose = Pose.of(person)
        centres = (torch.arange(size, device=device, dtype=torch.float32) * 2.0 + 1.0) * (
            1.0 / size
        )
        self.x = (centres - 1.0)[None, None, :]
        self.y = (centres - 1.0)[None, :, None]
        self.u, self.v = self.pose.to_person(self.x, self.y)
        self.pixels = torch.zeros(num_people, 3, size, size, device=device)
        self.owners: Tensor | None = None
        if with_owners:
            self.owners = torch.full_like(self.u, BACKGROUND, dtype=torch.uint8)

    def patch(self, left: float, top: float, right: float, bottom: float) -> Patch:
        """The window that holds this rectangle of person coordinates, whatever the pose."""
        return self._cut(*window(self.size, left, top, right, bottom))

    def everywhere(self) -> Patch:
        """The whole canvas."""
        return self._cut(slice(None), slice(None))

    def _cut(self, columns: slice, rows: slice) -> Patch:
        return Patch(
            u=self.u[:, rows, columns],
            v=self.v[:, rows, columns],
            sharpness=self.pose.zoom * (self.size / 2),
            pixels=self.pixels[:, :, rows, columns],
            owners=None if self.owners is None else self.owners[:, rows, columns],
        )


def window(size: int, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
    """Columns and rows of the smallest window that holds the rectangle at every possible pose."""
    lean = 2 * math.atan(HALF_TILT[1])
    columns, rows = [], []
    for angle in (-lean, 0.0, lean):
        for zoom in ZOOM:
            for u in (left, right):
                for v in (top, bottom):
                    columns.append(zoom * (u * math.cos(angle) - v * math.sin(angle)))
                    rows.append(zoom * (u * math.sin(angle) + v * math.cos(angle)))
    return (
        _pixels(size, min(columns) + SHIFT_X[0], max(columns) + SHIFT_X[1]),
        _pixels(size, min(rows) + SHIFT_Y[0], max(rows) + SHIFT_Y[1]),
    )


def _pixels(size: int, low: float, high: float) -> slice:
    # One pixel more on each side: the soft edge of a shape reaches half a pixel beyond it.
    first = math.floor((low + 1) / 2 * size) - 1
    last = math.ceil((high + 1) / 2 * size) + 1
    return slice(max(first, 0), min(last, size))
