"""The drawings of the attribute-relationship audit: graph, strip of all pairs, one pair.

Every figure is legible without colour: found and expected differ in line style, marker and
lightness. Functions here describe (`Drawing`); the report draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from auditor.audits.relationships.result import PairResult, RelationResult, RelationshipsResult
from auditor.drawing import EXPECTED, FAINT, FOUND, INK, SOFT, Drawing
from auditor.wording import MINUS, clipped, counted, listing, number, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats: TypeAlias = NDArray[np.float64]
Dashes: TypeAlias = tuple[float, tuple[float, ...]]

SOLID: Dashes = (0, ())
DASHED: Dashes = (0, (4, 1.6))
DOTTED: Dashes = (0, (1, 1.6))

TICKS = ((-1.0, f"{MINUS}1"), (-0.5, ""), (0.0, "0"), (0.5, ""), (1.0, "1"))


@dataclass(frozen=True)
class Edge:
    """A line between two attributes of the graph."""

    a: str
    b: str
    strength: float
    broken: bool


def graph(result: RelationshipsResult, titles: Mapping[str, str], presence: float) -> Drawing:
    """Expected relations beside mined ones, attributes around a circle.

    Args:
        result: The audit's result.
        titles: Attribute id -> title.
        presence: Mined relations weaker than this are not drawn unless their rule is broken.
    """
    names = [attribute.name for attribute in result.attributes]
    means = {relation.name: relation.mean for relation in result.relations}
    expected = [
        Edge(pair.a, pair.b, mean, broken=False)
        for pair in result.pairs
        if (mean := means.get(pair.expect or "")) is not None and abs(mean) > presence
    ]
    mined = [
        Edge(pair.a, pair.b, pair.cosine.value, broken=pair.outcome == "broken")
        for pair in result.pairs
        if pair.cosine.value is not None
        and (pair.outcome == "broken" or abs(pair.cosine.value) > presence)
    ]
    broken = [f"{titles[e.a]} with {titles[e.b]}" for e in mined if e.broken]
    alt = (
        f"Two circles with the {len(names)} attributes around each. The left one joins the "
        f"{counted(len(expected), 'pair')} that the rules expect to be related, the right one "
        f"the {counted(len(mined), 'pair')} that the model relates. "
    )
    alt += (
        f"Joined by a thick line, against the rules: {shortened(broken, 12)}."
        if broken
        else "No line goes against the rules."
    )
    return Drawing(
        name="graph",
        width=6.7,
        height=3.55,
        alt=alt,
        caption="A line joins two attributes that go together (solid) or exclude each other "
        "(dashed). Thick lines on the right go against a rule.",
        paint=partial(paint_graphs, names=names, titles=titles, expected=expected, mined=mined),
    )


def paint_graphs(
    figure: Figure,
    *,
    names: Sequence[str],
    titles: Mapping[str, str],
    expected: Sequence[Edge],
    mined: Sequence[Edge],
) -> None:
    panels = (("What the rules expect", expected), ("What the model does", mined))
    for index, (heading, edges) in enumerate(panels):
        axes = figure.add_axes((0.5 * index, 0.0, 0.5, 1.0))
        axes.set_axis_off()
        # Room for the longest label that `clipped` leaves, in every direction.
        axes.set_xlim(-2.4, 2.4)
        axes.set_ylim(-2.35, 2.65)
        axes.set_aspect("equal")
        axes.text(0, 2.5, heading, ha="center", va="center", weight="bold", size=10)
        paint_circle(axes, names, titles, edges)
        if not edges:
            axes.text(0, 0, "no relations", ha="center", va="center", size=9, color=SOFT)


def paint_circle(
    axes: Axes, names: Sequence[str], titles: Mapping[str, str], edges: Sequence[Edge]
) -> None:
    angles = {n: math.pi / 2 - 2 * math.pi * i / len(names) for i, n in enumerate(names)}
    spots = {name: (math.cos(angle), math.sin(angle)) for name, angle in angles.items()}
    touched = {name for edge in edges if edge.broken for name in (edge.a, edge.b)}
    for edge in sorted(edges, key=lambda e: e.broken):
        (x0, y0), (x1, y1) = spots[edge.a], spots[edge.b]
        t = np.linspace(0.0, 1.0, 12)
        # A quadratic curve bent halfway to the centre: crossing lines stay apart.
        bend = ((x0 + x1) * 0.25, (y0 + y1) * 0.25)
        axes.plot(
            (1 - t) ** 2 * x0 + 2 * t * (1 - t) * bend[0] + t**2 * x1,
            (1 - t) ** 2 * y0 + 2 * t * (1 - t) * bend[1] + t**2 * y1,
            color=FOUND if edge.broken else SOFT,
            linewidth=2.2 if edge.broken else 0.9,
            linestyle="-" if edge.strength >= 0 else (0, (2.2, 1.4)),
            zorder=3 if edge.broken else 2,
            solid_capstyle="round",
        )
    for name, (x, y) in spots.items():
        own = name in touched
        axes.plot([x], [y], "o", markersize=4.2 if own else 3.2, color=INK if own else SOFT)
        degrees = math.degrees(angles[name]) % 360
        flipped = 90 < degrees < 270
        axes.text(
            1.07 * x,
            1.07 * y,
            clipped(titles[name], 18),
            ha="right" if flipped else "left",
            va="center",
            rotation=degrees - 180 if flipped else degrees,
            rotation_mode="anchor",
            size=7.5,
            color=INK if own else SOFT,
            weight="bold" if own else "normal",
        )


def strip(result: RelationshipsResult, titles: Mapping[str, str]) -> Drawing | None:
    """Robust z of every pair under a rule, one row per expected relation, and the cut.

    Returns None where no pair has a robust z.
    """
    scored = [pair for pair in result.pairs if pair.expect and pair.robust_z.value is not None]
    if not scored:
        return None
    rows = [relation.name for relation in result.relations]
    rows = [name for name in rows if any(pair.expect == name for pair in scored)]
    broken = [pair for pair in scored if pair.outcome == "broken"]
    named = [f"{titles[pair.a]} with {titles[pair.b]}" for pair in broken]
    alt = (
        f"Each of {counted(len(scored), 'pair')} is a dot; the further from zero, the more it "
        "differs from pairs of the same kind. "
        + (f"Far out lie {shortened(named, 10)}." if named else "No pair lies outside the limit.")
    )
    return Drawing(
        name="strip",
        width=6.7,
        height=0.75 + 0.75 * len(rows),
        alt=alt,
        caption="Every pair under a rule, by how unusual it is among pairs of its kind. "
        "Diamonds broke their rule. Hollow dots involve an attribute that was not learnt.",
        paint=partial(paint_strip, scored=scored, rows=rows, cut=significance(scored, result)),
    )


def significance(scored: Sequence[PairResult], result: RelationshipsResult) -> float | None:
    """The smallest |z| that is significant after Benjamini-Hochberg, where any is."""
    passing = [
        abs(pair.robust_z.value)
        for pair in scored
        if pair.robust_z.value is not None
        and pair.p_adjusted.value is not None
        and pair.p_adjusted.value < result.alpha
    ]
    return min(passing, default=None)


def paint_strip(
    figure: Figure, *, scored: Sequence[PairResult], rows: Sequence[str], cut: float | None
) -> None:
    axes = figure.add_axes(
        (0.16, 0.48 / figure.get_figheight(), 0.82, 1 - 0.62 / figure.get_figheight())
    )
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_yticks(range(len(rows)), [name.replace("_", " ") for name in rows])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("robust z: distance from the usual pair, in usual distances")
    if cut is not None:
        for side in (-cut, cut):
            axes.axvline(side, color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
    axes.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    for look in LOOKS:
        pairs = [pair for pair in scored if look.shows(pair)]
        axes.scatter(
            [pair.robust_z.value or 0.0 for pair in pairs],
            [rows.index(pair.expect or "") + spread(pair) for pair in pairs],
            s=look.area,
            marker=look.marker,
            facecolors=look.face,
            edgecolors=look.edge,
            linewidths=0.8,
        )
    reach = 1.08 * max(3.5, *(abs(pair.robust_z.value or 0.0) for pair in scored))
    axes.set_xlim(-reach, reach)


@dataclass(frozen=True)
class Look:
    """How the pairs of some outcomes are drawn; `outcome` None stands for all others."""

    outcome: str | None
    marker: str
    area: float
    face: str
    edge: str

    def shows(self, pair: PairResult) -> bool:
        if self.outcome is None:
            return pair.outcome not in {"broken", "not_learnt"}
        return pair.outcome == self.outcome


LOOKS = (
    Look(None, "o", 11, SOFT, "none"),
    Look("not_learnt", "o", 11, "none", SOFT),
    Look("broken", "D", 26, FOUND, "none"),
)


def spread(pair: PairResult) -> float:
    """A vertical offset in ±0.3 that depends on the pair's names alone, so that dots part."""
    seed = sum((i + 1) * ord(c) for i, c in enumerate(f"{pair.a}~{pair.b}"))
    return ((seed * 0.618034) % 1.0 - 0.5) * 0.6


def distribution(
    pair: PairResult, relation: RelationResult | None, titles: Mapping[str, str]
) -> Drawing | None:
    """The mined distribution of one pair's tie against the expected one.

    Returns None where the pair has no histogram.
    """
    if not sum(pair.histogram) or pair.cosine.value is None:
        return None
    usual = relation.mean if relation else None
    both = listing([titles[pair.a], titles[pair.b]])
    alt = (
        f"Distribution of the tie between {both} over single pictures. Its mean is "
        f"{number(pair.cosine.value)}"
        + (f"; {number(usual)} is usual for such a pair." if usual is not None else ".")
    )
    return Drawing(
        name=f"pair-{pair.a}~{pair.b}",
        width=3.15,
        height=1.4,
        alt=alt,
        caption=f"Filled: pictures by strength of the tie ({MINUS}1 opposite, 0 apart, "
        "1 identical). Dashed: what is usual for such a pair.",
        paint=partial(paint_distribution, pair=pair, relation=relation),
    )


def paint_distribution(
    figure: Figure, *, pair: PairResult, relation: RelationResult | None
) -> None:
    """Painted without axes and with few letters: a report may hold hundreds.

    Axes cost ten times as much to draw, and a PDF engine lays out each letter of a figure alone.
    """
    counts = np.asarray(pair.histogram, dtype=float)
    edges = np.linspace(-1.0, 1.0, len(counts) + 1)
    density = counts / (counts.sum() * (edges[1] - edges[0]))
    ends = np.flatnonzero(counts)[[0, -1]] + (0, 1)
    x = np.repeat(edges[ends[0] : ends[1] + 1], 2)
    y = np.concatenate([[0.0], np.repeat(density[ends[0] : ends[1]], 2), [0.0]])
    bell_x, bell_y = expected_bell(relation)
    top = max(float(y.max()), float(bell_y.max(initial=0.0)))

    def line(x: Floats, y: Floats, color: str, width: float, style: Dashes = SOLID) -> None:
        figure.add_artist(
            Line2D(across(x), above(y, top), color=color, linewidth=width, linestyle=style)
        )

    outline = np.column_stack([across(x), above(y, top)])
    figure.add_artist(Polygon(outline, facecolor=FOUND, edgecolor="none", alpha=0.45))
    line(np.array([-1.0, 1.0]), np.zeros(2), SOFT, 0.6)
    line(x, y, FOUND, 1.1)
    line(bell_x, bell_y, EXPECTED, 1.3, DASHED)
    for place, name in TICKS:
        tick = np.full(2, place)
        line(tick, np.array([0.0, -0.04 * top]), SOFT, 0.6)
        if name:
            figure.text(float(across(place)), 0.05, name, ha="center", color=SOFT, size=8.5)
    for mean in labelled_means(pair, relation):
        style = DOTTED if mean.color == EXPECTED else SOLID
        line(np.full(2, mean.x), np.array([0.0, 1.05 * top]), mean.color, 0.8, style)
        figure.text(
            float(across(mean.x)) + (0.008 if mean.leans_right else -0.008),
            0.9,
            mean.text,
            ha="left" if mean.leans_right else "right",
            color=mean.color,
            size=8.5,
            weight="bold",
        )


def across(x: Floats | float) -> Floats:
    """Strength of a tie as a place across the figure."""
    return 0.05 + 0.90 * (np.asarray(x, dtype=float) + 1) / 2


def above(y: Floats, top: float) -> Floats:
    """Density as a height in the figure."""
    return 0.18 + 0.65 * y / top


def expected_bell(relation: RelationResult | None) -> tuple[Floats, Floats]:
    """The expected normal density, where there is one to see; empty without an expectation."""
    if relation is None or relation.mean is None or not relation.sd:
        return np.zeros(0), np.zeros(0)
    x = np.linspace(-1.0, 1.0, 121)
    x = x[np.abs(x - relation.mean) < 3.5 * relation.sd]
    scale = relation.sd * math.sqrt(2 * math.pi)
    return x, np.exp(-0.5 * ((x - relation.mean) / relation.sd) ** 2) / scale


@dataclass(frozen=True)
class LabelledMean:
    """A mean with its name, written to the side that keeps it off the other one."""

    x: float
    text: str
    color: str
    leans_right: bool


def labelled_means(pair: PairResult, relation: RelationResult | None) -> tuple[LabelledMean, ...]:
    found = pair.cosine.value or 0.0
    usual = relation.mean if relation else None
    right = usual is None or found >= usual
    means = [LabelledMean(found, f"found {number(found)}", FOUND, leans(found, right))]
    if usual is not None:
        text = f"usual {number(usual)}"
        means.append(LabelledMean(usual, text, EXPECTED, leans(usual, not right)))
    return tuple(means)


def leans(x: float, right: bool) -> bool:
    """Near the rim a label turns inwards, so that it stays in the figure."""
    return right if abs(x) < 0.55 else x < 0
