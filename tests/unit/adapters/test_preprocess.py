"""Geometry is torchvision's; normalisation is its formula."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import v2

from auditor.adapters.models.preprocess import fit_geometry, normalise, standardised
from auditor.spec.model import Preprocess


def picture(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)


@settings(max_examples=40, deadline=None)
@given(st.integers(5, 60), st.integers(5, 60), st.integers(4, 40), st.integers(1, 40))
def test_geometry_is_torchvisions(height: int, width: int, resize: int, crop: int) -> None:
    image = picture(height, width)
    transform = v2.Compose([v2.Resize(resize, antialias=True), v2.CenterCrop(crop)])
    assert torch.equal(fit_geometry(image, Preprocess(resize=resize, crop=crop)), transform(image))


@pytest.mark.parametrize(
    ("shape", "fitted"),
    [((100, 75), (341, 256)), ((75, 100), (256, 341)), ((3, 1000), (256, 85333))],
)
def test_the_long_side_is_cut_off_to_whole_pixels(
    shape: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert fit_geometry(picture(*shape), Preprocess(resize=256)).shape[1:] == fitted


def test_without_geometry_the_image_stays_as_it_is() -> None:
    image = picture(7, 9)
    assert torch.equal(fit_geometry(image, Preprocess()), image)


def test_nearest_keeps_the_values_of_a_mask() -> None:
    mask = (picture(40, 30)[:1] > 128).to(torch.uint8) * 7
    fitted = fit_geometry(mask, Preprocess(resize=17, crop=15), interpolation="nearest")
    assert fitted.shape == (1, 15, 15)
    assert set(fitted.unique().tolist()) == {0, 7}


def test_normalise_is_the_formula() -> None:
    preprocess = Preprocess(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    pixels = picture(4, 5)[None]
    mean = torch.tensor(preprocess.mean).view(3, 1, 1)
    std = torch.tensor(preprocess.std).view(3, 1, 1)
    found = normalise(pixels, preprocess, torch.float64)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, ((pixels / 255 - mean) / std).double())
    assert normalise(pixels, preprocess, torch.bfloat16).dtype == torch.bfloat16


def test_images_between_0_and_1_are_normalised_alike_and_pass_gradients_on() -> None:
    preprocess = Preprocess(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    pixels = picture(4, 5)[None]
    images = (pixels / 255).requires_grad_(True)
    found = standardised(images, preprocess)
    assert torch.equal(found, normalise(pixels, preprocess, torch.float32))
    (slope,) = torch.autograd.grad(found.sum(), images)
    assert torch.equal(slope[0, :, 2, 2], torch.tensor([2.0, 4.0, 0.5]))
