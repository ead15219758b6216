"""Visit `pictures`: what cards show, and what images masked in pixels look like to the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from auditor.audits.filters.needs import channels_output, layer_of, start_of
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.states import (
    ExplainedState,
    PicturesState,
    RegionsState,
    SelectedState,
)
from auditor.context import Context
from auditor.measure.dissection import active_pixels
from auditor.measure.features import evidence_maps
from auditor.measure.fold import Lens, Visited
from auditor.measure.jpeg import jpeg
from auditor.measure.taps import tap

AT_ONCE = 32
"""Pairs that go through the network at once."""


class Layers(NamedTuple):
    """The network at hand, and where it is looked at.

    Attributes:
        lens: The network.
        layer: Module path of the units' layer.
        start: Spatial layer that units without places are traced back to; None for those with.
        channels: Module path of the layer that the explainer reads.
    """

    lens: Lens
    layer: str
    start: str | None
    channels: str


class Batch(NamedTuple):
    """Pairs that go through the network together.

    Attributes:
        inputs: Prepared images, float32 [P, 3, H, W], on the network's device.
        maps: Where each pair's unit is active, float32 [P, h, w], on the CPU.
        units: int64 [P].
    """

    inputs: Tensor
    maps: Tensor
    units: Tensor


def take_pictures(
    spec: FiltersSpec,
    context: Context,
    selected: SelectedState,
    explained: ExplainedState,
    regions: RegionsState,
    visited: Visited,
) -> PicturesState:
    """Pictures and active pixels of the cards, and features of images masked in pixels.

    Args:
        spec: How many images a card shows.
        context: What the audit may know.
        selected: Pairs of units and images, with thresholds.
        explained: Which units have cards, and which are masked in pixels.
        regions: The comparison grid.
        visited: The readable images among the chosen ones, and the network.

    Raises:
        InputError: a layer cannot be read.
        ValueError: there is no network at hand.
    """
    if visited.lens is None:
        raise ValueError("pictures of filters need the network at hand")
    start, channels = start_of(spec, context), channels_output(spec, context).layer
    layers = Layers(visited.lens, layer_of(spec, context), start, channels or "")
    shown = pairs_of(selected, explained.cards, spec.cards.images, visited.rows)
    masked = pairs_of(selected, explained.masked, None, visited.rows)
    rows, height, width = torch.unique(selected.pair_row[shown]), *regions.grid.tolist()
    where = torch.searchsorted(visited.rows, rows).tolist()
    jpegs, jpeg_end = joined([jpeg(visited.pixels[k]) for k in where])
    ids, id_end = joined([visited.ids[k].encode() for k in where])
    return PicturesState(
        card_unit=selected.pair_unit[shown],
        card_row=selected.pair_row[shown],
        card_value=selected.pair_value[shown],
        card_active=card_active(layers, selected, shown, visited, (height, width)),
        jpegs=jpegs,
        jpeg_row=rows,
        jpeg_end=jpeg_end,
        ids=ids,
        id_end=id_end,
        masked_unit=selected.pair_unit[masked],
        masked_row=selected.pair_row[masked],
        masked_features=masked_features(
            layers, selected, masked, visited, num_channels=regions.pair_features.shape[1]
        ),
    )


def joined(pieces: Sequence[bytes]) -> tuple[Tensor, Tensor]:
    """Bytes one after the other, uint8 [bytes], and where each piece ends, int64 [Q]."""
    whole = bytearray(b"".join(pieces))
    # An empty buffer cannot be read from.
    content = torch.frombuffer(whole, dtype=torch.uint8) if whole else torch.zeros(0).byte()
    return content, torch.tensor([len(piece) for piece in pieces], dtype=torch.int64).cumsum(0)


def pairs_of(selected: SelectedState, units: Tensor, most: int | None, rows: Tensor) -> Tensor:
    """Positions of the pairs of some units, unit by unit and most activating first.

    Args:
        selected: All pairs.
        units: int64 [D], in the order wanted.
        most: Images per unit, at most; None for all.
        rows: Rows of the images at hand, ascending; pairs of other images are left out.
    """
    found = [(selected.pair_unit == unit).nonzero().squeeze(1)[:most] for unit in units]
    pairs = torch.cat(found) if found else torch.zeros(0, dtype=torch.int64)
    return pairs[torch.isin(selected.pair_row[pairs], rows)]


def card_active(
    layers: Layers,
    selected: SelectedState,
    pairs: Tensor,
    visited: Visited,
    grid: tuple[int, int],
) -> Tensor:
    """Active pixels of some pairs on the comparison grid, bool [N, g, g']."""
    pairs, back = by_image(selected, pairs)
    parts = [torch.zeros(0, *grid, dtype=torch.bool)]
    parts.extend(
        active_pixels(batch.maps, selected.thresholds[batch.units], grid)
        for batch in batches(layers, selected, pairs, visited)
    )
    return torch.cat(parts)[back]


def masked_features(
    layers: Layers,
    selected: SelectedState,
    pairs: Tensor,
    visited: Visited,
    *,
    num_channels: int,
) -> Tensor:
    """Mean channels of images of which only the unit's active pixels are left, float32 [S2, d].

    LaViSE's image masking: the map, upsampled to the image, is compared with T_u and multiplied
    onto the normalised image, so that whatever is masked takes the mean colour. What is multiplied
    is what `lens.prepare` gives. A checkpoint that brings its own normalisation normalises inside
    the network, and gets images in [0, 1]: there, whatever is masked is black.

    Args:
        layers: The network and its layers.
        selected: All pairs, with thresholds.
        pairs: Positions of those that are masked.
        visited: Their images.
        num_channels: d.
    """
    pairs, back = by_image(selected, pairs)
    parts = [torch.zeros(0, num_channels)]
    for batch in batches(layers, selected, pairs, visited):
        size = (int(batch.inputs.shape[2]), int(batch.inputs.shape[3]))
        active = active_pixels(batch.maps, selected.thresholds[batch.units], size)
        inputs = batch.inputs * active.unsqueeze(1).to(batch.inputs)
        channels = tap(layers.lens.module, inputs, [layers.channels]).activations[layers.channels]
        parts.append(channels.float().mean((2, 3)).cpu())
    return torch.cat(parts)[back]


def by_image(selected: SelectedState, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs with those of one image side by side, and where each one stood before.

    An image is the most activating one of many units: its maps are computed once for all of them.
    """
    order = selected.pair_row[pairs].argsort(stable=True)
    return pairs[order], order.argsort()


def batches(
    layers: Layers, selected: SelectedState, pairs: Tensor, visited: Visited
) -> Iterator[Batch]:
    """Pairs with their images and maps, as many as go through the network at once."""
    for several in torch.split(pairs, AT_ONCE) if len(pairs) else ():
        units = selected.pair_unit[several]
        where = torch.searchsorted(visited.rows, selected.pair_row[several])
        images, image = torch.unique_consecutive(where, return_inverse=True)
        inputs = layers.lens.prepare(visited.pixels[images])
        image = image.to(inputs.device)
        yield Batch(inputs[image], maps_of(layers, inputs, image, units).float().cpu(), units)


def maps_of(layers: Layers, inputs: Tensor, image: Tensor, units: Tensor) -> Tensor:
    """Where some units are active, as the scan measured it; [P, h, w].

    Args:
        layers: The network and its layers.
        inputs: Prepared images, different ones.
        image: Which of them belongs to each unit, int64 [P].
        units: int64 [P].
    """
    module, units = layers.lens.module, units.to(inputs.device)
    if layers.start is not None:
        return evidence_maps(module, inputs[image], layers.layer, units, start=layers.start)
    maps = tap(module, inputs, [layers.layer]).activations[layers.layer]
    return maps[image, units]
