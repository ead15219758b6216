"""Attended features against attended maps made one by one, and masks against plain loops."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from auditor.measure.attention import attended, effective_places, masked_mean, place_masks

SIDES = ((7, 7), (13, 13), (5, 8), (1, 1))


def drawn(side: tuple[int, int], *, signed: bool, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Maps of 9 filters and 40 channels, as after a ReLU or signed as evidence is."""
    generator = torch.Generator().manual_seed(seed)
    maps, channels = (torch.randn(n, *side, generator=generator) for n in (9, 40))
    return (maps, channels) if signed else (maps.relu() * 20, channels.relu() * 20)


def materialised(maps: Tensor, channels: Tensor, attention: str) -> Tensor:
    """Means of attended maps, each made as its definition says, in float64."""
    rows = []
    for a in maps.double():
        attended_maps = []
        for channel in channels.double():
            if attention == "release":
                attended_maps.append(a / a.norm() * channel)
            else:
                cosine = (a * channel).sum() / (a.norm() * channel.norm()).clamp(min=1e-300)
                attended_maps.append(cosine * channel)
        rows.append(torch.stack(attended_maps).mean((1, 2)))
    return torch.stack(rows)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("attention", ["paper", "release"])
@pytest.mark.parametrize("signed", [False, True])
def test_products_of_maps_equal_attended_maps(
    side: tuple[int, int], attention: Literal["paper", "release"], signed: bool
) -> None:
    maps, channels = drawn(side, signed=signed)
    maps[maps.flatten(1).norm(dim=1) == 0] = 1.0  # a zero map has no materialised form
    ours = attended(maps, channels, attention)
    assert ours.dtype == torch.float32
    expected = materialised(maps, channels, attention)
    assert (ours - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))


def test_the_two_attentions_agree_on_direction_and_differ_in_value() -> None:
    maps, channels = drawn((7, 7), signed=False)
    paper, release = (attended(maps, channels, name) for name in ("paper", "release"))
    assert torch.corrcoef(torch.stack([paper.flatten(), release.flatten()]))[0, 1] > 0.7
    assert (paper - release).abs().max() > 0.1


def test_the_formulas_of_two_places() -> None:
    maps = torch.tensor([[[3.0, 4.0]]])
    channels = torch.tensor([[[2.0, 0.0]], [[0.0, 6.0]], [[3.0, 4.0]]])
    assert attended(maps, channels, "paper").tolist() == [pytest.approx([0.6, 2.4, 3.5])]
    assert attended(maps, channels, "release").tolist() == [pytest.approx([0.6, 2.4, 2.5])]
    masked = attended(maps, channels, "activation", torch.tensor([3.0]))
    assert masked.tolist() == [[0.0, 3.0, 2.0]]
    assert attended(maps, channels, "original").tolist() == [[1.0, 3.0, 3.5]]


@pytest.mark.parametrize("attention", ["paper", "release", "activation"])
def test_zero_maps_attend_to_nothing(
    attention: Literal["paper", "release", "activation"],
) -> None:
    maps, channels = drawn((7, 7), signed=False)
    maps[2], channels[5] = 0.0, 0.0
    seen = attended(maps, channels, attention, torch.zeros(len(maps)))
    assert torch.isfinite(seen).all()
    assert (seen[2] == 0).all()
    assert (seen[:, 5] == 0).all()
    assert (seen[:2].sum(1) > 0).all()


def test_activation_is_strictly_above_the_threshold_and_dead_filters_see_nothing() -> None:
    maps, channels = drawn((7, 7), signed=False)
    thresholds = maps.flatten(1).median(1).values
    thresholds[4] = torch.inf
    seen = attended(maps, channels, "activation", thresholds)
    for unit in range(len(maps)):
        active = maps[unit] > thresholds[unit]
        torch.testing.assert_close(seen[unit], channels[:, active].sum(1) / 49)
    assert (seen[4] == 0).all()


def test_a_filter_is_seen_alike_alone_and_among_others() -> None:
    maps, channels = drawn((13, 13), signed=False)
    for attention in ("paper", "release", "original"):
        together = attended(maps, channels, attention)
        alone = torch.cat([attended(each[None], channels, attention) for each in maps])
        torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-6)
    assert attended(maps[:0], channels, "paper").shape == (0, 40)
    assert attended(maps[:0], channels, "original").shape == (0, 40)


def test_maps_of_another_size_and_missing_thresholds_are_refused() -> None:
    maps, channels = torch.zeros(2, 7, 7), torch.zeros(3, 7, 8)
    with pytest.raises(ValueError, match="7, 8"):
        attended(maps, channels, "paper")
    with pytest.raises(ValueError, match="masks are"):
        masked_mean(channels, maps)
    with pytest.raises(ValueError, match="threshold"):
        attended(maps, torch.zeros(3, 7, 7), "activation")


def test_masked_means_count_all_places() -> None:
    _, channels = drawn((5, 8), signed=True)
    masks = torch.rand(6, 5, 8, generator=torch.Generator().manual_seed(1))
    expected = torch.stack([(channels * mask).mean((1, 2)) for mask in masks])
    torch.testing.assert_close(masked_mean(channels, masks), expected)
    torch.testing.assert_close(
        masked_mean(channels, torch.ones(1, 5, 8, dtype=torch.bool))[0], channels.mean((1, 2))
    )
    assert masked_mean(channels, masks[:0]).shape == (0, 40)


def covered(mask: Tensor, side: tuple[int, int]) -> Tensor:
    """Share of each place under the mask, with every pixel cut into h × w parts."""
    fine = mask.double().repeat_interleave(side[0], 0).repeat_interleave(side[1], 1)
    rows, columns = mask.shape
    return fine.reshape(side[0], rows, side[1], columns).mean((1, 3))


@pytest.mark.parametrize("side", [(7, 7), (13, 13), (4, 9), (24, 36), (30, 50)])
def test_areas_are_exact_on_any_grid(side: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(2)
    masks = torch.rand(5, 24, 36, generator=generator) < 0.4
    ours = place_masks(masks, side, "area")
    assert ours.dtype == torch.float32
    assert 0 <= ours.min() <= ours.max() <= 1
    torch.testing.assert_close(ours.double(), torch.stack([covered(m, side) for m in masks]))
    torch.testing.assert_close(ours.mean((1, 2)), masks.float().mean((1, 2)))


@pytest.mark.parametrize("side", [(7, 7), (13, 13), (4, 9), (24, 36), (30, 50)])
def test_nearest_takes_the_pixel_at_the_centre(side: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(3)
    masks = torch.rand(5, 24, 36, generator=generator) < 0.4
    ours = place_masks(masks, side, "nearest")
    expected = interpolate(masks.float()[None], size=side, mode="nearest-exact")[0]
    assert torch.equal(ours, expected)


@pytest.mark.parametrize("rule", ["area", "nearest"])
def test_empty_and_full_masks_and_none(rule: Literal["area", "nearest"]) -> None:
    masks = torch.stack([torch.zeros(50, 48), torch.ones(50, 48)]).bool()
    weights = place_masks(masks, (13, 7), rule)
    assert (weights[0] == 0).all()
    torch.testing.assert_close(weights[1], torch.ones(13, 7))
    assert place_masks(masks[:0], (13, 7), rule).shape == (0, 13, 7)


def test_effective_places_count_what_carries_a_map() -> None:
    maps = torch.zeros(5, 3, 4)
    maps[1, 1, 2] = 0.3
    maps[2] = 7.0
    maps[3, 0] = 2.0
    maps[4, :2] = torch.tensor([3.0, 0.0, 0.0, -5.0])
    assert effective_places(maps).tolist() == [0.0, 1.0, 12.0, 4.0, 2.0]
