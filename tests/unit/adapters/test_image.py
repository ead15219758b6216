"""Every image becomes uint8 RGB, or a reason why not; nothing raises."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from torch import Tensor

from auditor.adapters.datasets.image import FORMATS, MAX_PIXELS, decode
from auditor.adapters.datasets.protocol import Unreadable

RAMP = np.arange(12 * 16 * 3, dtype=np.uint16).astype(np.uint8).reshape(12, 16, 3)


def stored(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(data: bytes) -> Tensor:
    image = decode(data)
    assert isinstance(image, Tensor), image
    assert image.dtype == torch.uint8
    assert image.shape[0] == 3
    assert image.is_contiguous()
    return image


def reason(data: bytes) -> str:
    image = decode(data)
    assert isinstance(image, Unreadable)
    return image.reason


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_keep_every_pixel(kind: str) -> None:
    image = pixels(stored(Image.fromarray(RAMP), kind))
    assert torch.equal(image, torch.from_numpy(RAMP).permute(2, 0, 1))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_keep_the_shape(kind: str) -> None:
    assert pixels(stored(Image.fromarray(RAMP), kind)).shape == (3, 12, 16)


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    grey = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    for kind in ("PNG", "TIFF"):
        image = pixels(stored(Image.fromarray(grey), kind))
        expected = np.rint(grey / 65535 * 255).astype(np.uint8)
        assert np.array_equal(image[0].numpy(), expected)
        assert torch.equal(image[0], image[1])


def test_sixteen_bit_colour_keeps_its_range() -> None:
    samples = np.array([[[0, 32896, 65535]]], dtype=">u2")
    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    chunks = [
        (b"IHDR", header),
        (b"IDAT", zlib.compress(b"\0" + samples.tobytes())),
        (b"IEND", b""),
    ]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    assert pixels(png).flatten().tolist() == [0, 128, 255]


def test_cmyk_becomes_rgb() -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    assert pixels(stored(cyan, "TIFF"))[:, 0, 0].tolist() == [0, 255, 255]
    assert pixels(stored(cyan, "JPEG"))[:, 0, 0].tolist() == pytest.approx([0, 255, 255], abs=3)


def test_palette_and_grey_and_bilevel_become_rgb() -> None:
    red = Image.new("RGB", (8, 8), "red")
    for kind in ("PNG", "GIF"):
        assert pixels(stored(red.convert("P", palette=Image.Palette.ADAPTIVE), kind))[
            :, 0, 0
        ].tolist() == [255, 0, 0]
    assert pixels(stored(Image.new("L", (8, 8), 77), "PNG"))[:, 0, 0].tolist() == [77] * 3
    assert pixels(stored(Image.new("1", (8, 8), 1), "PNG"))[:, 0, 0].tolist() == [255] * 3


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_transparent_pixels_are_laid_over_white(mode: str) -> None:
    black = {"RGBA": (0, 0, 0, 0), "LA": (0, 0), "P": 0, "RGB": (0, 0, 0)}[mode]
    key = {"transparency": black} if mode in ("P", "RGB") else {}
    assert pixels(stored(Image.new(mode, (4, 4), black), "PNG", **key)).min() == 255


def test_half_transparent_black_is_grey() -> None:
    assert pixels(stored(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"))[0, 0, 0] == 127


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_applied(orientation: int, turns: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = pixels(stored(Image.fromarray(RAMP), "PNG", exif=exif))
    upright = np.rot90(RAMP, turns)
    assert np.array_equal(image.permute(1, 2, 0).numpy(), upright)


def test_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = stored(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixels(data)[:, 0, 0].tolist() == [255, 0, 0]


def test_zero_byte_file_has_a_reason() -> None:
    assert reason(b"") == "the file is empty (0 bytes)"


def test_truncated_jpeg_has_a_reason() -> None:
    data = stored(Image.effect_noise((64, 64), 80).convert("RGB"), "JPEG")
    assert "cut off" in reason(data[: len(data) // 2])


def test_truncated_jpeg_has_a_reason_after_another_library_told_pillow_to_fill_it_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = stored(Image.fromarray(RAMP), "JPEG")
    assert "cut off" in reason(data[: len(data) * 2 // 3])


@pytest.mark.parametrize("data", [b"hello", b"%PDF-1.7", b"\x80\x04\x95", b"%!PS-Adobe-3.0 EPSF"])
def test_what_is_no_image_has_a_reason(data: bytes) -> None:
    assert "not an image" in reason(data)


@pytest.mark.parametrize("side", [9_600, 20_000, 2**31 - 1])
def test_decompression_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    assert side * side > MAX_PIXELS
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header
    png += struct.pack(">I", zlib.crc32(b"IHDR" + header))
    assert "decompression bomb" in reason(
        png + b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )


def test_pixels_without_a_known_white_have_a_reason() -> None:
    assert "white" in reason(stored(Image.new("F", (4, 4), 0.5), "TIFF"))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow comments on damaged metadata
@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_bytes_never_raise_and_read_alike_twice(
    kind: str, cuts: list[tuple[float, int]]
) -> None:
    data = bytearray(stored(Image.fromarray(RAMP), kind))
    for place, value in cuts:
        data[int(place * (len(data) - 1))] = value
    first, second = decode(bytes(data)), decode(bytes(data))
    if isinstance(first, Tensor):
        assert isinstance(second, Tensor)
        assert torch.equal(first, second)
    else:
        assert first == second
        assert " at 0x" not in first.reason
