"""Pictures: nothing but pixels leaves, and no more of them than the audience may see."""

from __future__ import annotations

import base64
import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from auditor.drawing import Tile
from auditor.report.images import BLOTS, HEAT, blurred, digest, heat_uri, jpeg_uri, open_photo
from auditor.report.plates import Plates

AUDIT = "relationships"
KEY = "0f" * 16


def decoded(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])


def first_image(run) -> str:
    return run.image_names(AUDIT)[0]


def test_metadata_of_the_stored_picture_does_not_survive(run):
    stored = run.image(AUDIT, first_image(run))
    assert b"SECRET-LOCATION" in stored
    shown = decoded(jpeg_uri(open_photo(stored)))
    assert b"SECRET-LOCATION" not in shown
    assert not Image.open(io.BytesIO(shown)).getexif()


def test_a_blurred_picture_keeps_no_detail(run):
    tile = Tile(image=first_image(run), alt="a", caption="c")

    def detail(mode: str) -> float:
        shown = Plates(run, mode, KEY).show(AUDIT, tile)
        grey = np.asarray(Image.open(io.BytesIO(decoded(shown.source))).convert("L"), dtype=float)
        return float(np.abs(np.diff(grey)).max())

    assert detail("blurred") < 0.25 * detail("full")


def test_a_blurred_picture_is_made_of_so_few_blots_that_nothing_can_be_brought_back():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (144, 96, 3)).astype(np.uint8)
    again = blurred(Image.fromarray(noise))
    assert again.size == (96, 144)
    rank = np.linalg.matrix_rank(np.asarray(again.convert("L"), dtype=float), tol=200.0)
    assert rank <= BLOTS


@pytest.mark.parametrize("mode", ["heatmap_only", "withheld"])
def test_a_withheld_picture_is_shown_as_its_digest(run, mode):
    name = first_image(run)
    shown = Plates(run, mode, KEY).show(AUDIT, Tile(image=name, alt="a", caption="c"))
    assert not shown.source
    stored = run.image(AUDIT, name)
    assert digest(stored, KEY)[:10] in shown.words
    assert digest(stored, "another") != digest(stored, KEY), "who has the photo needs the key"
    assert hashlib.sha256(stored).hexdigest()[:8] not in shown.words


def test_heat_maps_alone_do_not_show_the_picture_below(run):
    heat = np.zeros((12, 12), np.float32)
    heat[3, 4] = 1.0
    names = run.image_names(AUDIT)[:2]
    shown = [
        Plates(run, "heatmap_only", KEY).show(AUDIT, Tile(name, "a", "c", heat)).source
        for name in names
    ]
    assert shown[0] == shown[1]
    assert not Plates(run, "withheld", KEY).show(AUDIT, Tile(names[0], "a", "c", heat)).source


def test_heat_gets_darker_as_it_gets_stronger():
    luminance = HEAT @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance) < -25).all()


def test_a_map_of_zeros_and_a_single_cell_are_pictures_too():
    for heat in (np.zeros((4, 4), np.float32), np.ones((1, 1), np.float32)):
        assert decoded(heat_uri(heat, None)).startswith(b"\x89PNG")


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\xff\xd8\xff\xe0 cut off"])
def test_bytes_that_are_no_picture_are_told_apart(content):
    assert open_photo(content) is None
