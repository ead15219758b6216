"""Masks follow their image through resize, crop and grid, on images of any shape."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import max_pool2d

from auditor.adapters.models.preprocess import fit_geometry, fit_masks
from auditor.spec.model import Preprocess

SIDES = st.integers(9, 70)
RESIZE = st.one_of(st.none(), st.integers(6, 60))
CROP = st.one_of(st.none(), st.integers(5, 60))


def eroded(masks: Tensor, reach: int = 1) -> Tensor:
    """Masks without the pixels near a border; what is outside the image counts as inside."""
    return max_pool2d((~masks).float(), 2 * reach + 1, stride=1, padding=reach) == 0


def scene(height: int, width: int, where: tuple[float, float, float, float]) -> Tensor:
    """A mask [1, H, W] of an ellipse off the middle: no symmetry hides a wrong axis."""
    y, x, tall, wide = where
    rows = (torch.arange(height) + 0.5)[:, None] / height
    columns = (torch.arange(width) + 0.5) / width
    return ((((rows - y) / tall) ** 2 + ((columns - x) / wide) ** 2) < 1)[None]


PLACES = st.tuples(
    st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.floats(0.15, 0.5), st.floats(0.15, 0.5)
)


@settings(max_examples=80, deadline=None)
@given(SIDES, SIDES, RESIZE, CROP, PLACES, st.booleans(), st.booleans())
def test_masked_pixels_have_the_colour_of_the_object(
    height: int,
    width: int,
    resize: int | None,
    crop: int | None,
    where: tuple[float, float, float, float],
    flip_before: bool,
    flip_after: bool,
) -> None:
    preprocess = Preprocess(resize=resize, crop=crop)
    mask = scene(height, width, where)
    image = torch.where(mask, torch.tensor([200, 40, 10]).view(3, 1, 1), 100).to(torch.uint8)
    if flip_before:
        mask, image = mask.flip(2), image.flip(2)
    # A pixel of the input mixes as many of the image as one of them is wide, on either side.
    reach = 1 if resize is None else 1 + max(height, width) // resize
    inside, outside = (
        eroded(fit_masks(eroded(each, reach), preprocess, None)) for each in (mask, ~mask)
    )
    fitted = fit_geometry(image, preprocess)
    if flip_after:
        inside, outside, fitted = inside.flip(2), outside.flip(2), fitted.flip(2)
    assert inside.shape[1:] == fitted.shape[1:]
    colour = torch.tensor([200, 40, 10])
    assert ((fitted[:, inside[0]].T.int() - colour).abs() <= 1).all()
    assert ((fitted[:, outside[0]].T.int() - 100).abs() <= 1).all()


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, RESIZE, CROP, PLACES, st.integers(1, 60), st.integers(1, 60))
def test_a_grid_looks_at_the_same_places_as_the_input(
    height: int,
    width: int,
    resize: int | None,
    crop: int | None,
    where: tuple[float, float, float, float],
    rows: int,
    columns: int,
) -> None:
    preprocess = Preprocess(resize=resize, crop=crop)
    mask = scene(height, width, where)
    inside, outside = (eroded(fit_masks(each, preprocess, None)) for each in (mask, ~mask))
    tall, wide = inside.shape[1:]
    rows, columns = min(rows, tall), min(columns, wide)
    found = fit_masks(mask, preprocess, (rows, columns))
    at_rows = ((2 * torch.arange(rows) + 1) * tall // (2 * rows))[:, None]
    at_columns = (2 * torch.arange(columns) + 1) * wide // (2 * columns)
    assert found.shape == (1, rows, columns)
    assert found[inside[:, at_rows, at_columns]].all()
    assert not found[outside[:, at_rows, at_columns]].any()


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.integers(6, 60), st.integers(0, 1000))
def test_without_a_grid_it_is_the_nearest_sampling_of_images(
    height: int, width: int, resize: int, seed: int
) -> None:
    masks = torch.rand(2, height, width, generator=torch.Generator().manual_seed(seed)) > 0.5
    preprocess = Preprocess(resize=resize)
    expected = fit_geometry(masks.to(torch.uint8), preprocess, interpolation="nearest").bool()
    found = fit_masks(masks, preprocess, None)
    assert found.shape == expected.shape
    # torch rounds places to float32: a centre just between two pixels may fall to the other one.
    clear = [
        torch.tensor([(2 * cell + 1) * stored % (2 * cells) != 0 for cell in range(cells)])
        for cells, stored in zip(found.shape[1:], (height, width), strict=True)
    ]
    assert torch.equal(found[:, clear[0]][:, :, clear[1]], expected[:, clear[0]][:, :, clear[1]])


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, RESIZE, st.integers(5, 60), st.integers(0, 1000))
def test_a_crop_takes_the_same_pixels_of_masks_and_images(
    height: int, width: int, resize: int | None, crop: int, seed: int
) -> None:
    masks = torch.rand(2, height, width, generator=torch.Generator().manual_seed(seed)) > 0.5
    resized = fit_masks(masks, Preprocess(resize=resize), None)
    expected = fit_geometry(resized.to(torch.uint8), Preprocess(crop=crop)).bool()
    assert torch.equal(fit_masks(masks, Preprocess(resize=resize, crop=crop), None), expected)


def test_nothing_changes_where_nothing_is_asked_for() -> None:
    masks = torch.rand(3, 7, 12, generator=torch.Generator().manual_seed(0)) > 0.5
    assert torch.equal(fit_masks(masks, Preprocess(), None), masks)
    assert torch.equal(fit_masks(masks, Preprocess(), (7, 12)), masks)
    assert fit_masks(masks[:0], Preprocess(resize=5, crop=4), (2, 2)).shape == (0, 2, 2)


def test_places_by_hand() -> None:
    """4×8 pixels, short side to 2: 2×4; crop 2: columns 1 and 2; each centre hits pixel 2k + 1."""
    masks = torch.zeros(1, 4, 8, dtype=torch.bool)
    masks[0, 1, 3] = masks[0, 3, 5] = True
    found = fit_masks(masks, Preprocess(resize=2, crop=2), None)
    assert found.tolist() == [[[True, False], [False, True]]]


@pytest.mark.parametrize(("length", "before"), [(4, 1), (5, 1), (3, 1), (2, 2), (1, 2)])
def test_around_an_image_smaller_than_the_crop_there_is_nothing(length: int, before: int) -> None:
    masks = torch.ones(1, length, 9, dtype=torch.bool)
    found = fit_masks(masks, Preprocess(crop=6), None)
    expected = fit_geometry(masks.to(torch.uint8), Preprocess(crop=6), interpolation="nearest")
    assert torch.equal(found, expected.bool())
    first = int(found[0, :, 0].nonzero()[0])
    assert first == (before if length < 5 else 0)
    assert int(found[0, :, 0].sum()) == length


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.integers(3, 40))
def test_a_flipped_mask_is_the_mask_of_the_flipped_image(
    height: int, width: int, side: int
) -> None:
    """Where no crop has to choose between two middles, and no centre falls between two pixels."""
    if any((2 * cell + 1) * width % (2 * side) == 0 for cell in range(side)):
        return
    masks = torch.rand(2, height, width, generator=torch.Generator().manual_seed(side)) > 0.5
    grid = (min(height, side), side)
    assert torch.equal(
        fit_masks(masks.flip(2), Preprocess(), grid), fit_masks(masks, Preprocess(), grid).flip(2)
    )


@pytest.mark.parametrize("size", [(60, 90), (90, 60), (31, 90)])
@pytest.mark.parametrize("resize", [None, 24, 120])
def test_what_is_left_after_erosion_is_most_of_the_object(
    size: tuple[int, int], resize: int | None
) -> None:
    """So the overlay test above looks at many pixels, and its borders are thin."""
    mask = scene(*size, (0.4, 0.55, 0.3, 0.35))
    preprocess = Preprocess(resize=resize, crop=24)
    whole = fit_masks(mask, preprocess, None)
    inside = eroded(fit_masks(eroded(mask), preprocess, None))
    assert int(inside.sum()) > 0.4 * int(whole.sum()) > 40
