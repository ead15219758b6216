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


def resize_short_side(
    image: Tensor, side: int, interpolation: Literal["bilinear", "nearest"]
) -> Tensor:
    """The image [C, H, W] with its short side at `side` pixels and its shape kept."""
    height, width = image.shape[1:]
    short, long = min(height, width), max(height, width)
    cut = int(side * long / short)
    size = [cut, side] if width <= height else [side, cut]
    if size == [height, width]:
        return image
    if interpolation == "nearest":
        return interpolate(image[None], size=size, mode="nearest-exact")[0]
    return interpolate(
        image[None], size=size, mode="bilinear", align_corners=False, antialias=True
    )[0]


def crop_centre(image: Tensor, side: int) -> Tensor:
    """The square [C, side, side] in the middle, with zeros where the image is smaller."""
    down, right = (max(0, side - length) for length in image.shape[1:])
    image = pad(image, [right // 2, right - right // 2, down // 2, down - down // 2])
    top, left = (round((length - side) / 2) for length in image.shape[1:])
    return image[:, top : top + side, left : left + side]


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
