"""What is worn on the head: glasses, hat, earrings, flower."""

from __future__ import annotations

import torch
from torch import Tensor

from auditor.adapters.datasets.portraits.anatomy import Anatomy
from auditor.adapters.datasets.portraits.canvas import Canvas
from auditor.adapters.datasets.portraits.causal import Person
from auditor.adapters.datasets.portraits.palette import (
    EARRINGS,
    FLOWERS,
    FRAMES,
    GOLD,
    HATS,
    blend,
)
from auditor.adapters.datasets.portraits.shapes import box, disc

PETALS = ((0.0, -0.075), (0.071, -0.023), (0.044, 0.061), (-0.044, 0.061), (-0.071, -0.023))
"""Centres of five petals: the corners of a regular pentagon."""


def glasses(canvas: Canvas, person: Person, anatomy: Anatomy, skin: Tensor) -> None:
    """Two round frames and a bridge."""
    patch = canvas.patch(-0.4, -0.24, 0.4, 0.2)
    x, y = patch.u.abs() - anatomy.eye_x, patch.v - anatomy.eye_y - 0.01
    radius = person.between("frame_size", 0.135, 0.15)
    ring = disc(x, y, radius).abs() - person.between("frame_weight", 0.02, 0.024)
    bridge = box(patch.u, y, anatomy.eye_x - radius, 0.024, 0.0)
    temple = box(x - 0.2, y, 0.07, 0.022, 0.0)
    frame = torch.minimum(torch.minimum(ring, bridge), temple)
    strength = person.between("frame_strength", 0.4, 1.0)
    colour = blend(skin, person.pick("frame_colour", FRAMES), strength)
    patch.paint("glasses", frame, colour, on=person.has("glasses"))


def hat(canvas: Canvas, person: Person, anatomy: Anatomy) -> None:
    """A crown with a band, and a brim that ends above the fringe."""
    patch = canvas.patch(-0.66, -1.0, 0.66, -0.3)
    height = person.between("hat_height", 0.11, 0.2)
    crown = box(patch.u, patch.v + 0.44 + height, anatomy.face_width - 0.04, height, 0.12)
    brim = box(patch.u, patch.v + 0.43, anatomy.face_width + 0.2, 0.05, 0.05)
    band = torch.maximum(crown, -0.56 - patch.v)
    on, colour = person.has("hat"), person.pick("hat_colour", HATS)
    patch.paint("hat", torch.minimum(crown, brim), colour * 0.5, on=on)
    patch.paint("hat", torch.minimum(crown, brim) + 0.025, colour, on=on)
    patch.paint("hat", band, colour * 0.4 + 0.5, on=on)


def earrings(canvas: Canvas, person: Person, anatomy: Anatomy) -> None:
    """Bright drops below both ears, in front of any hair."""
    patch = canvas.patch(-0.6, 0.08, 0.6, 0.36)
    x, y = patch.u.abs() - anatomy.ear_x - 0.02, patch.v - 0.215
    drop = disc(x, y, person.between("earring_size", 0.05, 0.07))
    on, colour = person.has("earrings"), person.pick("earring_colour", EARRINGS)
    patch.paint("earrings", drop - 0.01, colour * 0.6, on=on)
    patch.paint("earrings", drop + 0.01, colour, on=on)


def flower(canvas: Canvas, person: Person, anatomy: Anatomy) -> None:
    """A blossom at the temple, over hair and hat."""
    patch = canvas.patch(0.22, -0.52, 0.66, -0.1)
    x, y = patch.u - anatomy.face_width - 0.04, patch.v + 0.3
    growth = person.between("flower_size", 0.65, 1.0)
    x, y = x / growth, y / growth
    petals = disc(x - PETALS[0][0], y - PETALS[0][1], 0.07)
    for across, down in PETALS[1:]:
        petals = torch.minimum(petals, disc(x - across, y - down, 0.07))
    petals = petals * growth
    on, colour = person.has("flower"), person.pick("flower_colour", FLOWERS)
    patch.paint("flower", petals - 0.012, colour * 0.5, on=on)
    patch.paint("flower", petals, colour, on=on)
    patch.paint("flower", disc(x, y, 0.045) * growth, person.colours([GOLD]), on=on)
