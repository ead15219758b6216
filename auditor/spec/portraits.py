"""What a portrait has: attributes, parts, landmarks and groups of the embedded dataset.

Structural relations: none. Every attribute is drawn on its own, and its evidence stays in sight
whatever the other attributes are: a hat leaves hair at the temples and the fringe below its brim,
long hair hangs behind earrings and beside the neck, a tie covers only the middle of a necklace.
Attributes go together only where a `PlantedPair` says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field, model_validator

from auditor.spec.base import Share, SpecModel

BASE_RATES: dict[str, float] = {
    "smiling": 0.5,
    "lipstick": 0.35,
    "glasses": 0.3,
    "hat": 0.2,
    "beard": 0.45,
    "mustache": 0.4,
    "earrings": 0.3,
    "necktie": 0.45,
    "necklace": 0.35,
    "badge": 0.25,
    "flower": 0.2,
    "stripes": 0.4,
    "blond": 0.4,
    "longhair": 0.5,
    "bangs": 0.45,
    "blush": 0.35,
    "bushybrows": 0.4,
    "bignose": 0.5,
    "bigears": 0.3,
    "winking": 0.25,
}
"""Share of people who have the attribute where no bias is planted."""

ATTRIBUTES: tuple[str, ...] = tuple(BASE_RATES)
"""The twenty binary attributes, in the order of their columns."""

PARTS: tuple[str, ...] = (
    "clothes",
    "neck",
    "hair",
    "face",
    "ears",
    "eyes",
    "brows",
    "nose",
    "mouth",
    "cheeks",
    "beard",
    "mustache",
    "glasses",
    "hat",
    "earrings",
    "necklace",
    "necktie",
    "badge",
    "flower",
)
"""Parts with exact masks. Each pixel belongs to the topmost part on it, or to the background."""

EVIDENCE: dict[str, tuple[str, ...]] = {
    "smiling": ("mouth",),
    "lipstick": ("mouth",),
    "glasses": ("glasses",),
    "hat": ("hat",),
    "beard": ("beard",),
    "mustache": ("mustache",),
    "earrings": ("earrings",),
    "necktie": ("necktie",),
    "necklace": ("necklace",),
    "badge": ("badge",),
    "flower": ("flower",),
    "stripes": ("clothes",),
    "blond": ("hair",),
    "longhair": ("hair",),
    "bangs": ("hair",),
    "blush": ("cheeks",),
    "bushybrows": ("brows",),
    "bignose": ("nose",),
    "bigears": ("ears",),
    "winking": ("eyes",),
}
"""Parts that show an attribute: nothing else in the picture changes with it."""

LANDMARKS: dict[str, str] = {
    "left_eye": "eyes",
    "right_eye": "eyes",
    "left_brow": "brows",
    "right_brow": "brows",
    "nose_tip": "nose",
    "mouth_centre": "mouth",
    "left_ear": "ears",
    "right_ear": "ears",
    "chest": "clothes",
}
"""Landmark -> the part it lies on. Left and right are the viewer's."""

GROUPS: dict[str, tuple[str, ...]] = {
    "skin": ("light", "medium", "deep"),
    "age": ("young", "adult", "senior"),
    "background": ("studio", "outdoor", "indoor"),
}
"""Group column -> its values, equally frequent and independent of every attribute."""


class PlantedPair(SpecModel):
    """Two attributes that are made to go together, as in Zhang, Wang and Zhu (AAAI 2018)."""

    between: tuple[str, str] = Field(strict=False)
    """The two attributes."""
    sign: Literal[1, -1] = 1
    """1: the attributes go together; -1: they exclude each other."""
    tau: Share
    """Share of the opposing people that is removed: 0 plants nothing, 1 leaves none."""

    @model_validator(mode="after")
    def known_and_distinct(self) -> Self:
        for name in self.between:
            if name not in BASE_RATES:
                raise ValueError(f"portraits have no attribute {name!r}; they have {known()}")
        if self.between[0] == self.between[1]:
            raise ValueError(f"a pair needs two attributes, not {self.between[0]!r} twice")
        return self


def check_disjoint(planted: Iterable[PlantedPair]) -> None:
    """Raise ValueError where an attribute is in two pairs: their joint rate would be ambiguous."""
    seen: set[str] = set()
    for pair in planted:
        for name in pair.between:
            if name in seen:
                raise ValueError(f"attribute {name!r} is in two planted pairs")
            seen.add(name)


def known() -> str:
    """The attribute names as an error message lists them."""
    return ", ".join(ATTRIBUTES)


def joint_rates(pair: PlantedPair) -> dict[tuple[bool, bool], float]:
    """Probability of the four cells of a pair after the removal.

    Independent attributes have p(a, b) = p(a) p(b). Removing a random share τ of the people whose
    values oppose the sign multiplies those two cells by 1 − τ; the rest is normalisation.
    """
    first, second = (BASE_RATES[name] for name in pair.between)
    weights: dict[tuple[bool, bool], float] = {}
    for a in (False, True):
        for b in (False, True):
            opposing = (a == b) == (pair.sign == -1)
            share = (first if a else 1 - first) * (second if b else 1 - second)
            weights[a, b] = share * (1 - pair.tau if opposing else 1.0)
    total = sum(weights.values())
    return {cell: weight / total for cell, weight in weights.items()}
