"""From the bytes of an image file to uint8 RGB, or to a reason why not.

Only formats that Pillow decodes itself are tried. Of an animation the first frame counts.

    stored as            becomes
    16-bit grey          v · 255 / 65535, rounded: the whole range is kept, nothing is clipped
    16-bit colour        the high byte, as Pillow decodes it
    transparent          laid over white
    CMYK, palette, grey  RGB, by Pillow's conversion (no colour profile is applied)
    turned by EXIF       upright
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError
from torch import Tensor

from auditor.adapters.datasets.protocol import Unreadable

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MAX_PIXELS = 89_478_485
"""Pillow's own threshold for a decompression bomb: 256 MiB of RGB."""
NOT_AN_IMAGE = "not an image in a known format (JPEG, PNG, WebP, BMP, GIF or TIFF)"
TOO_LARGE = f"more than {MAX_PIXELS:,} pixels once decoded: taken for a decompression bomb"
# What Pillow's decoders raise on damaged files, besides OSError for files that are cut off.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    AttributeError,
    ZeroDivisionError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zlib.error,
)
BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


Found = TypeVar("Found")


def decode(data: bytes) -> Tensor | Unreadable:
    """The image as uint8 [3, H, W] RGB. Never raises on account of what the bytes contain."""
    rgb = opened(data, to_rgb)
    if isinstance(rgb, Unreadable):
        return rgb
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1).contiguous()


def decode_index(data: bytes) -> NDArray[np.int32] | Unreadable:
    """The values of an index mask, int32 [H, W]: a number that stands for what a pixel shows.

    Grey of 1, 8 or 16 bits counts as such, a palette image by its indices, and RGB as
    red + 256 · green + 65536 · blue. Never raises on account of what the bytes contain.
    """
    return opened(data, to_index)


def upright_size(data: bytes) -> tuple[int, int] | Unreadable:
    """Rows and columns of the image that `decode` would give, without decoding its pixels."""
    return opened(data, size_upright)


def opened(data: bytes, use: Callable[[Image.Image], Found | Unreadable]) -> Found | Unreadable:
    """What becomes of an image, or why it cannot be opened."""
    if not data:
        return Unreadable("the file is empty (0 bytes)")
    # WeasyPrint, once imported, has Pillow fill up cut-off images in the whole process.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return Unreadable(TOO_LARGE)
            return use(image)
    except BOMB:
        return Unreadable(TOO_LARGE)
    except UnidentifiedImageError:
        return Unreadable(NOT_AN_IMAGE)
    except DAMAGE as error:
        return Unreadable(damage(error))


def damage(error: Exception) -> str:
    """The reason in words that are the same on every attempt: no addresses of objects."""
    words = str(error)
    if not words or " object at 0x" in words or not isinstance(error, OSError | SyntaxError):
        return "the image is damaged"
    return f"the image is damaged or cut off: {words}"


def to_rgb(image: Image.Image) -> Image.Image | Unreadable:
    """Upright, with any mode that has a defined white converted to RGB."""
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return grey_from_16_bit(image)
    if image.mode in ("I", "F"):
        return Unreadable("32-bit pixels: which value is white is not known")
    if image.mode == "LAB":
        return Unreadable("the colour space LAB is not supported")
    if image.has_transparency_data:
        over_white = Image.new("RGBA", image.size, "white")
        over_white.alpha_composite(image.convert("RGBA"))
        return over_white.convert("RGB")
    return image.convert("RGB")


def grey_from_16_bit(image: Image.Image) -> Image.Image:
    grey = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")


def to_index(image: Image.Image) -> NDArray[np.int32] | Unreadable:
    """The value of each pixel of an upright index mask."""
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode in ("1", "L", "P") or image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.int32)
    if image.mode == "RGB":
        bands = np.asarray(image).astype(np.int32)
        values: NDArray[np.int32] = bands @ np.array([1, 256, 65536], dtype=np.int32)
        return values
    return Unreadable(
        f"the mask has pixels of the kind {image.mode}; grey, palette or RGB is needed"
    )


def size_upright(image: Image.Image) -> tuple[int, int]:
    """Rows and columns after the turn that EXIF asks for: orientations 5 to 8 swap the sides."""
    turned = image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
    return (image.width, image.height) if turned else (image.height, image.width)
