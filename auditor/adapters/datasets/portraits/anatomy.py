"""Where things are on a person: the lengths that several shapes and the landmarks share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.adapters.datasets.portraits.causal import Person

CHEST_Y = 0.94
NOSE_Y = 0.115


@dataclass(frozen=True)
class Anatomy:
    """Lengths in person coordinates, [B, 1, 1] each."""

    face_width: Tensor
    """Half the width of the face."""
    face_height: Tensor
    """Half its height."""
    eye_x: Tensor
    eye_y: Tensor
    eye_size: Tensor
    brow_y: Tensor
    nose_y: Tensor
    mouth_y: Tensor
    ear_x: Tensor
    ear_y: Tensor

    @classmethod
    def of(cls, person: Person) -> Anatomy:
        face_width = person.between("face_width", 0.36, 0.42)
        eye_y = person.between("eye_height", -0.05, -0.01)
        youth = torch.where(person.belongs("age", "young"), 1.1, 1.0)
        age = torch.where(person.belongs("age", "senior"), 0.9, youth)
        return cls(
            face_width=face_width,
            face_height=person.between("face_height", 0.46, 0.51),
            eye_x=person.between("eye_gap", 0.15, 0.18),
            eye_y=eye_y,
            eye_size=person.between("eye_size", 0.94, 1.06) * age,
            brow_y=eye_y - person.between("brow_height", 0.155, 0.17),
            nose_y=person.between("nose_length", NOSE_Y - 0.015, NOSE_Y + 0.015),
            mouth_y=person.between("mouth_height", 0.29, 0.32),
            ear_x=face_width + 0.03,
            ear_y=person.choose("bigears", -0.035, 0.05),
        )
