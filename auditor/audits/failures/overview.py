"""Drawings over all groups: what features explain, how much trees explain, where leaves are valid.

Networks differ by marker and fill, shares by number, so the figures read without colour.
Functions here describe (`Drawing`); the report draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.patches import Rectangle

from auditor.audits.failures.result import (
    AggregateResult,
    FailuresResult,
    GroupResult,
    SurfaceResult,
)
from auditor.audits.failures.words import grouping_words, network_words
from auditor.drawing import EXPECTED, FAINT, FOUND, INK, SOFT, Drawing
from auditor.needs import NetworkRole
from auditor.wording import clipped, counted, number, percent, plain, points, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 6.7
MOST_FEATURES = 12
MOST_PANELS = 8
MOST_ROWS, MOST_COLUMNS = 6, 7
"""Cells of a panel of the surface; a finer grid is thinned out."""


class Look(NamedTuple):
    """How one inspected network is drawn."""

    marker: str
    face: str
    edge: str


LOOKS: dict[NetworkRole, Look] = {
    "model": Look("o", FOUND, FOUND),
    "extractor": Look("s", "none", EXPECTED),
}

SHIFTS: dict[NetworkRole, float] = {"model": -0.15, "extractor": 0.15}
"""Where two networks share a line, one is drawn above the other."""


class Explained(NamedTuple):
    """A feature and the groups whose failures it explains, by network."""

    name: str
    classes: tuple[str, ...]
    counts: Mapping[NetworkRole, int]


def explained_features(result: FailuresResult, names: Mapping[int, str]) -> tuple[Explained, ...]:
    """Features by how many groups they explain, as the result orders them."""
    groups = {group.id: group for group in result.groups}
    found = []
    for feature in result.features:
        about = [groups[id_] for id_ in feature.groups if id_ in groups]
        if about:
            found.append(
                Explained(
                    name=names[feature.index],
                    classes=tuple(dict.fromkeys(class_words(group) for group in about)),
                    counts={
                        role: sum(group.inspected == role for group in about)
                        for role in LOOKS
                        if role in result.inspected
                    },
                )
            )
    return tuple(found)


def class_words(group: GroupResult) -> str:
    """`cat`, or `lipstick present`: whose failures."""
    value = plain(group.value)
    return f"{plain(group.attribute)} {value}" if group.attribute else value


def features(result: FailuresResult, names: Mapping[int, str]) -> Drawing | None:
    """Which features explain failures in how many groups; None where none does."""
    rows = explained_features(result, names)[:MOST_FEATURES]
    if not rows:
        return None
    told = [
        f"{row.name} in {sum(row.counts.values())} ({shortened(row.classes, 4)})" for row in rows
    ]
    more = "" if len(result.inspected) < 2 else f" {legend_words(result)}"
    return Drawing(
        name="features",
        width=WIDTH,
        height=0.5 + 0.25 * len(rows),
        alt=f"In how many groups each feature explains failures: {'; '.join(told)}.",
        caption="In how many groups of pictures a feature marks off the part with more errors, and "
        f"in which.{more}",
        paint=partial(paint_features, rows=rows),
    )


def legend_words(result: FailuresResult) -> str:
    parts = [
        f"{shape}: {network_words(result, role)}"
        for role, shape in (("model", "Filled dots"), ("extractor", "Hollow squares"))
        if role in result.inspected
    ]
    return f"{'; '.join(parts)}."


def paint_features(figure: Figure, *, rows: Sequence[Explained]) -> None:
    height = figure.get_figheight()
    axes = figure.add_axes((0.26, 0.38 / height, 0.40, 1 - 0.44 / height))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [clipped(row.name, 28) for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    most = max(max(row.counts.values()) for row in rows)
    axes.set_xlim(0, most * 1.08 + 0.1)
    axes.set_xticks(whole_ticks(most))
    axes.set_xlabel("groups whose failures it explains")
    both = sum(any(row.counts[role] for row in rows) for role in rows[0].counts) > 1
    for y, row in enumerate(rows):
        axes.plot([0, max(row.counts.values())], [y, y], color=FAINT, linewidth=1.0, zorder=0)
        for role, found in row.counts.items():
            if found:
                mark(axes, role, found, y + (SHIFTS[role] if both else 0.0))
        axes.text(
            1.04, y, clipped(shortened(row.classes, 3), 36), va="center", size=8.5, color=SOFT,
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip


def whole_ticks(most: int) -> list[int]:
    """About five whole numbers from zero on."""
    step = max(1, -(-most // 5))
    return list(range(0, most + 1, step))


def mark(axes: Axes, role: NetworkRole, x: float, y: float) -> None:
    look = LOOKS[role]
    axes.plot(
        [x], [y], look.marker, markersize=5.2, markerfacecolor=look.face,
        markeredgecolor=look.edge, markeredgewidth=1.2, clip_on=False, zorder=3,
    )  # fmt: skip


def gains(result: FailuresResult) -> Drawing | None:
    """ALER - BER per grouping and depth, networks side by side; None where nothing is known."""
    known = [row for row in result.aggregate if row.gain.value is not None]
    if not known:
        return None
    lines = list(dict.fromkeys((row.grouping, row.depth) for row in known))
    told = [
        f"{network_words(result, row.inspected)}, pictures {grouping_words(row.grouping)}, depth "
        f"{row.depth}: {points(row.gain.value)}"
        for row in known
    ]
    legend = "" if len(result.inspected) < 2 else f" {legend_words(result)}"
    return Drawing(
        name="gains",
        width=WIDTH,
        height=0.52 + 0.3 * len(lines),
        alt=f"How much trees concentrate failures: {'; '.join(told)}.",
        caption="How much more often the model is wrong in the parts that hold the failures than "
        "in the whole group, in percentage points and averaged over the groups, with its range. At "
        f"0 the trees explain nothing.{legend}",
        paint=partial(paint_gains, rows=known, lines=lines),
    )


def paint_gains(
    figure: Figure, *, rows: Sequence[AggregateResult], lines: Sequence[tuple[str, int]]
) -> None:
    height = figure.get_figheight()
    labels = [clipped(f"{grouping_words(g)}, depth {d}", 46) for g, d in lines]
    left = 0.03 + 0.0088 * max(len(label) for label in labels)
    axes = figure.add_axes((left, 0.42 / height, 0.97 - left, 1 - 0.48 / height))
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_yticks(range(len(lines)), labels)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=SOFT, linewidth=0.8, zorder=0)
    axes.set_xlabel("average leaf error rate minus base error rate, in points")
    both = len({row.inspected for row in rows}) > 1
    for row in rows:
        shift = SHIFTS[row.inspected] if both else 0.0
        y = lines.index((row.grouping, row.depth)) + shift
        gain, color = row.gain, LOOKS[row.inspected].edge
        if gain.low is not None and gain.high is not None:
            axes.plot([100 * gain.low, 100 * gain.high], [y, y], color=color, linewidth=1.2)
        mark(axes, row.inspected, 100 * (gain.value or 0.0), y)


def surface(result: FailuresResult) -> Drawing | None:
    """Share of groups with a valid best leaf over both thresholds; None where none was tested."""
    panels = shown_panels(result.surface)
    if not panels:
        return None
    rows = -(-len(panels) // 2)
    return Drawing(
        name="surface",
        width=WIDTH,
        height=1.8 * rows,
        alt="Share of groups whose best part is valid, by the two limits. "
        + " ".join(panel_words(result, panel) for panel in panels),
        caption="Of all groups, how many have a part that explains their failures, depending on "
        "what that is taken to mean: to the right the part has to be worse than its group by more "
        "points, downwards it has to hold more of the group's failures. The frame marks the limits "
        "used in this report"
        + (
            "."
            if any(on_grid(result, panel) for panel in panels)
            else ", where they lie between those shown."
        ),
        paint=partial(paint_surfaces, panels=panels, result=result, rows=rows),
    )


def shown_panels(surfaces: Sequence[SurfaceResult]) -> list[SurfaceResult]:
    """The smallest and the largest depth of each network and grouping."""
    known = [panel for panel in surfaces if panel.num_groups and panel.shares]
    ends: dict[tuple[str, str], list[SurfaceResult]] = {}
    for panel in sorted(known, key=lambda p: p.depth):
        ends.setdefault((panel.inspected, panel.grouping), []).append(panel)
    chosen: list[SurfaceResult] = []
    for same in ends.values():
        chosen += same if len(same) < 2 else (same[0], same[-1])
    return chosen[:MOST_PANELS]


def panel_title(result: FailuresResult, panel: SurfaceResult) -> str:
    network = f"{network_words(result, panel.inspected)}, " if len(result.inspected) > 1 else ""
    return f"{network}{grouping_words(panel.grouping)}, depth {panel.depth}"


def panel_words(result: FailuresResult, panel: SurfaceResult) -> str:
    first, last = panel.shares[0], panel.shares[-1]
    return (
        f"{panel_title(result, panel)}: from {percent(first[0])} with the loosest limits to "
        f"{percent(last[-1])} with the strictest, over "
        f"{counted(panel.num_groups, 'group')}."
    )


def thinned(values: Sequence[float], most: int, keep: float) -> list[int]:
    """Positions of at most so many values, evenly spread, the one in force among them."""
    if len(values) <= most:
        return list(range(len(values)))
    chosen = {round(i * (len(values) - 1) / (most - 1)) for i in range(most)}
    exact = [i for i, value in enumerate(values) if abs(value - keep) < 1e-9]
    if exact and exact[0] not in chosen:
        chosen.discard(min(chosen - {0, len(values) - 1}, key=lambda i: abs(i - exact[0])))
        chosen.add(exact[0])
    return sorted(chosen)


def on_grid(result: FailuresResult, panel: SurfaceResult) -> bool:
    return any(abs(v - result.coverage) < 1e-9 for v in panel.coverages) and any(
        abs(v - result.excess) < 1e-9 for v in panel.excesses
    )


def paint_surfaces(
    figure: Figure, *, panels: Sequence[SurfaceResult], result: FailuresResult, rows: int
) -> None:
    for index, panel in enumerate(panels):
        row, column = divmod(index, 2)
        axes = figure.add_axes(
            (0.085 + 0.5 * column, (rows - 1 - row + 0.23) / rows, 0.405, 0.63 / rows)
        )
        paint_panel(axes, panel, result, leftmost=column == 0)


def paint_panel(
    axes: Axes, panel: SurfaceResult, result: FailuresResult, *, leftmost: bool
) -> None:
    down = thinned(panel.coverages, MOST_ROWS, result.coverage)
    across = thinned(panel.excesses, MOST_COLUMNS, result.excess)
    axes.set_xlim(-0.5, len(across) - 0.5)
    axes.set_ylim(len(down) - 0.5, -0.5)
    for y, i in enumerate(down):
        for x, j in enumerate(across):
            share = panel.shares[i][j]
            used = (
                abs(panel.coverages[i] - result.coverage) < 1e-9
                and abs(panel.excesses[j] - result.excess) < 1e-9
            )
            axes.add_patch(
                Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=FOUND, alpha=0.6 * share, linewidth=0)
            )
            if used:
                frame = Rectangle((x - 0.47, y - 0.47), 0.94, 0.94, fill=False, edgecolor=INK)
                frame.set(linewidth=1.6, zorder=3)
                axes.add_patch(frame)
            axes.text(
                x, y, number(100 * share, 0), ha="center", va="center", size=8,
                weight="bold" if used else "normal",
            )  # fmt: skip
    axes.set_xticks(range(len(across)), [number(100 * panel.excesses[j], 0) for j in across])
    axes.set_yticks(range(len(down)), [percent(panel.coverages[i]) for i in down])
    axes.tick_params(length=0, labelsize=7.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("more than … points above the group", size=7.5)
    if leftmost:
        axes.set_ylabel("holds more than …", size=7.5)
    axes.set_title(clipped(panel_title(result, panel), 52), size=8.5, weight="bold", loc="left")
