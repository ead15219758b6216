"""Every number of the comparison: groups, T_u over all splits, shares, tests, and what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from auditor.audits.groups.folds import plan_of
from auditor.audits.groups.grouping import (
    Comparison,
    Group,
    columns_used,
    comparisons_of,
    groups_of,
)
from auditor.audits.groups.needs import PICTURED
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.groups.states import ComparedState, LevelsState, TableState
from auditor.context import Context
from auditor.measure.multiplicity import benjamini_hochberg
from auditor.measure.proportions import fisher_exact
from auditor.measure.quantiles import rank_error, thresholds

CHUNK = 4096
"""Images that are counted at once."""


class Thresholds(NamedTuple):
    """T_u of a layer, over all splits.

    Attributes:
        values: float32 [U]; +inf for filters that are never above.
        side: Rows and columns of the maps.
        exact: Whether T_u are order statistics of all places.
        rank_error: Bound on the error of their rank as a share.
    """

    values: Tensor
    side: tuple[int, int]
    exact: bool
    rank_error: float


@dataclass(frozen=True, eq=False)
class Sides:
    """The images of one comparison.

    Attributes:
        first: bool [N].
        second: bool [N].
        both: Images on both sides, left out of either.
    """

    first: Tensor
    second: Tensor
    both: int


@dataclass(frozen=True, eq=False)
class Pooled:
    """The images of all splits, one after the other.

    Attributes:
        split: Position of each image's split, int64 [N].
        rows: int64 [N].
        columns: int64 [N, columns].
    """

    split: Tensor
    rows: Tensor
    columns: Tensor


def compare(spec: GroupsSpec, context: Context, tables: Sequence[TableState]) -> ComparedState:
    """Everything that needs all images at once.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        tables: One per split, in the order of the spec.
    """
    groups = groups_of(spec, context)
    comparisons = comparisons_of(spec, context, groups)
    images = pooled(tables)
    inside, known = membership(groups, context, images)
    sides = [sides_of(each, inside, known) for each in comparisons]
    limits = (
        no_thresholds()
        if spec.compare != "filters"
        else pooled_thresholds(spec, context, [levels(table) for table in tables])
    )
    present = [present_of(table, limits.values) for table in tables]
    counts = counted_sides(present, sides)
    tested = run_tests(spec, sides, counts)
    shown = strongest(spec, counts, tested)
    pictures = choose(spec, images, tables, present, sides, counts, shown, seed=context.seed)
    return ComparedState(
        group_sizes=inside.sum(1),
        num_images=torch.tensor([len(images.rows)]),
        num_unknown=torch.tensor([int((~known).sum())]),
        num_known=known_images(present),
        sizes=torch.tensor(
            [[int(s.first.sum()), int(s.second.sum()), s.both] for s in sides], dtype=torch.int64
        ).reshape(-1, 3),
        counts=counts,
        p_values=tested.p_values,
        p_adjusted=tested.p_adjusted,
        different=tested.different,
        thresholds=limits.values,
        side=torch.tensor(limits.side),
        exact=torch.tensor([limits.exact]),
        rank_error=torch.tensor([limits.rank_error], dtype=torch.float64),
        shown=shown,
        picture_split=pictures.split,
        picture_row=pictures.row,
        picture_value=pictures.value,
    )


def levels(table: TableState) -> LevelsState:
    """The part of a table that T_u comes from."""
    return LevelsState(table.values, table.num_places, table.num_sampled, table.side)


def pooled(tables: Sequence[TableState]) -> Pooled:
    """The images of all splits."""
    splits = [torch.full((len(table.rows),), k) for k, table in enumerate(tables)]
    return Pooled(
        torch.cat(splits),
        torch.cat([table.rows for table in tables]),
        torch.cat([table.columns for table in tables]),
    )


def membership(groups: Sequence[Group], context: Context, images: Pooled) -> tuple[Tensor, Tensor]:
    """Which images are in which group [G, N], and which have a value in every column used [N]."""
    position = {name: index for index, name in enumerate(context.columns)}
    known = torch.ones(len(images.rows), dtype=torch.bool)
    for name in columns_used(tuple(groups)):
        known &= images.columns[:, position[name]] >= 0
    inside = torch.zeros(len(groups), len(images.rows), dtype=torch.bool)
    for index, group in enumerate(groups):
        mask = known.clone()
        if group.split is not None:
            mask &= images.split == group.split
        for name, values in group.conditions.items():
            codes = [i for i, value in enumerate(context.columns[name]) if value in values]
            mask &= torch.isin(images.columns[:, position[name]], torch.tensor(codes).long())
        inside[index] = mask
    return inside, known


def sides_of(comparison: Comparison, inside: Tensor, known: Tensor) -> Sides:
    """The two sides; an image that is in both groups is in neither side."""
    first = inside[comparison.first]
    second = known & ~first if comparison.second is None else inside[comparison.second]
    both = first & second
    return Sides(first & ~both, second & ~both, int(both.sum()))


def pooled_thresholds(
    spec: GroupsSpec, context: Context, states: Sequence[LevelsState]
) -> Thresholds:
    """T_u over all splits together.

    A filter whose T_u is not above its least possible value, so that no place is above, has T_u as
    it is: nothing is strictly above it.
    """
    side = states[0].side.tolist()
    plan = plan_of(spec, context, (side[0], side[1]))
    values = torch.cat([state.values for state in states], dim=1)
    kept = values.topk(plan.kept, dim=1).values
    num_places = sum(int(state.num_places) for state in states)
    num_sampled = sum(int(state.num_sampled) for state in states)
    return Thresholds(
        values=thresholds(kept, num_sampled, spec.share),
        side=(side[0], side[1]),
        exact=plan.rate == 1.0,
        rank_error=rank_error(num_places, num_sampled, spec.share),
    )


def no_thresholds() -> Thresholds:
    """Where no filters are compared."""
    return Thresholds(torch.zeros(0), (0, 0), True, 0.0)


def present_of(table: TableState, limits: Tensor) -> Tensor:
    """1 present, 0 absent, -1 unknown, int8 [N, I]; a filter is present where it is active."""
    if not len(limits):
        return table.present
    active = (table.peaks > limits).to(torch.int8)
    return active.masked_fill(table.peaks.isnan(), -1)


def counted_sides(present: Sequence[Tensor], sides: Sequence[Sides]) -> Tensor:
    """`ComparedState.counts`: comparison by comparison, item by item, int64 [M, 6]."""
    num_items = present[0].shape[1]
    masks = torch.stack([mask for s in sides for mask in (s.first, s.second)]) if sides else None
    if masks is None:
        return torch.zeros(0, 6, dtype=torch.int64)
    yes = torch.zeros(len(masks), num_items, dtype=torch.int64)
    seen = torch.zeros_like(yes)
    start = 0
    for block in (part for table in present for part in torch.split(table, CHUNK)):
        inside = masks[:, start : start + len(block)].float()
        # Whole numbers of at most CHUNK: exact in float32.
        yes += (inside @ (block > 0).float()).long()
        seen += (inside @ (block >= 0).float()).long()
        start += len(block)
    comparison = torch.arange(len(sides)).repeat_interleave(num_items)
    item = torch.arange(num_items).repeat(len(sides))
    columns = [yes[::2], seen[::2], yes[1::2], seen[1::2]]
    return torch.stack([comparison, item, *(column.flatten() for column in columns)], dim=1)


def known_images(present: Sequence[Tensor]) -> Tensor:
    """Images in which each thing is known, int64 [I]."""
    return torch.stack([(table >= 0).sum(0) for table in present]).sum(0)


class Tested(NamedTuple):
    """Tests of M differences: -1 where none was made."""

    p_values: Tensor
    p_adjusted: Tensor
    different: Tensor


def testable(spec: GroupsSpec, sides: Sequence[Sides], counts: Tensor) -> Tensor:
    """Differences that are tested, bool [M].

    Both sides have enough images in which the thing is known, and it is present in some and absent
    in some: otherwise every table with these margins is alike. That choice depends on the margins
    alone, and the test is conditional on them, so it costs no validity.
    """
    large = [min(int(s.first.sum()), int(s.second.sum())) >= spec.min_images for s in sides]
    enough = torch.tensor(large, dtype=torch.bool)[counts[:, 0]]
    enough &= (counts[:, 3] >= spec.min_images) & (counts[:, 5] >= spec.min_images)
    total = counts[:, 2] + counts[:, 4]
    return enough & (total > 0) & (total < counts[:, 3] + counts[:, 5])


def run_tests(spec: GroupsSpec, sides: Sequence[Sides], counts: Tensor) -> Tested:
    """Fisher's exact test of every difference, corrected over all of them."""
    made = testable(spec, sides, counts)
    p_values = torch.full((len(counts),), -1.0, dtype=torch.float64)
    kept = counts[made].numpy()
    p_values[made] = torch.from_numpy(fisher_exact(kept[:, 2], kept[:, 3], kept[:, 4], kept[:, 5]))
    found = benjamini_hochberg([p if p >= 0 else None for p in p_values.tolist()])
    adjusted = torch.tensor([-1.0 if p is None else p for p in found], dtype=torch.float64)
    large = differences(counts).abs() >= spec.min_difference
    return Tested(p_values, adjusted, made & large & (adjusted <= spec.alpha))


def differences(counts: Tensor) -> Tensor:
    """Share of the first side minus share of the second, float64 [M]; 0 where one is empty."""
    yes, seen = counts[:, [2, 4]].double(), counts[:, [3, 5]].double()
    shares = yes / seen.clamp_min(1.0)
    return torch.where((seen > 0).all(1), shares[:, 0] - shares[:, 1], 0.0)


def ranked(counts: Tensor, different: Tensor, tested: Tensor) -> Tensor:
    """Tests, the ones that count first: different, tested, by size; int64 [M]."""
    size = differences(counts).abs().numpy()
    order = np.lexsort(
        (counts[:, 1].numpy(), counts[:, 0].numpy(), -size, ~tested.numpy(), ~different.numpy())
    )
    return torch.from_numpy(order)


def strongest(spec: GroupsSpec, counts: Tensor, tested: Tested) -> Tensor:
    """Differences that are shown with pictures, comparison by comparison, int64 [S].

    Those of the comparisons with the largest difference; of each the largest ones.
    """
    order = ranked(counts, tested.different, tested.p_values >= 0)
    order = order[tested.different[order]]
    by_comparison: dict[int, list[int]] = {}
    for position in order.tolist():
        mine = by_comparison.setdefault(int(counts[position, 0]), [])
        if len(mine) < spec.pictures.differences:
            mine.append(position)
    chosen = [p for mine in list(by_comparison.values())[:PICTURED] for p in mine]
    return torch.tensor(chosen, dtype=torch.int64)


class Chosen(NamedTuple):
    """Pictures of S differences on two sides, K each; -1 where there are fewer."""

    split: Tensor
    row: Tensor
    value: Tensor


def choose(
    spec: GroupsSpec,
    images: Pooled,
    tables: Sequence[TableState],
    present: Sequence[Tensor],
    sides: Sequence[Sides],
    counts: Tensor,
    shown: Tensor,
    *,
    seed: int,
) -> Chosen:
    """Most activating images of each side; where no filters are compared, random ones that show it.

    Sides are shown by their own images, so a side in which a filter is hardly active shows what
    comes nearest to it.
    """
    shape = (len(shown), 2, spec.pictures.images)
    split, row = torch.full(shape, -1), torch.full(shape, -1)
    value = torch.zeros(shape)
    for s, position in enumerate(shown.tolist()):
        comparison, item = counts[position, :2].tolist()
        both = (sides[comparison].first, sides[comparison].second)
        for k, mask in enumerate(both):
            if spec.compare == "filters":
                scores = torch.cat([table.peaks[:, item] for table in tables])
                mask = mask & ~scores.isnan()
            else:
                generator = torch.Generator().manual_seed(seed % 2**31 * 1000 + s)
                scores = torch.rand(len(images.rows), generator=generator)
                mask = mask & (torch.cat([part[:, item] for part in present]) > 0)
            best = leading(scores, mask, images, spec.pictures.images)
            split[s, k, : len(best)] = images.split[best]
            row[s, k, : len(best)] = images.rows[best]
            if spec.compare == "filters":
                value[s, k, : len(best)] = scores[best]
    return Chosen(split, row, value)


def leading(scores: Tensor, mask: Tensor, images: Pooled, most: int) -> Tensor:
    """Images of a side with the largest scores, ties by split and row, int64 [at most `most`]."""
    members = mask.nonzero().flatten()
    order = np.lexsort(
        (images.rows[members].numpy(), images.split[members].numpy(), -scores[members].numpy())
    )
    return members[torch.from_numpy(order[:most].copy())]
