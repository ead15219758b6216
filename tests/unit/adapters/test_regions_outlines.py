"""Polygons, boxes and run lengths become the pixels that they mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from auditor.adapters.datasets.outline import (
    MAX_CROSSINGS,
    DamagedOutlineError,
    decode_runs,
    paint_box,
    paint_outline,
    paint_polygon,
)
from auditor.inventory.coco_json import RunLengths
from auditor.inventory.regions import Box


def painted(
    polygon: list[tuple[float, float]], height: int = 6, width: int = 8
) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), dtype=np.bool_)
    paint_polygon(mask, np.array(polygon, dtype=np.float64).reshape(-1, 2))
    return mask


def inside(polygon: list[tuple[float, float]], column: float, row: float) -> bool:
    """The even-odd rule, one point at a time (Shimrat, CACM 1962)."""
    odd = False
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y0 > row) != (y1 > row) and column > x0 + (row - y0) * (x1 - x0) / (y1 - y0):
            odd = not odd
    return odd


SIXTEENTHS = st.integers(-64, 192).map(lambda number: number / 16)
CORNERS = st.tuples(SIXTEENTHS, SIXTEENTHS)


@settings(max_examples=80, deadline=None)
@given(st.lists(CORNERS, min_size=3, max_size=8))
def test_a_polygon_has_the_pixels_whose_centres_are_inside(
    polygon: list[tuple[float, float]],
) -> None:
    found = painted(polygon)
    for y, x in np.ndindex(6, 8):
        expected = inside(polygon, x + 0.5, y + 0.5)
        if found[y, x] != expected:
            # Only a centre that lies on an edge may go either way.
            near = [inside(polygon, x + 0.5 + shift, y + 0.5) for shift in (-1e-9, 1e-9)]
            assert near[0] != near[1]


def test_a_rectangle_has_its_area() -> None:
    found = painted([(1, 2), (5, 2), (5, 4), (1, 4)])
    assert int(found.sum()) == 8
    assert found[2:4, 1:5].all()


def test_crossing_edges_leave_a_hole() -> None:
    """The star of five corners has no middle under the even-odd rule."""
    angles = np.pi * (0.8 * np.arange(5) - 0.5)
    star = np.stack([20 + 18 * np.cos(angles), 20 + 18 * np.sin(angles)], axis=1)
    mask = np.zeros((40, 40), dtype=np.bool_)
    paint_polygon(mask, star)
    assert not mask[20, 20]
    assert mask[6, 20]


@pytest.mark.parametrize(
    "polygon",
    [
        [],
        [(2.0, 2.0)],
        [(1.0, 1.0), (5.0, 5.0)],
        [(20.0, 1.0), (25.0, 1.0), (25.0, 5.0)],
        [(-9.0, -9.0), (-1.0, -9.0), (-1.0, -1.0)],
        [(1.0, 90.0), (5.0, 90.0), (5.0, 95.0)],
    ],
)
def test_without_corners_or_outside_there_are_no_pixels(polygon: list[tuple[float, float]]) -> None:
    assert not painted(polygon).any()


def test_what_reaches_over_the_image_is_cut_off() -> None:
    assert painted([(-1e6, -1e6), (1e6, -1e6), (1e6, 1e6), (-1e6, 1e6)]).all()


def test_polygons_of_one_region_are_joined_and_do_not_cancel() -> None:
    square = np.array([(1.0, 1.0), (4.0, 1.0), (4.0, 4.0), (1.0, 4.0)])
    mask = np.zeros((6, 8), dtype=np.bool_)
    paint_outline(mask, (square, square, square + 2))
    assert int(mask.sum()) == 9 + 9 - 1


def test_a_polygon_without_end_is_refused() -> None:
    mask = np.zeros((4096, 4), dtype=np.bool_)
    zigzag = np.tile([(0.0, 0.0), (4.0, 4096.0)], (MAX_CROSSINGS // 8192 + 1, 1))
    with pytest.raises(DamagedOutlineError, match="more than"):
        paint_polygon(mask, zigzag)


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        (Box(1, 2, 3, 1), (2, 3), (1, 4)),
        (Box(1.4, 2.6, 3, 1), (3, 4), (1, 4)),
        (Box(-5, -5, 6, 100), (0, 6), (0, 1)),
        (Box(7.5, 0, 0.2, 9), (0, 6), (7, 8)),
        (Box(9, 1, 3, 3), (0, 0), (0, 0)),
        (Box(2, 2, 0, 0), (0, 0), (0, 0)),
    ],
)
def test_a_box_has_the_pixels_whose_centres_are_inside(
    box: Box, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    mask = np.zeros((6, 8), dtype=np.bool_)
    paint_box(mask, box)
    expected = np.zeros((6, 8), dtype=np.bool_)
    expected[slice(*rows), slice(*columns)] = True
    assert mask.tolist() == expected.tolist()


# Run lengths


def test_runs_go_down_the_columns_and_begin_outside() -> None:
    found = decode_runs(RunLengths(2, 3, (1, 3, 2)))
    assert found.tolist() == [[False, True, False], [True, True, False]]
    assert decode_runs(RunLengths(2, 3, (0, 6))).all()


def compressed(lengths: list[int]) -> str:
    """COCO's text of run lengths, after its description: differences, five bits at a time."""
    text = ""
    for place, length in enumerate(lengths):
        value = length - (lengths[place - 2] if place > 2 else 0)
        while True:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + bits + (32 if more else 0))
            if not more:
                break
    return text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=12))
def test_compressed_runs_are_the_runs(lengths: list[int]) -> None:
    size = sum(lengths)
    plain = RunLengths(1, size, tuple(lengths))
    packed = RunLengths(1, size, compressed(lengths))
    assert decode_runs(plain).tolist() == decode_runs(packed).tolist()


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        # 1 -> '1', 3 -> '3', 2 -> '2'; 40 = 8 + 32 -> '8' with more (88 = 'X'), then '1'
        ("132", [1, 3, 2]),
        ("X1", [40]),
        # the fourth length is stored as the difference to the second: 5 - 3 = 2, 1 - 3 = -2 = 'N'
        ("1322", [1, 3, 2, 5]),
        ("132N", [1, 3, 2, 1]),
    ],
)
def test_compressed_runs_by_hand(text: str, lengths: list[int]) -> None:
    size = sum(lengths)
    expected = decode_runs(RunLengths(1, size, tuple(lengths)))
    assert decode_runs(RunLengths(1, size, text)).tolist() == expected.tolist()
    assert compressed(lengths) == text


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((1, 2), "add up to 3 and not to the 6 pixels"),
        ((7,), "add up to 7"),
        ("1", "add up to 1"),
        ("13X", "cut off"),
        ("1é", "damaged"),
        ("1 ", "damaged"),
        ("`" * 20, "damaged"),
        ("7", "leave the image"),
        ("N", "leave the image"),
    ],
)
def test_runs_that_do_not_fit_the_image_say_why(
    counts: str | tuple[int, ...], message: str
) -> None:
    with pytest.raises(DamagedOutlineError, match=message):
        decode_runs(RunLengths(2, 3, counts))
