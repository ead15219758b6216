"""Gradient ascent on images: closed forms on linear networks, never out of ball or box."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from auditor.measure.attacks import Norm, ascend, random_start

SHAPE = (3, 4, 5)
NORMS: tuple[Norm, ...] = ("l2", "linf")


def draws(seed: int, num_images: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(num_images, *SHAPE, generator=generator, dtype=dtype)


def linear(weights: Tensor) -> Callable[[Tensor], Tensor]:
    """w · x per image; its gradient is w everywhere."""
    return lambda images: (images * weights).flatten(1).sum(1)


def length(change: Tensor, norm: Norm) -> Tensor:
    return change.flatten(1).norm(dim=1, p=2 if norm == "l2" else math.inf)


WEIGHTS = draws(9, 1) - 0.5
MIDDLE = torch.full((2, *SHAPE), 0.5, dtype=torch.float64)


def test_l2_moves_along_the_constant_gradient_until_the_ball() -> None:
    unit = WEIGHTS / WEIGHTS.norm()
    for num_steps, moved in ((1, 0.05), (3, 0.15), (4, 0.2), (50, 0.2)):
        found = ascend(
            linear(WEIGHTS), MIDDLE, norm="l2", eps=0.2, num_steps=num_steps, step_size=0.05
        )
        torch.testing.assert_close(found, MIDDLE + moved * unit, rtol=0, atol=1e-12)


def test_linf_takes_sign_steps_until_the_ball() -> None:
    for num_steps, moved in ((1, 0.03), (2, 0.06), (3, 0.08), (30, 0.08)):
        found = ascend(
            linear(WEIGHTS), MIDDLE, norm="linf", eps=0.08, num_steps=num_steps, step_size=0.03
        )
        torch.testing.assert_close(found, MIDDLE + moved * WEIGHTS.sign(), rtol=0, atol=1e-12)


def test_l2_with_a_ball_beyond_the_box_goes_straight_to_the_corner_that_scores_most() -> None:
    images = draws(3)
    found = ascend(linear(WEIGHTS), images, norm="l2", eps=500.0, num_steps=2000, step_size=1.0)
    torch.testing.assert_close(found, (WEIGHTS > 0).double().expand_as(found), rtol=0, atol=0)


def test_before_the_box_the_path_is_clipped_per_pixel() -> None:
    images = draws(4)
    found = ascend(linear(WEIGHTS), images, norm="l2", eps=500.0, num_steps=5, step_size=0.3)
    unit = WEIGHTS / WEIGHTS.norm()
    torch.testing.assert_close(found, (images + 1.5 * unit).clamp(0, 1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_a_zero_gradient_or_one_that_is_no_number_stays_put(norm: Norm) -> None:
    images = draws(5)
    for factor in (0.0, math.nan, math.inf):
        found = ascend(
            linear(WEIGHTS * factor), images, norm=norm, eps=0.5, num_steps=3, step_size=0.1
        )
        assert torch.equal(found, images)


def test_a_gradient_whose_squares_vanish_still_moves_by_a_full_step() -> None:
    weights = (WEIGHTS * 1e-30).float()
    found = ascend(linear(weights), MIDDLE.float(), norm="l2", eps=1.0, num_steps=1, step_size=0.1)
    torch.testing.assert_close(length(found - MIDDLE.float(), "l2"), torch.full((2,), 0.1))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(NORMS),
    st.floats(1e-3, 20.0),
    st.integers(1, 6),
    st.floats(1e-3, 10.0),
    st.booleans(),
)
def test_ball_and_box_hold_always(
    seed: int, norm: Norm, eps: float, num_steps: int, step_size: float, random: bool
) -> None:
    images = draws(seed).round(decimals=seed % 3)  # many values lie exactly on 0 and 1
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(60, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    generator = torch.Generator().manual_seed(seed)
    start = random_start(images, norm=norm, eps=eps, generator=generator) if random else None
    found = ascend(
        lambda batch: network(batch)[:, 0], images, start=start,
        norm=norm, eps=eps, num_steps=num_steps, step_size=step_size,
    )  # fmt: skip
    for point in (found, *([] if start is None else [start])):
        assert (length(point - images, norm) <= eps * (1 + 1e-9)).all()
        assert ((point >= 0) & (point <= 1)).all()
    assert not found.requires_grad


@pytest.mark.parametrize("norm", NORMS)
def test_an_image_does_not_depend_on_its_batch(norm: Norm) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(60, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    images = draws(6, 5)

    def attacked(batch: Tensor) -> Tensor:
        return ascend(
            lambda x: network(x)[:, 0], batch, norm=norm, eps=0.4, num_steps=5, step_size=0.1
        )

    together = attacked(images)
    for row in range(5):
        torch.testing.assert_close(together[row], attacked(images[row : row + 1])[0])


def test_the_objective_rises_and_parameters_stay_without_gradients() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(60, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    images = draws(7)
    with torch.no_grad():  # a caller may have switched gradients off
        found = ascend(
            lambda x: network(x)[:, 0], images, norm="l2", eps=0.5, num_steps=8, step_size=0.1
        )
        assert (network(found) > network(images)).all()
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("norm", NORMS)
def test_random_starts_fill_the_ball_and_repeat_for_their_seed(norm: Norm) -> None:
    images = torch.full((4000, 3, 1, 1), 0.5)

    def drawn(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return random_start(images, norm=norm, eps=0.3, generator=generator)

    lengths = length(drawn(0) - images, norm)
    # Uniform in three dimensions: the share within half the radius is 1/8, for either norm.
    assert float((lengths < 0.15).float().mean()) == pytest.approx(0.125, abs=0.02)
    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))
