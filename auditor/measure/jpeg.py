"""Pictures as files: the one place where pixels become JPEG."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image
from torch import Tensor

QUALITY = 90


def jpeg(pixels: Tensor) -> bytes:
    """An image as JPEG with full colour resolution and without any metadata.

    Args:
        pixels: uint8 [3, H, W], RGB.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).cpu().numpy()))
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()
