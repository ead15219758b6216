"""Solve `selected`: when a unit is active, and which images speak for it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.states import LevelsState, SelectedState
from auditor.context import Context
from auditor.measure.bootstrap import sample_keys
from auditor.measure.quantiles import rank_error, thresholds, unpack


class Pairs(NamedTuple):
    """Pairs of a unit and an image.

    Attributes:
        unit: int64 [S], ascending.
        row: int64 [S], rows of the images, most activating first.
        value: float32 [S], largest activation of the unit in the image.
    """

    unit: Tensor
    row: Tensor
    value: Tensor


def selected_state(spec: FiltersSpec, context: Context, levels: LevelsState) -> SelectedState:
    """Thresholds, dead units, and the images that units are named by.

    A unit is dead if it never rises above 0, or takes one value everywhere: nothing it does tells
    images or places apart. Without an explainer nothing is named, and the null stays empty.

    Args:
        spec: Share of active places; how many units are compared.
        context: Seed, and the number of rows.
        levels: Largest activations of all units.
    """
    alive = (levels.peak > 0) & (levels.peak > levels.floor)
    num_places, num_sampled = int(levels.num_places), int(levels.num_sampled)
    share = spec.threshold.share
    levels_above = thresholds(levels.values, num_sampled, share)
    pairs = chosen_pairs(levels.images, alive)
    worded = spec.explainer is not None
    null = random_pairs(
        pairs.unit if worded else pairs.unit[:0],
        context.num_available[spec.split],
        seed=context.seed,
    )
    return SelectedState(
        thresholds=levels_above.masked_fill(~alive, torch.inf),
        alive=alive,
        peak=levels.peak,
        num_images=levels.num_images,
        side=levels.side,
        exact=(levels.num_sampled == levels.num_places).reshape(1),
        rank_error=torch.tensor([rank_error(num_places, num_sampled, share)], dtype=torch.float64),
        pair_unit=pairs.unit,
        pair_row=pairs.row,
        pair_value=pairs.value,
        null_unit=pairs.unit if worded else pairs.unit[:0],
        null_row=null,
        evaluated=drawn_units(alive, spec.naming.evaluated if worded else 0, seed=context.seed),
    )


def chosen_pairs(images: Tensor, alive: Tensor) -> Pairs:
    """The most activating images of each unit that is alive, where they activate it at all.

    An image whose largest activation is not above 0 says nothing about a unit (LaViSE skips it).

    Args:
        images: Packed (activation, row) per unit, descending, int64 [U, p].
        alive: bool [U].
    """
    values, rows = unpack(images)
    shown = (rows >= 0) & (values > 0) & alive.unsqueeze(1)
    return Pairs(shown.nonzero()[:, 0], rows[shown], values[shown])


def random_pairs(units: Tensor, num_rows: int, *, seed: int) -> Tensor:
    """A random row for each pair of the null, int64 [S]; the rows of one unit all differ.

    Args:
        units: Unit of each pair, int64 [S], ascending; no unit has more pairs than there are rows.
        num_rows: Rows of the split.
        seed: Seed of the audit.
    """
    counts = torch.bincount(units).tolist()
    generator = torch.Generator().manual_seed(int(sample_keys(["null rows"], seed=seed)))
    drawn = [torch.randperm(num_rows, generator=generator)[:count] for count in counts if count]
    return torch.cat(drawn) if drawn else units


def drawn_units(alive: Tensor, most: int, *, seed: int) -> Tensor:
    """Some of the units that are alive, those with the least hashes; int64, ascending."""
    units = alive.nonzero().squeeze(1)
    keys = sample_keys([f"unit {unit}" for unit in units.tolist()], seed=seed)
    return units[keys.argsort()[:most]].sort().values
