"""The head: hair, ears, face, cheeks, beard, eyes, brows, nose, mouth, mustache."""

from __future__ import annotations

import torch
from torch import Tensor

from auditor.adapters.datasets.portraits.anatomy import Anatomy
from auditor.adapters.datasets.portraits.canvas import Canvas
from auditor.adapters.datasets.portraits.causal import Person
from auditor.adapters.datasets.portraits.palette import (
    BEARDS,
    BLOND_HAIR,
    BLUSH,
    DARK,
    DARK_HAIR,
    IRISES,
    LIPS,
    SKINS,
    WHITE,
    blend,
    choose,
    shaded,
)
from auditor.adapters.datasets.portraits.shapes import bow, box, disc, ellipse


def skin_colour(person: Person) -> Tensor:
    """The group's tone, lighter or darker and warmer or cooler from person to person."""
    tone = shaded(person.tone("skin", SKINS), person.between("skin_tone", 0.93, 1.05))
    warmth = person.between("skin_warmth", -0.015, 0.015)
    return torch.stack((tone[:, 0] + warmth, tone[:, 1], tone[:, 2] - warmth), dim=1)


def hair_colour(person: Person) -> Tensor:
    """Blond, or one of the darker colours."""
    light = person.pick("hair_colour", BLOND_HAIR)
    dark = person.pick("hair_colour", DARK_HAIR)
    colour = choose(person.has("blond"), light, dark)
    return shaded(colour, person.between("hair_shade", 0.92, 1.06))


def long_hair(canvas: Canvas, person: Person, colour: Tensor) -> None:
    """Hair that falls on the shoulders, behind neck and ears."""
    patch = canvas.patch(-0.62, -0.3, 0.62, 0.84)
    bottom = person.between("hair_length", 0.48, 0.78)
    fall = box(patch.u, patch.v - bottom + 0.5, 0.54, 0.5, 0.16)
    fall = torch.maximum(fall, -0.2 - patch.v)
    on = person.has("longhair")
    patch.paint("hair", fall, colour * 0.7, on=on)
    patch.paint("hair", fall + 0.035, colour * 0.92, on=on)


def hair(canvas: Canvas, person: Person, anatomy: Anatomy, colour: Tensor) -> None:
    """The hair around the head; the face is drawn over it."""
    patch = canvas.patch(-0.64, -0.72, 0.64, 0.26)
    volume = person.between("hair_volume", 0.1, 0.14)
    shape = ellipse(patch.u, patch.v + 0.12, anatomy.face_width + volume, 0.5)
    shape = torch.maximum(shape, patch.v - 0.16)
    patch.paint("hair", shape, colour * 0.7)
    patch.paint("hair", shape + 0.03, colour)


def ears(canvas: Canvas, person: Person, anatomy: Anatomy, skin: Tensor) -> None:
    """Ears end at the same height, small or big, so that earrings always hang free."""
    patch = canvas.patch(-0.66, -0.26, 0.66, 0.2)
    x, y = patch.u.abs() - anatomy.ear_x, patch.v - anatomy.ear_y
    growth = person.between("ear_size", 0.85, 1.1)
    half_width = person.choose("bigears", 0.135, 0.07) * growth
    lobe = ellipse(x, y, half_width, person.choose("bigears", 0.17, 0.085))
    patch.paint("ears", lobe, skin * 0.66)
    patch.paint("ears", lobe + 0.03, skin * 0.94)


def face(canvas: Canvas, anatomy: Anatomy, skin: Tensor) -> None:
    """An oval, a little darker at its rim."""
    patch = canvas.patch(-0.44, -0.46, 0.44, 0.56)
    oval = ellipse(patch.u, patch.v - 0.06, anatomy.face_width, anatomy.face_height - 0.02)
    patch.paint("face", oval, skin * 0.78)
    patch.paint("face", oval + 0.03, skin)


def wrinkles(canvas: Canvas, person: Person, anatomy: Anatomy, skin: Tensor) -> None:
    """Lines beside the nose and below the eyes of seniors."""
    patch = canvas.patch(-0.3, 0.06, 0.3, 0.3)
    x = patch.u.abs()
    fold = box(x - 0.19 - (patch.v - 0.25) * 0.4, patch.v - 0.24, 0.014, 0.05, 0.01)
    bag = bow(x - anatomy.eye_x, patch.v - anatomy.eye_y - 0.15, 0.07, -0.03, 0.014)
    lines = torch.minimum(fold, bag)
    patch.paint(None, lines, skin * 0.72, on=person.belongs("age", "senior"))


def fringe(canvas: Canvas, person: Person, anatomy: Anatomy, colour: Tensor) -> None:
    """Bangs: three locks over the forehead, which end above the brows."""
    patch = canvas.patch(-0.44, -0.46, 0.44, -0.14)
    oval = ellipse(patch.u, patch.v - 0.06, anatomy.face_width, anatomy.face_height - 0.02)
    wave = patch.u * 4.0
    wave = (wave - torch.round(wave)).abs()
    ends = anatomy.brow_y - person.between("fringe_length", 0.04, 0.075)
    locks = torch.maximum(oval, patch.v - ends + wave * 0.08)
    patch.paint("hair", locks, colour * 0.8, on=person.has("bangs"))
    patch.paint("hair", locks + 0.025, colour, on=person.has("bangs"))


def cheeks(canvas: Canvas, person: Person, anatomy: Anatomy, skin: Tensor) -> None:
    """Rosy cheeks."""
    patch = canvas.patch(-0.38, 0.06, 0.38, 0.32)
    spot = ellipse(patch.u.abs() - anatomy.face_width * 0.66, patch.v - 0.19, 0.09, 0.075)
    pink = blend(skin, person.colours([BLUSH]), person.between("blush_strength", 0.55, 0.9))
    patch.paint("cheeks", spot, pink, on=person.has("blush"))


def beard(canvas: Canvas, person: Person, anatomy: Anatomy, skin: Tensor) -> None:
    """A full beard along the jaw that leaves the mouth free."""
    patch = canvas.patch(-0.48, 0.1, 0.48, 0.66)
    length = person.between("beard_length", 0.02, 0.06)
    outer = ellipse(
        patch.u, patch.v - 0.08, anatomy.face_width + 0.015, anatomy.face_height - 0.02 + length
    )
    inner = ellipse(patch.u, patch.v - 0.12, anatomy.face_width - 0.1, 0.3)
    whiskers = torch.maximum(torch.maximum(outer, -inner), 0.16 - patch.v)
    density = person.between("beard_density", 0.4, 1.0)
    colour = blend(skin, person.pick("beard_colour", BEARDS), density)
    patch.paint("beard", whiskers, colour, on=person.has("beard"))


def mustache(canvas: Canvas, person: Person, skin: Tensor) -> None:
    """A mustache between nose and mouth."""
    patch = canvas.patch(-0.2, 0.14, 0.2, 0.34)
    x = patch.u.abs()
    thickness = person.between("mustache_size", 0.036, 0.05)
    shape = ellipse(x - 0.07, patch.v - 0.225 - x * 0.25, 0.1, thickness)
    density = person.between("mustache_density", 0.5, 1.0)
    colour = blend(skin, person.pick("beard_colour", BEARDS), density)
    patch.paint("mustache", shape, colour, on=person.has("mustache"))


def eyes(canvas: Canvas, person: Person, anatomy: Anatomy) -> None:
    """Two open eyes, or the viewer's left one closed in a wink."""
    patch = canvas.patch(-0.32, -0.15, 0.32, 0.12)
    x, y = patch.u.abs() - anatomy.eye_x, patch.v - anatomy.eye_y
    winking = person.has("winking")
    is_open = ~(winking & (patch.u < 0.0))
    size = anatomy.eye_size
    white = ellipse(x, y, size * 0.095, size * 0.085)
    ink = person.colours([DARK])
    patch.paint("eyes", white - 0.012, ink, on=is_open)
    patch.paint("eyes", white + 0.012, person.colours([WHITE]), on=is_open)
    patch.paint("eyes", disc(x, y, size * 0.055), person.pick("iris_colour", IRISES), on=is_open)
    patch.paint("eyes", disc(x, y, size * 0.03), ink, on=is_open)
    lid = bow(x, y, size * 0.1, 0.07, 0.022)
    patch.paint("eyes", lid, ink, on=winking & (patch.u < 0.0))


def brows(canvas: Canvas, person: Person, anatomy: Anatomy) -> None:
    """Thin or bushy brows, dark whatever the hair."""
    patch = canvas.patch(-0.34, -0.3, 0.34, -0.06)
    x, y = patch.u.abs() - anatomy.eye_x, patch.v - anatomy.brow_y
    thickness = person.choose("bushybrows", 0.046, 0.023) * person.between("brow_size", 1.0, 1.12)
    stroke = bow(x, y, 0.115, 0.03, thickness)
    patch.paint("brows", stroke, person.colours([DARK]))


def nose(canvas: Canvas, person: Person, anatomy: Anatomy, skin: Tensor) -> None:
    """A small or a big nose, a little redder than the face."""
    patch = canvas.patch(-0.2, -0.06, 0.2, 0.28)
    growth = person.between("nose_size", 0.95, 1.08)
    half_width = person.choose("bignose", 0.16, 0.038) * growth
    half_height = person.choose("bignose", 0.115, 0.045) * growth
    shape = ellipse(patch.u, patch.v - anatomy.nose_y, half_width, half_height)
    red = skin * person.colours([(0.97, 0.7, 0.64)])
    patch.paint("nose", shape, skin * 0.5)
    patch.paint("nose", shape + 0.026, red)


def mouth(canvas: Canvas, person: Person, anatomy: Anatomy, skin: Tensor) -> None:
    """A smile with teeth, or a short straight mouth; lips in their own colour or painted."""
    patch = canvas.patch(-0.24, 0.2, 0.24, 0.44)
    smiling = person.has("smiling")
    width = person.between("mouth_width", 0.95, 1.05) * person.choose("smiling", 0.2, 0.12)
    bend = person.choose("smiling", -0.1, 0.01) + person.between("mouth_bend", -0.02, 0.02)
    natural, painted = skin * 0.55, person.pick("lip_colour", LIPS)
    painted = blend(natural, painted, person.between("lip_strength", 0.6, 1.0))
    colour = choose(person.has("lipstick"), painted, natural)
    # A smile opens downwards: its corners stay at the height of a closed mouth.
    y = patch.v - anatomy.mouth_y - person.choose("smiling", 0.05, 0.0)
    lips = bow(patch.u, y, width, bend, person.choose("lipstick", 0.038, 0.03))
    along = patch.u / width
    teeth = torch.maximum(y - along * along * bend, -0.075 - y)
    teeth = torch.maximum(teeth, patch.u.abs() - width)
    patch.paint("mouth", teeth, person.colours([WHITE]), on=smiling)
    patch.paint("mouth", lips, colour)
