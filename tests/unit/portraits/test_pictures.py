"""The pictures: one function of seed and index, and exact knowledge of what is where."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from auditor.adapters.datasets.portraits.batch import portraits
from auditor.adapters.datasets.portraits.canvas import Canvas, Patch
from auditor.spec.portraits import ATTRIBUTES, EVIDENCE, LANDMARKS, PARTS, PlantedPair

PEOPLE = torch.arange(48)


def widened(mask: Tensor) -> Tensor:
    """The mask [B, S, S] and its neighbours: a soft edge reaches one pixel beyond it."""
    return torch.nn.functional.max_pool2d(mask[:, None].float(), 3, stride=1, padding=1)[:, 0] > 0


def part_mask(masks: Tensor, names: tuple[str, ...]) -> Tensor:
    return masks[:, [PARTS.index(name) for name in names]].any(dim=1)


@pytest.mark.parametrize("size", [48, 64])
def test_shapes_and_types(size: int) -> None:
    drawn = portraits(0, PEOPLE[:3], size=size, with_masks=True)
    assert drawn.images.shape == (3, 3, size, size)
    assert drawn.images.dtype == torch.uint8
    assert drawn.attributes.shape == (3, len(ATTRIBUTES))
    assert drawn.masks is not None
    assert drawn.masks.shape == (3, len(PARTS), size, size)
    assert drawn.landmarks is not None
    assert drawn.landmarks.shape == (3, len(LANDMARKS), 2)
    assert portraits(0, PEOPLE[:3], size=size).masks is None


def test_any_index_is_drawn_alike_alone_in_a_batch_and_in_another_order() -> None:
    planted = [PlantedPair(between=("hat", "beard"), tau=0.75)]
    indices = torch.tensor([10**12, 3, 77, 129, 4])
    together = portraits(5, indices, planted=planted, with_masks=True)
    assert together.masks is not None
    for row, index in enumerate(indices):
        alone = portraits(5, index[None], planted=planted, with_masks=True)
        assert alone.masks is not None
        assert torch.equal(alone.images[0], together.images[row])
        assert torch.equal(alone.masks[0], together.masks[row])
    long = portraits(5, torch.arange(300), planted=planted)
    assert torch.equal(long.images[[3, 77, 129, 4]], together.images[1:])


def test_seeds_give_other_people() -> None:
    first, second = portraits(0, PEOPLE), portraits(1, PEOPLE)
    assert (first.images != second.images).flatten(1).any(dim=1).all()


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_intervention_touches_only_the_pixels_that_show_the_attribute(name: str) -> None:
    off = portraits(2, PEOPLE, do={name: False}, with_masks=True)
    on = portraits(2, PEOPLE, do={name: True}, with_masks=True)
    assert off.masks is not None
    assert on.masks is not None
    difference = (off.images.int() - on.images.int()).abs().sum(dim=1)
    evidence = part_mask(off.masks, EVIDENCE[name]) | part_mask(on.masks, EVIDENCE[name])
    # A sliver that covers less than half of every pixel it meets has no mask, but does have colour.
    assert (difference * ~widened(evidence)).sum() <= 0.02 * difference.sum()
    # In everybody, whatever else they wear, some pixels differ by more than the eye's threshold.
    difference = difference.flatten(1)
    assert (difference.amax(dim=1) >= 12).all()
    assert ((difference >= 8).sum(dim=1) >= 2).all()


def test_masks_are_disjoint_and_hidden_parts_have_no_pixels() -> None:
    drawn = portraits(0, torch.arange(300), with_masks=True)
    assert drawn.masks is not None
    assert int(drawn.masks.sum(dim=1).max()) == 1
    for name in ("hat", "beard", "glasses", "necktie", "necklace", "badge", "flower", "earrings"):
        present = drawn.attributes[:, ATTRIBUTES.index(name)]
        pixels = drawn.masks[:, PARTS.index(name)].flatten(1).sum(dim=1)
        assert (pixels[present] > 0).all(), name
        assert (pixels[~present] == 0).all(), name
    for name in ("face", "hair", "eyes", "nose", "mouth", "brows", "clothes", "ears"):
        assert drawn.masks[:, PARTS.index(name)].flatten(1).any(dim=1).all(), name


def test_what_lies_on_top_takes_its_pixels_from_what_lies_below() -> None:
    bare = portraits(0, PEOPLE, do={"hat": False}, with_masks=True)
    covered = portraits(0, PEOPLE, do={"hat": True}, with_masks=True)
    assert bare.masks is not None
    assert covered.masks is not None
    hat = covered.masks[:, PARTS.index("hat")]
    for part in set(PARTS) - {"hat"}:
        index = PARTS.index(part)
        assert torch.equal(covered.masks[:, index], bare.masks[:, index] & ~hat), part


def test_landmarks_lie_on_their_part_wherever_they_are_visible() -> None:
    drawn = portraits(0, torch.arange(300), with_masks=True)
    assert drawn.masks is not None
    assert drawn.landmarks is not None
    assert drawn.visible is not None
    pixel = torch.round(drawn.landmarks).long().clamp(0, 47)
    for place, part in enumerate(LANDMARKS.values()):
        column, row = pixel[:, place].unbind(dim=1)
        on_part = drawn.masks[torch.arange(300), PARTS.index(part), row, column]
        assert torch.equal(on_part, drawn.visible[:, place])
    share = drawn.visible.float().mean(dim=0)
    for name in ("left_eye", "right_eye", "nose_tip", "mouth_centre"):
        assert share[list(LANDMARKS).index(name)] > 0.9, name


def test_a_window_never_cuts_a_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    windowed = portraits(4, torch.arange(400), with_masks=True)

    def whole(canvas: Canvas, left: float, top: float, right: float, bottom: float) -> Patch:
        return canvas.everywhere()

    monkeypatch.setattr(Canvas, "patch", whole)
    uncut = portraits(4, torch.arange(400), with_masks=True)
    assert windowed.masks is not None
    assert uncut.masks is not None
    assert torch.equal(windowed.images, uncut.images)
    assert torch.equal(windowed.masks, uncut.masks)


def test_sizes_show_the_same_people() -> None:
    small, large = portraits(0, PEOPLE, size=48), portraits(0, PEOPLE, size=64)
    assert torch.equal(small.attributes, large.attributes)
    average = torch.nn.functional.adaptive_avg_pool2d
    blocks = average(small.images.float(), 8) - average(large.images.float(), 8)
    assert blocks.abs().max() < 12


def test_sizes_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="48 to 64 pixels"):
        portraits(0, PEOPLE, size=32)


@pytest.mark.gpu
def test_a_gpu_draws_at_most_one_grey_level_apart() -> None:
    indices = torch.arange(256)
    here = portraits(0, indices, with_masks=True)
    there = portraits(0, indices.cuda(), with_masks=True)
    assert torch.equal(here.attributes, there.attributes.cpu())
    assert (here.images.int() - there.images.cpu().int()).abs().max() <= 1
