"""From a `Person` to a finished picture: the order in which everything is painted."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from auditor.adapters.datasets.portraits import body, head, worn
from auditor.adapters.datasets.portraits.anatomy import Anatomy
from auditor.adapters.datasets.portraits.canvas import Canvas
from auditor.adapters.datasets.portraits.causal import SLOTS, Person
from auditor.adapters.datasets.portraits.noise import uniforms
from auditor.adapters.datasets.portraits.palette import (
    MEADOWS,
    SKIES,
    STUDIOS,
    WALLS,
    choose,
    shaded,
)
from auditor.adapters.datasets.portraits.shapes import disc

CONTRAST = (0.45, 1.0)
"""How much of the colours is left in haze: range over people."""
HAZE = 0.55
GRAIN = (0.0, 0.12)
"""Largest change of a pixel by the grain: range over people."""
GRAIN_SEED = 48
GRAIN_TILE = 128
MAX_SIZE = 64
"""Side of the largest pictures, which must fit into the tile of grain wherever they begin."""


def draw(person: Person, size: int, *, with_owners: bool = False) -> Canvas:
    """Paint everybody, from the background to the flower in the hair.

    What is painted later hides what was painted before; this order is the only occlusion there is.
    """
    canvas = Canvas(person, size, with_owners=with_owners)
    anatomy = Anatomy.of(person)
    skin, hair = head.skin_colour(person), head.hair_colour(person)
    backdrop(canvas, person)
    body.clothes(canvas, person)
    head.long_hair(canvas, person, hair)
    body.neck(canvas, skin)
    body.necklace(canvas, person)
    body.necktie(canvas, person)
    body.badge(canvas, person)
    head.hair(canvas, person, anatomy, hair)
    head.ears(canvas, person, anatomy, skin)
    head.face(canvas, anatomy, skin)
    head.wrinkles(canvas, person, anatomy, skin)
    head.cheeks(canvas, person, anatomy, skin)
    head.beard(canvas, person, anatomy, skin)
    head.fringe(canvas, person, anatomy, hair)
    head.eyes(canvas, person, anatomy)
    head.brows(canvas, person, anatomy)
    head.nose(canvas, person, anatomy, skin)
    head.mouth(canvas, person, anatomy, skin)
    head.mustache(canvas, person, skin)
    worn.glasses(canvas, person, anatomy, skin)
    worn.earrings(canvas, person, anatomy)
    worn.hat(canvas, person, anatomy)
    worn.flower(canvas, person, anatomy)
    light(canvas, person)
    film(canvas, person)
    return canvas


def backdrop(canvas: Canvas, person: Person) -> None:
    """A plain studio, a meadow under the sky with a sun, or a room with a papered wall."""
    outdoor, indoor = (
        person.belongs("background", "outdoor"),
        person.belongs("background", "indoor"),
    )
    colour = choose(outdoor, person.pick("backdrop_colour", SKIES), _plain(person, indoor))
    colour = shaded(colour, person.between("backdrop_shade", 0.9, 1.05))
    canvas.pixels += colour * (1.0 - (canvas.y * 0.08))[:, None]
    place = person.between("backdrop_place", -0.8, 0.8)
    everywhere = canvas.everywhere()
    sun = disc(canvas.x - place, canvas.y + 0.72, 0.16)
    everywhere.paint(None, sun, colour * 0.2 + 0.78, on=outdoor)
    hill = canvas.x * place * 0.15 + 0.25 - canvas.y
    meadow = person.pick("backdrop_colour", MEADOWS)
    everywhere.paint(None, hill, meadow, on=outdoor)
    phase = (canvas.x + place) * 2.5
    paper = ((phase - torch.round(phase)).abs() - 0.22) * 0.4
    everywhere.paint(None, paper.expand_as(canvas.u), colour * 0.9, on=indoor)


def light(canvas: Canvas, person: Person) -> None:
    """Light from one side, and the exposure of the camera."""
    tilt_x = canvas.x * person.between("light_x", -0.09, 0.09)
    tilt_y = canvas.y * person.between("light_y", -0.09, 0.09)
    gain = (tilt_x + tilt_y + 1.0) * person.between("exposure", 0.88, 1.06)
    canvas.pixels *= gain[:, None]


def film(canvas: Canvas, person: Person) -> None:
    """Haze that washes the colours out, and the grain of the film.

    Both make the evidence of every attribute faint in some pictures. A network that has seen two
    attributes go together then falls back on the other one, as networks on photographs do.
    """
    contrast = person.between("contrast", *CONTRAST)[:, None]
    canvas.pixels *= contrast
    canvas.pixels += (1.0 - contrast) * HAZE
    strength = person.between("grain", *GRAIN)[:, None]
    canvas.pixels += _grain(canvas, person) * strength


def _grain(canvas: Canvas, person: Person) -> Tensor:
    """A window of one large tile of noise, at a random place: [B, 3, S, S] around 0."""
    place = (person.noise[:, SLOTS["grain_place"]] * GRAIN_TILE**2).to(torch.int64)
    windows = _grain_tile(place.device).unfold(1, canvas.size, 1).unfold(2, canvas.size, 1)
    return windows[:, place // GRAIN_TILE, place % GRAIN_TILE].transpose(0, 1)


@functools.cache
def _grain_tile(device: torch.device) -> Tensor:
    """Noise of triangular distribution on (−1, 1), the same for every dataset: [3, side, side]."""
    side = GRAIN_TILE + MAX_SIZE
    draws = uniforms(GRAIN_SEED, torch.arange(3 * side**2, device=device), 2)
    return (draws[:, 0] + draws[:, 1] - 1.0).reshape(3, side, side)


def _plain(person: Person, indoor: Tensor) -> Tensor:
    return choose(
        indoor, person.pick("backdrop_colour", WALLS), person.pick("backdrop_colour", STUDIOS)
    )
