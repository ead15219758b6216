"""Regions are outlined: visible on any picture, where they are, and no more of it than allowed."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from auditor.drawing import Tile
from auditor.report.images import DARK, LIGHT, PHOTO_SIDE, outline_uri, outlined
from auditor.report.plates import Plates

AUDIT = "filters"


def pixels(uri: str) -> np.ndarray:
    content = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.fixture
def square() -> np.ndarray:
    region = np.zeros((12, 12), bool)
    region[3:6, 6:9] = True
    return region


@pytest.mark.parametrize("shade", [0, 127, 255])
def test_a_line_of_two_light_pixels_between_dark_ones_runs_around_the_region(square, shade):
    drawn = np.asarray(outlined(Image.new("RGB", (144, 144), (shade,) * 3), square))
    row = drawn[54]  # through the middle of the region, whose left edge is at column 72
    assert (row[71:73] == LIGHT).all()
    assert (row[70] == DARK).all()
    assert (row[73] == DARK).all()
    assert (row[90] == shade).all()
    assert (row[:60] == shade).all()


def test_a_region_at_the_edge_is_closed_along_it():
    whole = np.asarray(outlined(Image.new("RGB", (40, 30), (90, 90, 90)), np.ones((3, 4), bool)))
    for side in (whole[0], whole[-1], whole[:, 0], whole[:, -1]):
        assert (side == LIGHT).all()


def test_nothing_active_leaves_the_picture_as_it_is():
    image = Image.new("RGB", (40, 30), (90, 90, 90))
    assert (np.asarray(outlined(image, np.zeros((3, 4), bool))) == 90).all()


def test_small_pictures_are_enlarged_and_keep_their_shape(square):
    drawn = pixels(outline_uri(square[:6], Image.new("RGB", (32, 16))))
    assert drawn.shape == (PHOTO_SIDE // 2, PHOTO_SIDE, 3)


def test_modes_show_photo_blur_line_alone_or_nothing(run, square):
    names = run.image_names(AUDIT)[:2]

    def shown(mode, name=names[0]):
        return Plates(run, mode, "key").show(AUDIT, Tile(name, "a", "c", outline=square))

    full, blurred, alone = (pixels(shown(m).source) for m in ("full", "blurred", "heatmap_only"))
    assert full.shape == blurred.shape == alone.shape
    assert (full != blurred).any()
    assert shown("heatmap_only").source == shown("heatmap_only", names[1]).source
    assert len(np.unique(alone.reshape(-1, 3), axis=0)) == 3
    assert not shown("withheld").source
    assert "withheld" in shown("withheld").words
