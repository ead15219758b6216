"""Example pictures and heat maps as small data URIs, shown only as far as the audience may see.

Every picture is decoded and encoded again, so nothing but pixels survives: no EXIF, no profile,
no trailing bytes. Photographs and what is drawn over them become JPEG, the rest PNG.
"""

from __future__ import annotations

import base64
import hmac
import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

ImageMode = Literal["full", "blurred", "heatmap_only", "withheld"]

PHOTO_SIDE = 144
"""Longest side in pixels of a picture in the report."""

HEAT_SIDE = 72

BLOTS = 8
"""Blots along the longer side of a blurred picture: fewer than any face needs."""

PAPER = np.array([250, 248, 245], dtype=np.float32)

HEAT = np.array([[252, 240, 224], [243, 190, 122], [214, 96, 40], [122, 28, 30]], dtype=np.float32)
"""From nothing to strong. Lightness falls all the way, so it reads in black and white."""


HEAT_LEVELS, GREY_LEVELS = 16, 8

LIGHT, DARK = (255, 255, 255), (20, 24, 29)
"""An outline is light on dark, so that it stands out from any picture."""


def palette() -> bytes:
    """Every heat level over every grey level of the picture below, as one PNG palette."""
    heat = np.linspace(0.0, 1.0, HEAT_LEVELS)
    stops = np.linspace(0.0, 1.0, len(HEAT))
    color = np.stack([np.interp(heat, stops, HEAT[:, c]) for c in range(3)], axis=-1)[:, None]
    grey = np.linspace(0.0, 255.0, GREY_LEVELS)[None, :, None]
    ground = 0.45 * grey + 0.55 * PAPER
    weight = np.clip(1.6 * heat, 0.0, 0.9)[:, None, None]
    mixed = weight * color + (1 - weight) * ground
    return bytes(mixed.round().astype(np.uint8).tobytes())


PALETTE = palette()


def open_photo(encoded: bytes) -> Image.Image | None:
    """The picture, small and in RGB, or None where the bytes are no picture."""
    try:
        stored = Image.open(io.BytesIO(encoded))
        stored.draft("RGB", (PHOTO_SIDE * 2, PHOTO_SIDE * 2))
        image = stored.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    image.thumbnail((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)
    return image


def blurred(image: Image.Image) -> Image.Image:
    """So coarse that nobody is recognised, and no filter brings anything back.

    A Gaussian blur can be undone in part. Here each blot is the mean of what it covers, and
    nothing else of the picture is kept.
    """
    scale = BLOTS / max(image.size)
    blots = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(blots, Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)


def jpeg_uri(image: Image.Image) -> str:
    """The picture as a JPEG data URI."""
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(buffer, "JPEG", quality=82, optimize=True)
    return data_uri("image/jpeg", buffer.getvalue())


def heat_uri(heat: NDArray[np.float32], backdrop: Image.Image | None) -> str:
    """A heat map as a data URI: JPEG over a pale grey version of its picture, PNG where that may
    not show. A PDF takes the bytes of a JPEG as they are, and packs every PNG anew.

    Args:
        heat: [h, w], any scale and sign; what speaks for and against counts alike, relative to
            the largest.
        backdrop: The picture it belongs to.
    """
    strength = np.abs(heat.astype(np.float32))
    strength /= max(float(strength.max()), 1e-12)
    side = (HEAT_SIDE, max(1, round(HEAT_SIDE * heat.shape[0] / heat.shape[1])))
    smooth = Image.fromarray((255 * strength).astype(np.uint8)).resize(
        side, Image.Resampling.BILINEAR
    )
    warmth = np.asarray(smooth) // (256 // HEAT_LEVELS)
    shade = np.full_like(warmth, GREY_LEVELS - 1)
    if backdrop is not None:
        shade = np.asarray(backdrop.convert("L").resize(side)) // (256 // GREY_LEVELS)
    image = Image.fromarray(warmth * GREY_LEVELS + shade)
    image.putpalette(PALETTE)
    if backdrop is not None:
        return jpeg_uri(image.convert("RGB"))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return data_uri("image/png", buffer.getvalue())


def outline_uri(region: NDArray[np.bool_], photo: Image.Image | None) -> str:
    """A line around a region as a data URI: JPEG over its picture, PNG where that may not show.

    Args:
        region: [h, w], on any grid over the whole picture.
        photo: The picture it belongs to; small ones are enlarged, so that the line stays thin.
    """
    if photo is None:
        rows, columns = region.shape
        ground = Image.new("RGB", (columns, rows), tuple(PAPER.astype(int)))
    else:
        ground = photo.copy()
    scale = PHOTO_SIDE / max(ground.size)
    size = (max(1, round(ground.width * scale)), max(1, round(ground.height * scale)))
    drawn = outlined(ground.resize(size, Image.Resampling.BICUBIC), region)
    if photo is not None:
        return jpeg_uri(drawn)
    buffer = io.BytesIO()
    drawn.quantize(16).save(buffer, "PNG", optimize=True)
    return data_uri("image/png", buffer.getvalue())


def outlined(image: Image.Image, region: NDArray[np.bool_]) -> Image.Image:
    """The image with a line of 2 px around a region [h, w], and a dark pixel at either side.

    The region is enlarged smoothly and cut at one half; where it reaches the edge of the image,
    the line runs along that edge.
    """
    margin = 4
    mask = Image.fromarray(np.where(region, 255, 0).astype(np.uint8))
    mask = mask.resize(image.size, Image.Resampling.BILINEAR).point(lambda v: 255 * (v > 127))
    padded = Image.new("L", (image.width + 2 * margin, image.height + 2 * margin))
    padded.paste(mask, (margin, margin))
    inner = (margin, margin, margin + image.width, margin + image.height)
    result = image.copy()
    for width, color in ((5, DARK), (3, LIGHT)):
        grown, shrunk = (
            padded.filter(ImageFilter.MaxFilter(width)),
            padded.filter(ImageFilter.MinFilter(width)),
        )
        result.paste(color, (0, 0), ImageChops.subtract(grown, shrunk).crop(inner))
    return result


def data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def digest(encoded: bytes, key: str) -> str:
    """What a picture is called that is not shown: HMAC-SHA-256 (RFC 2104) of its file.

    Under a plain digest, whoever has a photo could tell whether it is among those withheld.
    """
    return hmac.new(key.encode(), b"pixels\0" + encoded, "sha256").hexdigest()
