"""Failure modes: label combinations where a wrong relation costs accuracy, and their baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from auditor.audits.relationships.evidence import LEVEL, Evidence, measured
from auditor.audits.relationships.result import CellResult, TopDrop
from auditor.measure.association import three_cell_entropy
from auditor.measure.classification import Hits, accuracy_drop, mean_accuracy
from auditor.results.estimate import Estimate

Sides = tuple[bool, bool]
Ranking = Literal["audit", "entropy_smallest", "entropy_largest"]

APART: tuple[Sides, Sides] = ((True, False), (False, True))
TOGETHER: tuple[Sides, Sides] = ((True, True), (False, False))


@dataclass(frozen=True)
class Mode:
    """A pair and the label combination that its failure mode is taken to be."""

    pair: tuple[int, int]
    present: Sides


def candidates(evidence: Evidence, pair: tuple[int, int], deviation: float) -> tuple[Sides, ...]:
    """Both candidate combinations, the one with fewer mined images first.

    A network that ties two attributes too closely errs where they come apart; one that sets them
    against each other errs where they come together (Zhang et al.).
    """
    i, j = pair
    cells = evidence.mined_cells
    sides = APART if deviation > 0 else TOGETHER
    return tuple(sorted(sides, key=lambda present: int(cells[i, j][present_index(present)])))


def cell_result(evidence: Evidence, pair: tuple[int, int], present: Sides) -> CellResult:
    """Accuracy inside one combination and its drop, on confirming images."""
    i, j = pair
    inside, outside = hits_of(evidence, Mode(pair, present))
    num_inside = inside[0].num_samples
    num_mined = int(evidence.mined_cells[i, j][present_index(present)])
    if num_inside < evidence.spec.min_cell:
        reason = f"only {num_inside} confirming images show this combination"
        absent = Estimate.absent(reason, num_samples=num_inside)
        return CellResult(present=present, num_mined=num_mined, accuracy=absent, drop=absent)
    accuracy = measured(
        mean_accuracy(inside, level=LEVEL), "Wilson intervals, averaged", num_inside
    )
    return CellResult(
        present=present,
        num_mined=num_mined,
        accuracy=accuracy,
        drop=drop_estimate(inside, outside, level=LEVEL),
    )


def drop_estimate(inside: Sequence[Hits], outside: Sequence[Hits], *, level: float) -> Estimate:
    """Ordinary accuracy minus the accuracy inside."""
    num_inside = inside[0].num_samples
    if not any(hits.num_samples for hits in outside):
        reason = "every confirming image with one of these labels shows the combination"
        return Estimate.absent(reason, num_samples=num_inside)
    drop = accuracy_drop(inside, outside, level=level)
    return measured(drop, "Wilson intervals, combined by MOVER", num_inside, level)


def confirmed(evidence: Evidence, pair: tuple[int, int], cells: Sequence[CellResult]) -> bool:
    """Whether some candidate loses accuracy for sure.

    Every candidate gets its share of the error (Bonferroni): two are looked at, one is reported.
    """
    level = 1 - evidence.spec.alpha / max(1, len(cells))
    for cell in cells:
        if cell.drop.value is not None:
            inside, outside = hits_of(evidence, Mode(pair, cell.present))
            low = drop_estimate(inside, outside, level=level).low
            if low is not None and low > 0:
                return True
    return False


def hits_of(evidence: Evidence, mode: Mode) -> tuple[list[Hits], list[Hits]]:
    """Hits of both attributes inside the combination, and on other images with the same label."""
    (i, j), (a, b) = mode.pair, present_index(mode.present)
    cells, right = evidence.cells, evidence.right
    inside = [
        Hits(int(right[i, j, a, b]), int(cells[i, j, a, b])),
        Hits(int(right[j, i, b, a]), int(cells[j, i, b, a])),
    ]
    outside = [
        Hits(int(right[i, j, a, 1 - b]), int(cells[i, j, a, 1 - b])),
        Hits(int(right[j, i, b, 1 - a]), int(cells[j, i, b, 1 - a])),
    ]
    return inside, outside


def top_drops(
    evidence: Evidence, suspects: Sequence[Mode], pairs: Sequence[tuple[int, int]]
) -> tuple[TopDrop, ...]:
    """Mean accuracy drop of the first modes of each ranking.

    The entropy baseline takes every pair's rarest combination and ranks by the entropy of its
    labels; the paper does not say which entropies are "top", so both readings stand here.

    Args:
        evidence: All measurements.
        suspects: The audit's modes, most suspicious first.
        pairs: All pairs.
    """
    entropies = [
        (entropy, k)
        for k, (i, j) in enumerate(pairs)
        if (entropy := three_cell_entropy(evidence.mined_cells[i, j])) is not None
    ]
    rarest = [rarest_mode(evidence, pair) for pair in pairs]
    smallest = [rarest[k] for _, k in sorted(entropies)]
    largest = [rarest[k] for _, k in sorted(entropies, key=lambda one: (-one[0], one[1]))]
    rankings: tuple[tuple[Ranking, Sequence[Mode]], ...] = (
        ("audit", suspects),
        ("entropy_smallest", smallest),
        ("entropy_largest", largest),
    )
    return tuple(
        top_drop(evidence, ranking, modes, num_modes)
        for num_modes in evidence.spec.top
        for ranking, modes in rankings
    )


def rarest_mode(evidence: Evidence, pair: tuple[int, int]) -> Mode:
    """The least populated of the four combinations of mined labels."""
    cells = evidence.mined_cells[pair]
    sides = (*APART, *TOGETHER)
    return Mode(pair, min(sides, key=lambda present: int(cells[present_index(present)])))


def top_drop(
    evidence: Evidence, ranking: Ranking, modes: Sequence[Mode], num_modes: int
) -> TopDrop:
    """The mean over the first modes that enough confirming images show."""
    hits = [
        (inside, outside)
        for inside, outside in (hits_of(evidence, mode) for mode in modes)
        if inside[0].num_samples >= evidence.spec.min_cell
        and all(other.num_samples for other in outside)
    ][:num_modes]
    if len(hits) < num_modes:
        absent = Estimate.absent(f"only {len(hits)} modes could be measured, not {num_modes}")
        return TopDrop(
            ranking=ranking, num_modes=num_modes, ordinary=absent, inside=absent, drop=absent
        )
    inside = [cell_estimate(own) for own, _ in hits]
    ordinary = [ordinary_estimate(own, out) for own, out in hits]
    drops = [drop_estimate(own, out, level=LEVEL) for own, out in hits]
    return TopDrop(
        ranking=ranking,
        num_modes=num_modes,
        ordinary=mean_estimate(ordinary),
        inside=mean_estimate(inside),
        drop=mean_estimate(drops),
    )


def cell_estimate(inside: Sequence[Hits]) -> Estimate:
    """Accuracy inside a combination."""
    found = mean_accuracy(inside, level=LEVEL)
    return measured(found, "Wilson intervals, averaged", inside[0].num_samples)


def ordinary_estimate(inside: Sequence[Hits], outside: Sequence[Hits]) -> Estimate:
    """Accuracy over all images with the label, mean of both attributes."""
    everywhere = [
        Hits(own.correct + out.correct, own.num_samples + out.num_samples)
        for own, out in zip(inside, outside, strict=True)
    ]
    num_samples = sum(hits.num_samples for hits in everywhere)
    found = mean_accuracy(everywhere, level=LEVEL)
    return measured(found, "Wilson intervals, averaged", num_samples)


def mean_estimate(estimates: Sequence[Estimate]) -> Estimate:
    """Mean of estimates that share images: their ends are averaged, the widest that can be."""
    values, lows, highs = (
        [value for value in column if value is not None]
        for column in zip(*((e.value, e.low, e.high) for e in estimates), strict=True)
    )
    return Estimate(
        value=sum(values) / len(values),
        low=sum(lows) / len(lows),
        high=sum(highs) / len(highs),
        level=LEVEL,
        method="mean of the modes' intervals",
        num_samples=sum(e.num_samples or 0 for e in estimates),
    )


def present_index(present: Sides) -> tuple[int, int]:
    """Index of a combination in the counts."""
    return int(present[0]), int(present[1])
