"""Small pictures as files and as bytes."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

Picture = Callable[[int], bytes]


@pytest.fixture
def picture() -> Picture:
    """A PNG file of 4 × 6 pixels, all of one grey level."""

    def png(level: int) -> bytes:
        file = io.BytesIO()
        Image.fromarray(np.full((4, 6, 3), level, dtype=np.uint8)).save(file, "PNG")
        return file.getvalue()

    return png
