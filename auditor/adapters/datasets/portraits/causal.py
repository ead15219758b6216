"""The structural causal model: exogenous noise → attributes and groups → a `Person` to draw.

Every number about a person comes from that person's own noise, one slot per purpose. No attribute
causes another. A planted pair is *selection*: its two values are drawn from the joint distribution
that remains when opposing people are removed. `do(attribute = value)` overrides a value after that,
so every other attribute and all noise stay as they were, also for an attribute of a planted pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.adapters.datasets.portraits.noise import uniforms
from auditor.spec.portraits import (
    ATTRIBUTES,
    BASE_RATES,
    GROUPS,
    PlantedPair,
    check_disjoint,
    joint_rates,
    known,
)

TRAITS: tuple[str, ...] = (
    "centre_x", "centre_y", "zoom", "tilt",
    "face_width", "face_height", "hair_volume", "hair_length", "eye_gap", "eye_size", "eye_height",
    "nose_length", "mouth_height", "mouth_width", "shoulder_width", "skin_tone", "skin_warmth",
    "hair_colour", "hair_shade", "beard_colour", "iris_colour", "brow_height",
    "shirt_colour", "shirt_shade", "backdrop_colour", "backdrop_shade", "backdrop_place",
    "light_x", "light_y", "exposure",
    "lip_colour", "frame_colour", "hat_colour", "earring_colour", "tie_colour", "pearl_colour",
    "badge_colour", "flower_colour", "stripe_width", "hat_height", "frame_size", "blush_strength",
    "ear_size", "fringe_length", "beard_length", "beard_density", "mustache_size",
    "mustache_density", "brow_size", "nose_size", "mouth_bend", "lip_strength", "stripe_strength",
    "pearl_size", "tie_width", "badge_place", "badge_size", "frame_weight", "frame_strength",
    "earring_size", "flower_size", "contrast", "grain", "grain_place",
)  # fmt: skip
"""Slots of the noise that are neither attribute nor group; what varies between people at random."""

SLOTS: dict[str, int] = {name: slot for slot, name in enumerate((*ATTRIBUTES, *GROUPS, *TRAITS))}
"""Purpose -> slot. The order decides every picture: append, never insert."""

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Person:
    """A batch of people, before they are drawn. Tensors of lengths have shape [B, 1, 1]."""

    attributes: Tensor
    """bool [B, 20], columns as in `ATTRIBUTES`."""
    groups: dict[str, Tensor]
    """Group column -> int64 [B], positions in `GROUPS[column]`."""
    noise: Tensor
    """float32 [B, slots] in [0, 1)."""

    def has(self, attribute: str) -> Tensor:
        """Who has the attribute: bool [B, 1, 1]."""
        return self.attributes[:, ATTRIBUTES.index(attribute), None, None]

    def choose(self, attribute: str, present: Tensor | float, absent: Tensor | float) -> Tensor:
        """One length for those who have the attribute, another for the rest: [B, 1, 1]."""
        return torch.where(self.has(attribute), present, absent)

    def between(self, trait: str, low: float, high: float) -> Tensor:
        """A length that is uniform over people: [B, 1, 1]."""
        return self.noise[:, SLOTS[trait], None, None] * (high - low) + low

    def pick(self, trait: str, palette: Sequence[Colour]) -> Tensor:
        """One of the colours, all equally frequent: [B, 3, 1, 1]."""
        choice = (self.noise[:, SLOTS[trait]] * len(palette)).to(torch.int64)
        return self.colours(palette)[choice]

    def tone(self, group: str, palette: Sequence[Colour]) -> Tensor:
        """The colour of each person's group: [B, 3, 1, 1]."""
        return self.colours(palette)[self.groups[group]]

    def belongs(self, group: str, value: str) -> Tensor:
        """Who belongs to the group: bool [B, 1, 1]."""
        return (self.groups[group] == GROUPS[group].index(value))[:, None, None]

    def colours(self, palette: Sequence[Colour]) -> Tensor:
        """The palette as a tensor [colours, 3, 1, 1]."""
        return torch.tensor(palette, dtype=torch.float32, device=self.noise.device)[
            :, :, None, None
        ]


def sample_people(
    seed: int,
    indices: Tensor,
    *,
    planted: Sequence[PlantedPair] = (),
    do: Mapping[str, bool] | None = None,
) -> Person:
    """Draw the people with these indices; each depends on `seed` and its own index alone.

    Args:
        seed: Seed of the dataset.
        indices: Integer tensor [B]; its device is where everything is computed.
        planted: Disjoint attribute pairs that are made to go together.
        do: Attribute -> value for everybody.

    Raises:
        ValueError: An attribute is unknown, or is in two planted pairs.
    """
    check_disjoint(planted)
    noise = uniforms(seed, indices, len(SLOTS))
    values = {name: noise[:, SLOTS[name]] < rate for name, rate in BASE_RATES.items()}
    for pair in planted:
        values.update(_joint_values(pair, noise))
    for name, value in (do or {}).items():
        if name not in values:
            raise ValueError(f"portraits have no attribute {name!r}; they have {known()}")
        values[name] = torch.full_like(values[name], value)
    attributes = torch.stack([values[name] for name in ATTRIBUTES], dim=1)
    groups = {
        name: (noise[:, SLOTS[name]] * len(members)).to(torch.int64)
        for name, members in GROUPS.items()
    }
    return Person(attributes=attributes, groups=groups, noise=noise)


def _joint_values(pair: PlantedPair, noise: Tensor) -> dict[str, Tensor]:
    """The first attribute from its new marginal, the second given the first."""
    rates = joint_rates(pair)
    first, second = pair.between
    marginal = rates[True, False] + rates[True, True]
    first_value = noise[:, SLOTS[first]] < marginal
    given_present = rates[True, True] / marginal
    given_absent = rates[False, True] / (1.0 - marginal)
    second_rate = torch.where(first_value, given_present, given_absent)
    return {first: first_value, second: noise[:, SLOTS[second]] < second_rate}
