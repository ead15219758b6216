"""The drawings of a comparison: two sides back to back, what differs most at the top.

Sides differ by direction and fill, and every share stands beside its bar, so the figure reads
without colour. Functions here describe (`Drawing`); the report draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from auditor.audits.groups.result import ComparisonResult, DifferenceResult, NetworksResult
from auditor.audits.groups.words import the
from auditor.drawing import EXPECTED, FAINT, FOUND, INK, SOFT, Drawing
from auditor.results.estimate import Estimate
from auditor.wording import clipped, count, number, percent, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 6.7
ROW = 0.23
MOST_ROWS = 12
MOST_CONCEPTS = 10
LABELS, GAP = 0.27, 0.135
"""Shares of the width: names at the left, and the difference in numbers at the right."""


@dataclass(frozen=True)
class Row:
    """One thing on two sides.

    Attributes:
        label: What it is.
        first: Share of the first side.
        second: Share of the second side.
        difference: First minus second.
        strong: Whether it counts as different.
    """

    label: str
    first: Estimate
    second: Estimate
    difference: Estimate
    strong: bool


@dataclass(frozen=True)
class Sides:
    """What is on both sides of the middle.

    Attributes:
        first: Heading of the left side.
        second: Heading of the right side.
        first_mark: A value marked by a dashed line on the left side; None for no line.
        second_mark: The same on the right side.
        digits: Digits behind the point of values; None for percent.
    """

    first: str
    second: str
    first_mark: float | None
    second_mark: float | None
    digits: int | None = None

    def words(self, value: float | None) -> str:
        """A value as it stands beside its bar."""
        return percent(value) if self.digits is None else number(value, self.digits)

    def gap(self, estimate: Estimate) -> str:
        """The difference with its range, without unit."""
        scale, digits = (100, 0) if self.digits is None else (1, self.digits)
        signed = [
            ("+" if value is not None and value > 0 else "")
            + number(None if value is None else scale * value, digits)
            for value in (estimate.value, estimate.low, estimate.high)
        ]
        return signed[0] if estimate.low is None else f"{signed[0]} ({signed[1]} to {signed[2]})"


def differences(comparison: ComparisonResult, labels: Sequence[str], *, name: str) -> Drawing:
    """The largest differences of one comparison.

    Args:
        comparison: The comparison; at least one difference was tested.
        labels: Name of each of its listed differences.
        name: File name without suffix.
    """
    found = comparison.differences[:MOST_ROWS]
    rows = tuple(
        Row(label, one.first, one.second, one.difference, one.different)
        for label, one in zip(labels, found, strict=False)
    )
    sides = Sides(
        first=f"{plain(comparison.first_title)} ({count(comparison.num_first)})",
        second=f"{plain(comparison.second_title)} ({count(comparison.num_second)})",
        first_mark=comparison.first_ceiling,
        second_mark=comparison.second_ceiling,
    )
    return back_to_back(
        rows,
        sides,
        name=name,
        alt=f"Shares of {the(comparison.first_images)} and of {the(comparison.second_images)}: "
        f"{'; '.join(told(row, sides) for row in rows)}.",
        caption=caption(comparison, found, marked=any(reach_of(rows, sides).marks)),
    )


def caption(
    comparison: ComparisonResult, found: Sequence[DifferenceResult], *, marked: bool
) -> str:
    """What to look for."""
    parts = [
        "Thin lines: 95 % ranges. At the right: the difference in points with its range, in bold "
        "where it counts as different.",
    ]
    if marked:
        parts.append("Dashed: the ceiling, which no share can pass.")
    if len(found) < comparison.num_tested:
        parts.append(
            f"The {count(len(found))} largest of {count(comparison.num_tested)} are shown."
        )
    return " ".join(parts)


def networks(found: NetworksResult, *, name: str) -> Drawing | None:
    """The best overlap of both networks with each concept; None where nothing could be measured."""
    rows = tuple(
        Row(plain(one.name), one.first, one.second, one.difference, one.different)
        for one in found.concepts
        if one.difference.value is not None
    )[:MOST_CONCEPTS]
    if not rows:
        return None
    sides = Sides(
        first=plain(found.first.title),
        second=plain(found.second.title),
        first_mark=found.detector,
        second_mark=found.detector,
        digits=2,
    )
    return back_to_back(
        rows,
        sides,
        name=name,
        alt=f"Best overlap with each concept, {sides.first} and {sides.second}: "
        f"{'; '.join(told(row, sides) for row in rows)}.",
        caption="How far the best filter of each network covers a concept (intersection over "
        "union, 1 where both are the same region). Thin lines: 95 % ranges. Dashed: from here on a "
        "concept counts as detected. In bold: surely different.",
    )


def told(row: Row, sides: Sides) -> str:
    values = f"{sides.words(row.first.value)} and {sides.words(row.second.value)}"
    return f"{row.label} {values}{' (different)' if row.strong else ''}"


def back_to_back(
    rows: Sequence[Row], sides: Sides, *, name: str, alt: str, caption: str
) -> Drawing:
    return Drawing(
        name=name,
        width=WIDTH,
        height=0.62 + ROW * len(rows),
        alt=alt,
        caption=caption,
        paint=partial(paint, rows=rows, sides=sides),
    )


def paint(figure: Figure, *, rows: Sequence[Row], sides: Sides) -> None:
    height = figure.get_figheight()
    bottom, top = 0.28 / height, 1 - 0.3 / height
    axes = figure.add_axes((LABELS, bottom, 1 - LABELS - GAP - 0.07, top - bottom))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    reach, marks = reach_of(rows, sides)
    axes.set_xlim(-reach, reach)
    set_ticks(axes, sides, reach)
    axes.axvline(0, color=SOFT, linewidth=0.8, zorder=2)
    for y, row in enumerate(rows):
        weight = "bold" if row.strong else "normal"
        beside: dict[str, Any] = {"va": "center", "size": 8.5, "weight": weight}
        where = axes.get_yaxis_transform()
        axes.text(-0.02, y, clipped(row.label, 30), ha="right", transform=where, **beside)
        axes.text(1.02, y, sides.gap(row.difference), ha="left", transform=where, **beside)
        paint_bar(axes, y, row.first, sides, reach, strong=row.strong, left=True)
        paint_bar(axes, y, row.second, sides, reach, strong=row.strong, left=False)
    for sign, mark in zip((-1.0, 1.0), marks, strict=True):
        if mark is not None:
            axes.axvline(sign * mark, color=INK, linewidth=0.8, linestyle=(0, (3, 2)), zorder=2)
    # Headings stand over their side, and end at the middle.
    for x, ha, text in ((-0.03, "right", sides.first), (0.03, "left", sides.second)):
        axes.text(
            x * reach, 1.0 + 0.06 / (height * (top - bottom)), clipped(text, 44), ha=ha,
            va="bottom", size=8.5, color=INK, transform=axes.get_xaxis_transform(),
        )  # fmt: skip


class Reach(NamedTuple):
    """How far the drawing goes to either side, and the marks of both sides that lie inside."""

    end: float
    marks: tuple[float | None, float | None]


def reach_of(rows: Sequence[Row], sides: Sides) -> Reach:
    """Room for the longest bar, its number, and a mark just behind it; a mark of 1 says nothing."""
    longest = max(*(highest(one) for row in rows for one in (row.first, row.second)), 0.05)
    near = [m for m in (sides.first_mark, sides.second_mark) if m and m < 1.25 * longest]
    end = 1.24 * max(longest, *near, 0.0)
    first, second = (
        mark if mark is not None and mark < min(1.0, end) else None
        for mark in (sides.first_mark, sides.second_mark)
    )
    return Reach(end, (first, second))


def highest(estimate: Estimate) -> float:
    """Where a bar and its range end."""
    return max(estimate.value or 0.0, estimate.high or 0.0)


def set_ticks(axes: Axes, sides: Sides, reach: float) -> None:
    """The same ticks on both sides, without a sign."""
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0) if reach / s <= 4)
    kept = [k * step for k in range(1, int(reach / step + 1e-9) + 1) if k * step <= 1.0]
    ticks = [-x for x in reversed(kept)] + [0.0, *kept]
    axes.set_xticks(ticks, [sides.words(abs(x)) for x in ticks])


def paint_bar(
    axes: Axes, y: float, found: Estimate, sides: Sides, reach: float, *, strong: bool, left: bool
) -> None:
    """One side of one row: bar, range and value."""
    sign = -1.0 if left else 1.0
    value = found.value or 0.0
    color = (FOUND if left else EXPECTED) if strong else FAINT
    axes.barh(y, sign * value, height=0.62, color=color, edgecolor=SOFT, linewidth=0.4, zorder=1)
    if found.low is not None and found.high is not None:
        ends = [sign * found.low, sign * found.high]
        axes.plot(ends, [y, y], color=INK, linewidth=0.9, zorder=3)
    start = highest(found) + 0.02 * reach
    mark = sides.first_mark if left else sides.second_mark
    if mark is not None and start - 0.02 * reach < mark < start + 0.17 * reach:
        start = mark + 0.02 * reach  # the dashed line would run through the number
    axes.text(
        sign * start, y, sides.words(found.value),
        ha="right" if left else "left", va="center", size=8, zorder=4,
    )  # fmt: skip
