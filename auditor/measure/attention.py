"""What of an image an explainer sees for one filter: channels, weighted by the filter's map.

Both attentions of LaViSE (Yang, Kim, Joo, CVPR 2022) end in a mean over places, and so need only
the products of whole maps <a_u, F_k>: one matrix product per image gives every filter's features,
and no attended map is ever made.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

Attention = Literal["paper", "release", "activation", "original"]
Rule = Literal["area", "nearest"]


def attended(
    maps: Tensor, channels: Tensor, attention: Attention, thresholds: Tensor | None = None
) -> Tensor:
    """The channels of one image as each of some filters attends to them, averaged over places.

    With a_u the filter's map, F_k a channel, n = h w places and the mean over places:

        paper       cos(a_u, F_k) mean(F_k), the paper's filter attention
        release     <a_u, F_k> / (‖a_u‖ n), `projection` in the release's `infer_filter.py`
        activation  mean(F_k [a_u > T_u]), activation masking
        original    mean(F_k)

    A map that is zero everywhere attends to nothing: its cosine counts as 0.

    Args:
        maps: a_u [A, h, w] of the chosen filters.
        channels: F_k [d, h, w] of the same image.
        attention: Which of the four.
        thresholds: T_u [A], read by `activation` alone.

    Returns:
        [A, d], float32.

    Raises:
        ValueError: where maps and channels differ in places, or thresholds are needed and missing.
    """
    if maps.shape[1:] != channels.shape[1:]:
        raise ValueError(f"maps are {list(maps.shape)}, channels {list(channels.shape)}")
    if attention == "activation":
        if thresholds is None:
            raise ValueError("activation masking needs the threshold of each filter")
        return masked_mean(channels, maps > thresholds[:, None, None])
    values = channels.flatten(1).float()
    if attention == "original":
        return values.mean(1).repeat(len(maps), 1)
    filters = maps.flatten(1).float()
    products, lengths = filters @ values.T, _lengths(filters)[:, None]
    if attention == "release":
        return products / (lengths * values.shape[1])
    return products * (values.mean(1) / _lengths(values)) / lengths


def masked_mean(channels: Tensor, masks: Tensor) -> Tensor:
    """Channels under each mask, averaged over all places, those outside the mask counted as 0.

    LaViSE multiplies masks onto a layer and pools the whole map, so that a small region gives small
    features.

    Args:
        channels: [d, h, w].
        masks: Weights in [0, 1], or bool, [P, h, w].

    Returns:
        [P, d], float32.

    Raises:
        ValueError: where masks and channels differ in places.
    """
    if masks.shape[1:] != channels.shape[1:]:
        raise ValueError(f"masks are {list(masks.shape)}, channels {list(channels.shape)}")
    values = channels.flatten(1).float()
    return masks.flatten(1).float() @ values.T / values.shape[1]


def effective_places(maps: Tensor) -> Tensor:
    """How many places of each map [A, h, w] carry it: (Σ a)² / Σ a², float32 [A].

    Kish's effective sample size (Survey Sampling, 1965) of the values above 0 as weights: 1 where
    one place has everything, h w where all have the same; 0 for a map without a value above 0.
    """
    values = maps.flatten(1).clamp_min(0).double()
    squares = values.square().sum(1)
    return (values.sum(1).square() / squares.masked_fill(squares == 0, 1.0)).float()


def place_masks(masks: Tensor, side: tuple[int, int], rule: Rule) -> Tensor:
    """Masks in pixels as weights of a layer's places, each place a rectangle of the mask's grid.

    Args:
        masks: bool [P, g, g'].
        side: Rows and columns h, w of the layer's maps.
        rule: `area` weighs a place by the share of it that the mask covers, also where g is no
            multiple of h; `nearest` takes the pixel at its centre (half-pixel centres).

    Returns:
        [P, h, w], float32 in [0, 1].
    """
    rows, columns = masks.shape[1:]
    if rule == "nearest":
        picked = masks[:, _centres(rows, side[0], masks.device)]
        return picked[:, :, _centres(columns, side[1], masks.device)].float()
    down = _shares(rows, side[0], masks.device)
    across = _shares(columns, side[1], masks.device)
    return (down @ (masks.float() @ across.T)).clamp(max=1.0)


def _lengths(rows: Tensor) -> Tensor:
    """Length of each row [N]; 1 for rows of zeros, whose products are 0 already."""
    lengths: Tensor = torch.linalg.vector_norm(rows, dim=1)
    return lengths.masked_fill(lengths == 0, 1.0)


def _centres(pixels: int, places: int, device: torch.device) -> Tensor:
    """The pixel at the centre of each place, int64 [places], by integers: nothing is rounded."""
    return (2 * torch.arange(places, device=device) + 1) * pixels // (2 * places)


@lru_cache(maxsize=64)  # the same few for every image
def _shares(pixels: int, places: int, device: torch.device) -> Tensor:
    """Share of each place that each pixel covers along one axis, float32 [places, pixels]."""
    # In units of 1 / (pixels places) of the axis, both borders are integers.
    low = torch.arange(places, device=device)[:, None] * pixels
    left = torch.arange(pixels, device=device) * places
    ends = torch.minimum(low + pixels, left + places)
    return (ends - torch.maximum(low, left)).clamp(min=0).float() / pixels
