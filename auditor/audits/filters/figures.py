"""Drawings of the filter audit: the layer at a glance, its concepts, and recall by what was shown.

What counts is told by position, number and line style, so the figures read without colour.
Functions here describe (`Drawing`); the report draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from auditor.audits.filters.result import FilterResult, FiltersResult, RecallResult, Scope
from auditor.audits.filters.words import (
    KS,
    METHODS,
    by_chance,
    detected,
    detectors,
    noun,
    overlap,
    recalls,
    with_outcome,
)
from auditor.drawing import EXPECTED, FAINT, INK, SECOND, SOFT, Drawing
from auditor.results.estimate import Estimate
from auditor.wording import (
    clipped,
    count,
    counted,
    number,
    percent,
    percent_with_interval,
    plain,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 6.7
MOST_CONCEPTS = 16
DASHED = (0, (3, 2))
PANELS: dict[Scope, str] = {
    "all": "all concepts",
    "seen": "concepts it learnt from",
    "held_out": "concepts it never saw",
}
SIDE_BY_SIDE: tuple[Scope, ...] = ("seen", "held_out")
SHADES = (EXPECTED, SOFT, FAINT)
"""Bars of 5, 10 and 20 answers; each also carries its number."""


class Bar(NamedTuple):
    """One line of the overview."""

    label: str
    value: int


def overview(result: FiltersResult) -> Drawing:
    """How many filters have a name, detect a concept or are never active; best overlaps beside."""
    bars, overlaps = overview_bars(result), best_overlaps(result)
    total = len(result.filters)
    told = "; ".join(f"{bar.label}: {bar.value} of {total}" for bar in bars)
    above = len(detectors(result))
    one = noun(result)
    alt = f"{one.capitalize()}s of the layer. {told}."
    caption = f"How many of the layer's {counted(total, one)} came out how."
    if overlaps:
        middle, most = float(np.median(overlaps)), max(overlaps)
        alt += (
            f" Right: best intersection over union of each {one}, from {number(min(overlaps))} "
            f"to {number(most)}, median {number(middle)}; the threshold is at "
            f"{number(result.detector)}."
        )
        caption += (
            f" Right: how well each {one} fits the concept it overlaps most. Right of the dashed "
            f"line it can count as a detector; {count(above)} do, having passed on pictures that "
            "the concept was not chosen on as well."
        )
    return Drawing(
        name="overview",
        width=WIDTH,
        height=0.5 + 0.215 * max(len(bars), 5),
        alt=alt,
        caption=caption,
        paint=partial(paint_overview, bars=bars, total=total, overlaps=overlaps, result=result),
    )


def overview_bars(result: FiltersResult) -> tuple[Bar, ...]:
    """What the overview counts; lines that the audit did not ask about are left out."""
    tried = [Bar("have a name", len(with_outcome(result, "named")))]
    tried.append(Bar("have no name", len(with_outcome(result, "no_name"))))
    if result.attention is None:
        tried = []
    found = [*tried, Bar("are never active", len(with_outcome(result, "dead")))]
    if result.concepts:
        found.append(Bar("detect a concept", len(detectors(result))))
        found.append(Bar("different concepts", len(detected(result))))
    return tuple(found)


def best_overlaps(result: FiltersResult) -> list[float]:
    """Best intersection over union of each filter that could be compared."""
    values = [f.match.iou.value for f in result.filters if f.match is not None]
    return [value for value in values if value is not None]


def paint_overview(
    figure: Figure,
    *,
    bars: Sequence[Bar],
    total: int,
    overlaps: Sequence[float],
    result: FiltersResult,
) -> None:
    height = figure.get_figheight()
    top, bottom = 1 - 0.06 / height, 0.4 / height
    axes = figure.add_axes((0.19, bottom, 0.27 if overlaps else 0.62, top - bottom))
    axes.set_xlim(0, max(total, 1))
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
    bare(axes)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    for y, bar in enumerate(bars):
        concept = bar.label == "different concepts"
        axes.barh([y], [bar.value], height=0.6, color=SECOND if concept else EXPECTED, linewidth=0)
        of_all = "" if concept or not total else f" ({percent(bar.value / total)})"
        words = f"{count(bar.value)}{of_all}"
        axes.text(bar.value + 0.02 * total, y, words, va="center", size=8.5)
    if overlaps:
        beside = figure.add_axes((0.66, bottom, 0.32, top - bottom))
        paint_overlaps(beside, overlaps, result.detector, label=f"{noun(result)}s")


def bare(axes: Axes) -> None:
    """Labels without ticks and without an axis line beside them."""
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def paint_overlaps(axes: Axes, overlaps: Sequence[float], threshold: float, *, label: str) -> None:
    """Histogram of best overlaps; what lies above the threshold is darker."""
    end = max(*overlaps, 2 * threshold)
    width = threshold / 2 if end <= 12 * threshold else end / 24
    edges = np.arange(0.0, end + width, width)
    heights, _ = np.histogram(overlaps, bins=edges)
    colors = [EXPECTED if edge >= threshold - 1e-9 else FAINT for edge in edges[:-1]]
    axes.bar(edges[:-1], heights, width=0.92 * width, align="edge", color=colors, linewidth=0)
    axes.axvline(threshold, color=INK, linewidth=0.9, linestyle=DASHED)
    most = max(int(heights.max()), 1)
    axes.set_ylim(0, 1.18 * most)
    axes.set_yticks([0, most])
    axes.tick_params(labelsize=8)
    axes.text(threshold + 0.01 * end, 1.16 * most, f"above {number(threshold)}", va="top", size=8)
    axes.set_xlabel("best intersection over union", size=8)
    axes.set_ylabel(label, size=8, labelpad=2)


def concepts(result: FiltersResult) -> Drawing | None:
    """What the layer detects: detectors per concept, and the best one's overlap; None without."""
    rows = detected(result)
    if not rows:
        return None
    shown, one = rows[:MOST_CONCEPTS], noun(result)
    told = "; ".join(
        f"{plain(name)}: {counted(len(units), one)}, best {overlap_words(units[0])}"
        for name, units in shown
    )
    more = (
        f" {counted(len(rows) - len(shown), 'more concept')} with fewer detectors stand in the "
        "table of everything tested."
        if len(rows) > len(shown)
        else ""
    )
    return Drawing(
        name="concepts",
        width=WIDTH,
        height=0.5 + 0.235 * len(shown),
        alt=f"{one.capitalize()}s that detect each concept, and the best one's overlap with it. "
        f"{told}.",
        caption=f"Left: how many {one}s detect a concept. Right: intersection over union of the "
        f"best of them with its 95 % range; dashed: the threshold.{more}",
        paint=partial(paint_concepts, rows=shown, threshold=result.detector, one=one),
    )


def overlap_words(unit: FilterResult) -> str:
    return overlap(unit.match.iou) if unit.match is not None else ""


def paint_concepts(
    figure: Figure,
    *,
    rows: Sequence[tuple[str, tuple[FilterResult, ...]]],
    threshold: float,
    one: str,
) -> None:
    height = figure.get_figheight()
    bottom, size = 0.42 / height, 1 - 0.48 / height
    left = figure.add_axes((0.22, bottom, 0.31, size))
    right = figure.add_axes((0.60, bottom, 0.38, size))
    for axes in (left, right):
        axes.set_ylim(len(rows) - 0.5, -0.5)
        bare(axes)
    most = max(len(units) for _, units in rows)
    left.set_yticks(range(len(rows)), [clipped(plain(name), 24) for name, _ in rows])
    left.set_xlim(0, 1.12 * most)
    left.set_xticks(sorted({0, most}))
    left.set_xlabel(f"{one}s that detect it")
    right.set_yticks([])
    right.set_xlabel("intersection over union of the best")
    right.axvline(threshold, color=INK, linewidth=0.9, linestyle=DASHED)
    for y, (_, units) in enumerate(rows):
        left.barh([y], [len(units)], height=0.58, color=EXPECTED, linewidth=0)
        left.text(len(units) + 0.02 * most, y, count(len(units)), va="center", size=8.5)
        if units[0].match is not None:
            ranged(right, units[0].match.iou, y)
    right.set_xlim(left=0)


def ranged(axes: Axes, estimate: Estimate, y: float) -> None:
    """A dot with its range."""
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [y, y], color=EXPECTED, linewidth=1.3)
    if estimate.value is not None:
        axes.plot([estimate.value], [y], "o", markersize=4.6, color=EXPECTED, clip_on=False)


def recall(result: FiltersResult) -> Drawing | None:
    """Recall by what the explainer was shown, on seen and unseen concepts; None without words."""
    scopes = [
        scope
        for scope in SIDE_BY_SIDE
        if any(row.recall.value is not None for row in shown_rows(result, scope))
    ]
    if not scopes:
        return None
    told = " ".join(
        f"{PANELS[scope].capitalize()}: {panel_words(result, scope)}." for scope in scopes
    )
    methods = len({row.method for scope in scopes for row in shown_rows(result, scope)})
    return Drawing(
        name="recall",
        width=WIDTH,
        height=0.72 + 0.5 * methods,
        alt=f"Share of true concepts found, by what the explainer was shown. {told}",
        caption=f"How many of the concepts that a {noun(result)} truly overlaps the explainer "
        "finds among its first 5, 10 and 20 answers, chosen from the annotated concepts, with "
        "95 % ranges. Longer is better. The short upright marks show what answers drawn at random "
        "would reach.",
        paint=partial(paint_recall, result=result, scopes=scopes),
    )


def shown_rows(result: FiltersResult, scope: Scope) -> list[RecallResult]:
    return [row for k in KS for row in recalls(result, "concepts", scope, k).values()]


def panel_words(result: FiltersResult, scope: Scope) -> str:
    return "; ".join(
        f"{METHODS[row.method]}, first {row.k}: {percent_with_interval(row.recall)}"
        for row in sorted(shown_rows(result, scope), key=lambda r: list(METHODS).index(r.method))
    )


def paint_recall(figure: Figure, *, result: FiltersResult, scopes: Sequence[Scope]) -> None:
    height = figure.get_figheight()
    present = {row.method for scope in scopes for row in shown_rows(result, scope)}
    methods = [method for method in METHODS if method in present]
    wide = 0.325 if len(scopes) > 1 else 0.7
    for column, scope in enumerate(scopes):
        axes = figure.add_axes((0.265 + 0.375 * column, 0.42 / height, wide, 1 - 0.68 / height))
        axes.set_xlim(0, 100)
        axes.set_ylim(len(methods) - 0.5, -0.5)
        bare(axes)
        axes.tick_params(axis="y", pad=14)
        axes.set_yticks(
            range(len(methods)),
            [METHODS[m] for m in methods] if column == 0 else [""] * len(methods),
        )
        if column == 0:
            for label, method in zip(axes.get_yticklabels(), methods, strict=True):
                label.set_fontweight("bold" if method == result.attention else "normal")
        axes.set_xticks([0, 25, 50, 75, 100])
        axes.set_xlabel("true concepts found, in %")
        axes.set_title(PANELS[scope], size=9, weight="bold", loc="left")
        for i, k in enumerate(KS):
            found = recalls(result, "concepts", scope, k)
            for y, method in enumerate(methods):
                if method in found:
                    bar(axes, found[method].recall, y + 0.27 * (i - 1), i, by_chance(result, k))


def bar(axes: Axes, estimate: Estimate, y: float, index: int, chance: float | None) -> None:
    """One bar with its k at the left, its range, and what chance would reach."""
    axes.text(-1.6, y, str(KS[index]), ha="right", va="center", size=6.8, color=SOFT)
    if estimate.value is None:
        axes.text(1.0, y, "not measured", va="center", size=6.8, color=SOFT)
        return
    axes.barh(
        [y], [100 * estimate.value], height=0.22, color=SHADES[index], edgecolor=INK, linewidth=0.4
    )
    if estimate.low is not None and estimate.high is not None:
        ends = [100 * estimate.low, 100 * estimate.high]
        axes.plot(ends, [y, y], color=INK, linewidth=1.1, solid_capstyle="butt", zorder=3)
        for x in ends:
            axes.plot([x, x], [y - 0.07, y + 0.07], color=INK, linewidth=0.9, zorder=3)
    if chance is not None:
        x = 100 * chance
        axes.plot([x, x], [y - 0.13, y + 0.13], color=INK, linewidth=2.0, zorder=2, clip_on=False)
