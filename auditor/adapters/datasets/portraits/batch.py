"""Portraits by index: the embedded dataset as other code sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.adapters.datasets.portraits.anatomy import CHEST_Y, Anatomy
from auditor.adapters.datasets.portraits.canvas import Canvas
from auditor.adapters.datasets.portraits.causal import Person, sample_people
from auditor.adapters.datasets.portraits.draw import MAX_SIZE, draw
from auditor.spec.portraits import LANDMARKS, PARTS, PlantedPair

CHUNK = 128
"""People drawn at once: their planes stay in the processor's cache."""
MIN_SIZE = 48


@dataclass(frozen=True)
class Portraits:
    """Pictures of people with everything that is known of them."""

    images: Tensor
    """uint8 [B, 3, S, S]."""
    attributes: Tensor
    """bool [B, 20], columns as in `auditor.spec.portraits.ATTRIBUTES`."""
    groups: dict[str, Tensor]
    """Group column -> int64 [B], positions in `auditor.spec.portraits.GROUPS[column]`."""
    masks: Tensor | None
    """bool [B, parts, S, S], parts as in `PARTS`; None where not asked for."""
    landmarks: Tensor | None
    """float32 [B, landmarks, 2]: column and row in pixels, the centre of the first pixel being
    (0, 0); landmarks as in `LANDMARKS`; None where masks were not asked for."""
    visible: Tensor | None
    """bool [B, landmarks]: the pixel under the landmark belongs to the landmark's part."""


def portraits(
    seed: int,
    indices: Tensor,
    *,
    size: int = 48,
    planted: Sequence[PlantedPair] = (),
    do: Mapping[str, bool] | None = None,
    with_masks: bool = False,
) -> Portraits:
    """Draw the portraits with these indices.

    A portrait is a function of (seed, index, size, planted, do) alone: any index costs the same,
    and neither the batch nor the device it is drawn in matters.

    Args:
        seed: Seed of the dataset.
        indices: Integer tensor [B]; everything is computed on its device.
        size: Side of the pictures in pixels, 48 to 64.
        planted: Disjoint attribute pairs that are made to go together.
        do: Attribute -> value for everybody, with the rest of the person unchanged.
        with_masks: Also return masks and landmarks.

    Raises:
        ValueError: The size is out of range, an attribute is unknown, or is in two pairs.
    """
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError(f"portraits are {MIN_SIZE} to {MAX_SIZE} pixels wide, not {size}")
    chunks = [
        _draw_chunk(sample_people(seed, part, planted=planted, do=do), size, with_masks)
        for part in torch.split(indices, CHUNK)
    ]
    return _concatenated(chunks)


def _draw_chunk(person: Person, size: int, with_masks: bool) -> Portraits:
    canvas = draw(person, size, with_owners=with_masks)
    images = (canvas.pixels * 255.0 + 0.5).clamp_(0.0, 255.0).to(torch.uint8)
    masks = landmarks = visible = None
    if canvas.owners is not None:
        parts = torch.arange(len(PARTS), dtype=torch.uint8, device=images.device)
        masks = canvas.owners[:, None] == parts[:, None, None]
        landmarks = _landmarks(canvas, person)
        visible = _visible(canvas.owners, landmarks)
    return Portraits(images, person.attributes, person.groups, masks, landmarks, visible)


def _landmarks(canvas: Canvas, person: Person) -> Tensor:
    anatomy = Anatomy.of(person)
    middle = torch.zeros_like(anatomy.eye_x)
    places = {
        "left_eye": (-anatomy.eye_x, anatomy.eye_y),
        "right_eye": (anatomy.eye_x, anatomy.eye_y),
        "left_brow": (-anatomy.eye_x, anatomy.brow_y),
        "right_brow": (anatomy.eye_x, anatomy.brow_y),
        "nose_tip": (middle, anatomy.nose_y),
        "mouth_centre": (middle, anatomy.mouth_y),
        "left_ear": (-anatomy.ear_x, anatomy.ear_y),
        "right_ear": (anatomy.ear_x, anatomy.ear_y),
        "chest": (middle, middle + CHEST_Y),
    }
    points = [torch.stack(canvas.pose.to_canvas(*places[name]), dim=-1) for name in LANDMARKS]
    on_canvas = torch.stack(points, dim=1)[:, :, 0, 0]
    return (on_canvas + 1.0) * (canvas.size / 2) - 0.5


def _visible(owners: Tensor, landmarks: Tensor) -> Tensor:
    size = owners.shape[-1]
    pixel = torch.round(landmarks).to(torch.int64)
    inside = ((pixel >= 0) & (pixel < size)).all(dim=-1)
    column, row = pixel.clamp(0, size - 1).unbind(dim=-1)
    found = owners.flatten(1).gather(1, row * size + column)
    expected = torch.tensor([PARTS.index(part) for part in LANDMARKS.values()], device=found.device)
    return inside & (found == expected)


def _concatenated(chunks: Sequence[Portraits]) -> Portraits:
    masks = [chunk.masks for chunk in chunks if chunk.masks is not None]
    landmarks = [chunk.landmarks for chunk in chunks if chunk.landmarks is not None]
    visible = [chunk.visible for chunk in chunks if chunk.visible is not None]
    return Portraits(
        images=torch.cat([chunk.images for chunk in chunks]),
        attributes=torch.cat([chunk.attributes for chunk in chunks]),
        groups={
            name: torch.cat([chunk.groups[name] for chunk in chunks]) for name in chunks[0].groups
        },
        masks=torch.cat(masks) if masks else None,
        landmarks=torch.cat(landmarks) if landmarks else None,
        visible=torch.cat(visible) if visible else None,
    )
