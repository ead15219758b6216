"""Heat maps lie between 0 and 1, each by itself."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from auditor.measure.heatmaps import min_max


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=6, max_size=6))
def test_each_map_spans_zero_to_one_or_is_zero(values: list[float]) -> None:
    maps = torch.tensor(values).reshape(1, 2, 3)
    scaled = min_max(maps)
    assert scaled.amin() == 0.0
    assert scaled.amax() == (0.0 if len(set(maps.flatten().tolist())) == 1 else 1.0)


def test_maps_are_scaled_one_by_one() -> None:
    maps = torch.tensor([[[0.0, 2.0, 4.0]], [[-1.0, -1.0, 1.0]], [[0.0, 0.0, 0.0]]])
    assert min_max(maps).tolist() == [[[0.0, 0.5, 1.0]], [[0.0, 0.0, 1.0]], [[0.0, 0.0, 0.0]]]


def test_a_map_that_is_not_finite_points_nowhere() -> None:
    nan, inf = float("nan"), float("inf")
    maps = torch.tensor([[[0.0, nan]], [[0.0, inf]], [[-inf, 1.0]], [[0.0, 1.0]]])
    assert min_max(maps).tolist() == [[[0.0, 0.0]], [[0.0, 0.0]], [[0.0, 0.0]], [[0.0, 1.0]]]
