"""The drawing of one tree: from the group at the left to its parts at the right.

The leaf of the finding stands out by line weight, bold type and a filled bar, so the figure reads
without colour. Functions here describe (`Drawing`); the report draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from matplotlib.patches import FancyBboxPatch, Rectangle

from auditor.audits.failures.describe import condition_text
from auditor.audits.failures.naming import numbered
from auditor.audits.failures.result import (
    ConditionResult,
    Counts,
    GroupResult,
    LeafResult,
    NodeResult,
)
from auditor.audits.failures.words import scored
from auditor.drawing import FAINT, FOUND, INK, SOFT, Drawing
from auditor.wording import clipped, count, number, percent, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 6.7
BOX, BOX_HEIGHT = 0.56, 0.33
"""Size of a node's box in inches."""

BARS, BARS_END = 4.95, 6.1
"""Where the bars of the leaves begin, and how far the longest may reach."""

TOP, BOTTOM = 0.34, 0.04
LETTER = 0.058
"""Mean width of a letter of the small type, in inches."""


@dataclass(frozen=True)
class Spot:
    """A node with its place, in inches from the lower left corner.

    Attributes:
        node: The node.
        x: Left edge of its box.
        y: Middle of its box.
        counts: What is shown of it.
        own: Whether it lies on the path to the finding's leaf.
        leaf: Whether the tree ends here.
    """

    node: NodeResult
    x: float
    y: float
    counts: Counts
    own: bool
    leaf: bool


def tree(
    group: GroupResult, leaf: LeafResult, names: Mapping[int, str], *, name: str, exploratory: bool
) -> Drawing:
    """The tree of a finding's depth, cut where that tree ends.

    Args:
        group: The group whose failures it explains.
        leaf: The leaf of the finding.
        names: Display names of features.
        name: File name without suffix.
        exploratory: Whether nothing was held back to confirm on.
    """
    nodes = {node.index: node for node in group.nodes if node.index < 2 ** (leaf.depth + 1)}
    ends = [index for index in ordered(nodes, 1) if not children(nodes, index)]
    step = 0.44 if len(ends) <= 8 else 0.36
    height = TOP + BOTTOM + step * len(ends)
    spots = place(nodes, ends, leaf, step=step, height=height)
    return Drawing(
        name=name,
        width=WIDTH,
        height=height,
        alt=alt(group, nodes, ends, leaf, names),
        caption=caption(exploratory=exploratory),
        paint=partial(paint_tree, spots=spots, leaf=leaf, names=names),
    )


def caption(*, exploratory: bool) -> str:
    where = "the pictures it was found on" if exploratory else "pictures held back"
    return (
        "Thick: the way to the part that this finding is about. Dashed: the whole group. Numbers "
        f"are from {where}."
    )


def alt(
    group: GroupResult,
    nodes: Mapping[int, NodeResult],
    ends: Sequence[int],
    leaf: LeafResult,
    names: Mapping[int, str],
) -> str:
    def share(index: int) -> str:
        shown = scored(nodes[index])
        return f"{percent(shown.error_rate)} of {count(shown.size)} wrong"

    parts = [
        f"{condition_text(path_to(nodes, index), names)}: {share(index)}"
        + (" (this finding)" if index == leaf.node else "")
        for index in ends
        if index != 1
    ]
    whole = f"Tree of {plain(group.images)}. All: {share(1)}. "
    return whole + "; ".join(parts) + "."


def children(nodes: Mapping[int, NodeResult], index: int) -> list[int]:
    """High side first: it is drawn above."""
    return [child for child in (2 * index + 1, 2 * index) if child in nodes]


def ordered(nodes: Mapping[int, NodeResult], index: int) -> list[int]:
    """Nodes from top to bottom."""
    found = [index] if index in nodes else []
    for child in children(nodes, index):
        found += ordered(nodes, child)
    return found


def path_to(nodes: Mapping[int, NodeResult], index: int) -> tuple[ConditionResult, ...]:
    """The rule of a node, from the root."""
    steps: list[ConditionResult] = []
    while index > 1:
        above = nodes[index // 2]
        if above.feature is not None and above.threshold is not None:
            side = "high" if index % 2 else "low"
            steps.append(
                ConditionResult(feature=above.feature, side=side, threshold=above.threshold)
            )
        index //= 2
    return tuple(reversed(steps))


def place(
    nodes: Mapping[int, NodeResult],
    ends: Sequence[int],
    leaf: LeafResult,
    *,
    step: float,
    height: float,
) -> tuple[Spot, ...]:
    """Leaves below each other, every other node midway between its children."""
    own = {leaf.node >> k for k in range(leaf.node.bit_length())}
    deepest = max(index.bit_length() - 1 for index in ends)
    column = (BARS - 0.12 - BOX) / max(deepest, 1)
    heights = {end: height - TOP - step * (i + 0.5) for i, end in enumerate(ends)}
    for index in sorted(nodes, reverse=True):
        if below := children(nodes, index):
            heights[index] = sum(heights[child] for child in below) / len(below)
    return tuple(
        Spot(
            node=nodes[index],
            x=0.02 + column * (index.bit_length() - 1),
            y=heights[index],
            counts=scored(nodes[index]),
            own=index in own,
            leaf=index in ends,
        )
        for index in sorted(nodes)
    )


def paint_tree(
    figure: Figure, *, spots: Sequence[Spot], leaf: LeafResult, names: Mapping[int, str]
) -> None:
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, figure.get_figheight())
    by_index = {spot.node.index: spot for spot in spots}
    for spot in sorted(spots, key=lambda s: s.own):
        if spot.node.index > 1:
            paint_edge(axes, by_index[spot.node.index // 2], spot, names)
    for spot in spots:
        paint_box(axes, spot, bold=spot.node.index == leaf.node)
    paint_bars(axes, [s for s in spots if s.leaf], by_index[1], leaf)


def paint_edge(axes: Axes, above: Spot, spot: Spot, names: Mapping[int, str]) -> None:
    """An elbow from the parent to the child, with the split in words on its level part."""
    start, end = above.x + BOX, spot.x
    bend = start + 0.1
    axes.plot(
        [start, bend, bend, end],
        [above.y, above.y, spot.y, spot.y],
        color=INK if spot.own else SOFT,
        linewidth=2.0 if spot.own else 0.7,
        solid_capstyle="butt",
        solid_joinstyle="miter",
        zorder=2 if spot.own else 1,
    )
    if above.node.feature is None or above.node.threshold is None:
        return
    room = int((end - bend - 0.08) / LETTER)
    high = bool(spot.node.index % 2)
    side = f"{'high' if high else 'low'} ({'>' if high else '≤'} {cut(above.node.threshold)})"
    side = side if len(side) <= room else side.split()[0]
    weight = "bold" if spot.own else "normal"
    color = INK if spot.own else SOFT
    name = clipped(names.get(above.node.feature, numbered(above.node.feature)), room)
    for text, shift, va in ((name, 0.045, "bottom"), (side, -0.05, "top")):
        axes.text(bend + 0.05, spot.y + shift, text, va=va, size=8, color=color, weight=weight)


def cut(threshold: float) -> str:
    """A threshold with about three digits."""
    size = abs(threshold)
    return number(threshold, 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 3)


def paint_box(axes: Axes, spot: Spot, *, bold: bool) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (spot.x, spot.y - BOX_HEIGHT / 2),
            BOX,
            BOX_HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor="none",
            edgecolor=INK if spot.own else SOFT,
            linewidth=2.2 if bold else 1.2 if spot.own else 0.7,
            zorder=3,
        )
    )
    middle = spot.x + BOX / 2
    weight = "bold" if bold or spot.node.index == 1 else "normal"
    rate = percent(spot.counts.error_rate)
    axes.text(middle, spot.y + 0.065, rate, ha="center", va="center", size=8.5, weight=weight)
    of = f"of {count(spot.counts.size)}"
    axes.text(middle, spot.y - 0.075, of, ha="center", va="center", size=7.5, color=SOFT)


def paint_bars(axes: Axes, leaves: Sequence[Spot], root: Spot, own: LeafResult) -> None:
    """Error rates of the leaves beside each other, against that of the whole group."""
    whole = root.counts.error_rate or 0.0
    highest = max([whole, own.error_rate.high or 0.0, *(s.counts.error_rate or 0 for s in leaves)])
    scale = (BARS_END - BARS) / max(highest, 1e-9)
    top = max(spot.y for spot in leaves) + 0.2
    axes.text(BARS, top + 0.03, "wrong", va="bottom", size=8, color=SOFT)
    # Near the left end the label would run into the heading.
    ha = "center" if whole * scale > 0.75 else "left"
    label = f"all {percent(whole)}"
    axes.text(BARS + max(scale * whole, 0.4), top + 0.03, label, ha=ha, va="bottom", size=8)
    for spot in leaves:
        mine = spot.node.index == own.node
        rate = spot.counts.error_rate
        paint_bar(axes, spot, scale * (rate or 0.0), mine=mine)
        end = scale * (rate or 0.0)
        if mine and own.error_rate.low is not None and own.error_rate.high is not None:
            ends = [BARS + scale * own.error_rate.low, BARS + scale * own.error_rate.high]
            axes.plot(ends, [spot.y, spot.y], color=INK, linewidth=1.0, zorder=4)
            for x in ends:
                axes.plot([x, x], [spot.y - 0.04, spot.y + 0.04], color=INK, linewidth=1.0)
            end = max(end, scale * own.error_rate.high)
        end += 0.06
        if 0 < scale * whole + 0.03 - end < 0.3:  # the dashed line would run through the number
            end = scale * whole + 0.06
        axes.text(
            BARS + end,
            spot.y,
            count(spot.counts.failures) if spot.counts.size else "no pictures",
            va="center",
            size=8,
            weight="bold" if mine else "normal",
        )
    line = BARS + scale * whole
    bottom = min(spot.y for spot in leaves) - 0.17
    axes.plot([line, line], [bottom, top], color=INK, linewidth=0.8, linestyle=(0, (3, 2)))


def paint_bar(axes: Axes, spot: Spot, length: float, *, mine: bool) -> None:
    axes.add_patch(
        Rectangle(
            (BARS, spot.y - 0.09),
            length,
            0.18,
            facecolor=FOUND if mine else FAINT,
            edgecolor=INK if mine else SOFT,
            linewidth=1.0 if mine else 0.5,
            zorder=1,
        )
    )
