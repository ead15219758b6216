"""From decoded images to a network's input: resize and crop on bytes, then normalise.

Geometry is torchvision's, so that published weights see what they were trained on: `resize` sets
the short side with antialiased bilinear filtering, the long side is cut off to whole pixels
(`int(resize · long / short)`), and the crop's corner is rounded half to even.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as geometry

from auditor.spec.model import Preprocess

FILTERS = {"bilinear": InterpolationMode.BILINEAR, "nearest": InterpolationMode.NEAREST_EXACT}


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
        image = geometry.resize(
            image, [preprocess.resize], interpolation=FILTERS[interpolation], antialias=True
        )
    if preprocess.crop is not None:
        image = geometry.center_crop(image, [preprocess.crop])
    return image.contiguous()


def normalise(pixels: Tensor, preprocess: Preprocess, dtype: torch.dtype) -> Tensor:
    """(pixels / 255 - mean) / std per channel, in float32, then cast.

    Args:
        pixels: uint8 [B, 3, h, w], on any device.
        preprocess: The network's preprocessing; mean and std are for images in [0, 1].
        dtype: Precision of the network's input.

    Returns:
        [B, 3, h, w] of that precision, on the device of `pixels`.
    """
    mean = torch.tensor(preprocess.mean, device=pixels.device).view(3, 1, 1)
    std = torch.tensor(preprocess.std, device=pixels.device).view(3, 1, 1)
    return ((pixels.float() / 255.0 - mean) / std).to(dtype)
