"""Heat maps lie between 0 and 1 and are laid over the image bilinearly."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from auditor.measure.heatmaps import min_max, resized


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


def test_resizing_is_bilinear_like_that_of_an_image_library() -> None:
    maps = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(0))
    large = resized(maps, 9, 16)
    for small, found in zip(maps, large, strict=True):
        picture = Image.fromarray(small.numpy()).resize((16, 9), Image.Resampling.BILINEAR)
        assert torch.allclose(found, torch.from_numpy(np.array(picture)), atol=1e-5)


def test_a_constant_map_stays_constant_at_any_size() -> None:
    expected = torch.full((1, 7, 5), 0.25)
    assert torch.allclose(resized(torch.full((1, 2, 2), 0.25), 7, 5), expected)
