"""Below the head: clothes with or without stripes, neck, necklace, tie, badge."""

from __future__ import annotations

import torch
from torch import Tensor

from auditor.adapters.datasets.portraits.canvas import Canvas
from auditor.adapters.datasets.portraits.causal import Person
from auditor.adapters.datasets.portraits.palette import (
    BADGES,
    PEARLS,
    SHIRTS,
    TIES,
    WHITE,
    blend,
    shaded,
)
from auditor.adapters.datasets.portraits.shapes import bow, box, disc, ellipse


def clothes(canvas: Canvas, person: Person) -> None:
    """A shirt with round shoulders; stripes run across all of it."""
    patch = canvas.patch(-1.3, 0.5, 1.3, 1.5)
    half_width = person.between("shoulder_width", 0.66, 0.76)
    torso = box(patch.u, patch.v - 1.2, half_width, 0.63, 0.3)
    colour = shaded(person.pick("shirt_colour", SHIRTS), person.between("shirt_shade", 0.85, 1.1))
    patch.paint("clothes", torso, colour * 0.6)
    inside = torso + 0.035
    patch.paint("clothes", inside, colour)
    period = person.between("stripe_width", 0.2, 0.23)
    phase = patch.v / period
    band = ((phase - torch.round(phase)).abs() - 0.22) * period
    stripe = torch.maximum(band, inside)
    pale = blend(colour, person.colours([WHITE]), person.between("stripe_strength", 0.3, 0.85))
    patch.paint("clothes", stripe, pale, on=person.has("stripes"))


def neck(canvas: Canvas, skin: Tensor) -> None:
    """The neck and a round neckline."""
    patch = canvas.patch(-0.24, 0.3, 0.24, 0.74)
    throat = box(patch.u, patch.v - 0.45, 0.14, 0.2, 0.05)
    neckline = ellipse(patch.u, patch.v - 0.6, 0.2, 0.09)
    patch.paint("neck", torch.minimum(throat, neckline), skin * 0.86)


def necklace(canvas: Canvas, person: Person) -> None:
    """A string of pearls on the chest, wider than a tie."""
    patch = canvas.patch(-0.34, 0.5, 0.34, 0.88)
    thickness = person.between("pearl_size", 0.03, 0.05)
    string = bow(patch.u, patch.v - 0.78, 0.29, -0.2, thickness)
    on, pearls = person.has("necklace"), person.pick("pearl_colour", PEARLS)
    patch.paint("necklace", string - 0.012, pearls * 0.5, on=on)
    patch.paint("necklace", string, pearls, on=on)


def necktie(canvas: Canvas, person: Person) -> None:
    """A knot and a blade that widens downwards."""
    patch = canvas.patch(-0.2, 0.6, 0.2, 1.3)
    knot = box(patch.u, patch.v - 0.7, 0.085, 0.06, 0.03)
    slope = person.between("tie_width", 0.08, 0.2)
    blade = torch.maximum(patch.u.abs() - (patch.v - 0.7) * slope - 0.045, 0.7 - patch.v)
    tie = torch.minimum(knot, blade)
    on, colour = person.has("necktie"), person.pick("tie_colour", TIES)
    patch.paint("necktie", tie, colour * 0.6, on=on)
    patch.paint("necktie", tie + 0.02, colour, on=on)


def badge(canvas: Canvas, person: Person) -> None:
    """A round badge with a white rim on one side of the chest."""
    patch = canvas.patch(0.22, 0.74, 0.58, 1.08)
    x, y = patch.u - person.between("badge_place", 0.36, 0.42), patch.v - 0.9
    on = person.has("badge")
    rim = disc(x, y, person.between("badge_size", 0.09, 0.12))
    patch.paint("badge", rim, person.colours([WHITE]), on=on)
    patch.paint("badge", rim + 0.03, person.pick("badge_colour", BADGES), on=on)
