"""From decoded images to a network's input: resize and crop on bytes, then normalise.

Geometry is torchvision's, so that published weights see what they were trained on: `resize` sets
the short side with antialiased bilinear filtering, the long side is cut off to whole pixels
(`int(resize · long / short)`), and the crop's corner is rounded half to even. It is written out
here because importing torchvision costs seconds; a test holds the two together, bit for bit.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from auditor.spec.model import Preprocess


def fit_geometry(
    image: Tensor,
    preprocess: Preprocess,
    *,
    interpolation: Literal["bilinear", "nearest"] = "bilinear",
) -> Tensor:
    """Resize and crop one image.

    Args:
        image: uint8 [C, H, W].
        preprocess: The network's preprocessing.
        interpolation: `bilinear` for images; `nearest` keeps the values of a mask, at the same
            places.

    Returns:
        uint8 [C, h, w]. A crop larger than the image is filled up with zeros on all sides.
    """
    if preprocess.resize is not None:
        image = resize_short_side(image, preprocess.resize, interpolation)
    if preprocess.crop is not None:
        image = crop_centre(image, preprocess.crop)
    return image.contiguous()


def fit_masks(masks: Tensor, preprocess: Preprocess, grid: tuple[int, int] | None) -> Tensor:
    """Where regions of an image lie on a grid over the network's input.

    Resize, crop and grid are one nearest sampling: the centre of each cell is traced back to the
    image as it is stored and takes the pixel that it falls into, so a region is never resampled
    twice. Places are fractions of whole numbers, so no rounding decides between two pixels.

    Args:
        masks: bool [P, H, W], at the size of the image as it is stored.
        preprocess: The network's preprocessing, as in `fit_geometry`.
        grid: Rows and columns of the grid; None for the network's input itself.

    Returns:
        bool [P, *grid]. In the margin of a crop that is larger than the image there is nothing.
    """
    height, width = masks.shape[1:]
    fitted = (height, width)
    if preprocess.resize is not None:
        fitted = short_side_at(fitted, preprocess.resize)
    side = preprocess.crop
    seen = fitted if side is None else (side, side)
    rows, columns = (
        traced(cells, length, between, 0 if side is None else crop_start(between, side), stored)
        for cells, length, between, stored in zip(
            grid or seen, seen, fitted, (height, width), strict=True
        )
    )
    sampled = masks[:, rows.clamp(min=0)][:, :, columns.clamp(min=0)]
    return sampled & ((rows >= 0)[:, None] & (columns >= 0))


def traced(cells: int, length: int, fitted: int, start: int, stored: int) -> Tensor:
    """Pixel of the stored image under the centre of each cell along one axis, -1 for none.

    Args:
        cells: Cells of the grid.
        length: Pixels of the network's input.
        fitted: Pixels of the resized image.
        start: Where the input begins in the resized image; negative where it begins before it.
        stored: Pixels of the image as it is stored.
    """
    # (cell + 1/2) · length / cells + start, in units of 1 / (2 · cells) of a resized pixel
    centres = (2 * torch.arange(cells) + 1) * length + 2 * cells * start
    pixels = torch.div(centres * stored, 2 * cells * fitted, rounding_mode="floor")
    return torch.where((centres >= 0) & (centres < 2 * cells * fitted), pixels, -1)


def resize_short_side(
    image: Tensor, side: int, interpolation: Literal["bilinear", "nearest"]
) -> Tensor:
    """The image [C, H, W] with its short side at `side` pixels and its shape kept."""
    height, width = image.shape[1:]
    size = short_side_at((height, width), side)
    if size == (height, width):
        return image
    if interpolation == "nearest":
        return interpolate(image[None], size=size, mode="nearest-exact")[0]
    return interpolate(
        image[None], size=size, mode="bilinear", align_corners=False, antialias=True
    )[0]


def short_side_at(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Rows and columns with the short side at `side`; the long one is cut off to whole pixels."""
    height, width = size
    cut = int(side * max(size) / min(size))
    return (cut, side) if width <= height else (side, cut)


def crop_centre(image: Tensor, side: int) -> Tensor:
    """The square [C, side, side] in the middle, with zeros where the image is smaller."""
    top, left = (crop_start(length, side) for length in image.shape[1:])
    # Where the image is smaller, the square begins before it, and padding moves it to 0.
    down, right = (max(0, side - length) for length in image.shape[1:])
    image = pad(image, [right // 2, right - right // 2, down // 2, down - down // 2])
    top, left = max(top, 0), max(left, 0)
    return image[:, top : top + side, left : left + side]


def crop_start(length: int, side: int) -> int:
    """Where a crop of this side begins along one axis; negative where the image is smaller."""
    return round((length - side) / 2) if length >= side else -((side - length) // 2)


def normalise(pixels: Tensor, preprocess: Preprocess, dtype: torch.dtype) -> Tensor:
    """(pixels / 255 - mean) / std per channel, in float32, then cast.

    Args:
        pixels: uint8 [B, 3, h, w], on any device.
        preprocess: The network's preprocessing; mean and std are for images in [0, 1].
        dtype: Precision of the network's input.

    Returns:
        [B, 3, h, w] of that precision, on the device of `pixels`.
    """
    return standardised(pixels.float() / 255.0, preprocess).to(dtype)


def standardised(images: Tensor, preprocess: Preprocess) -> Tensor:
    """(images - mean) / std per channel, for images [B, 3, h, w] in [0, 1]; differentiable."""
    mean = torch.tensor(preprocess.mean, device=images.device).view(3, 1, 1)
    std = torch.tensor(preprocess.std, device=images.device).view(3, 1, 1)
    return (images - mean) / std
