"""Network dissection: which annotated concept the active pixels of a unit overlap most.

Bau et al. (CVPR 2017): the map of a unit is brought to the grid of the annotations, pixels above
the unit's threshold T_u are active, and over all images

    IoU(u, c) = I(u, c) / (A(u, category of c) + G(c) - I(u, c))

with I the active pixels inside the concept, G the pixels of the concept, and A the active pixels
of the images in which a concept of that category is annotated (`original`) or annotated under the
unit's active pixels (`lite`, what NetDissect-Lite counts). Everything is a count of pixels, and
images add up. Active pixels are few, so they are listed and looked up in all masks at once.

U units, C concepts, K categories, J folds of the images; per image A active units, P annotated
concepts, Q annotated categories; maps have h × w places, the grid g × g' pixels.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import NamedTuple, final

import torch
from scipy.special import stdtrit
from torch import Tensor

_PIXELS = 1 << 22
"""Pixels of all units at once, were they all active: it bounds memory."""


class Overlap(NamedTuple):
    """Counts of one image, only of what occurs in it.

    Attributes:
        units: int64 [A], units that are active somewhere, ascending; none where the image has no
            annotated concept.
        concepts: int64 [P], annotated concepts.
        categories: int64 [Q], their categories, ascending.
        intersections: float64 [A, P], active pixels inside the concept.
        active: float64 [A], active pixels.
        under: bool [A, Q], whether the category is annotated under an active pixel.
        areas: float64 [P], pixels of the concept.
    """

    units: Tensor
    concepts: Tensor
    categories: Tensor
    intersections: Tensor
    active: Tensor
    under: Tensor
    areas: Tensor


class Best(NamedTuple):
    """The audited concept that each unit overlaps most. All float64 [U], with 95 % intervals; -1
    where there is nothing to say.

    Attributes:
        concept: int64 [U], -1 where a unit overlaps none.
        iou: Intersection over union with it, over all folds.
        low: End of its jackknife interval.
        high: End of its jackknife interval.
        held_out: Intersections over unions, pooled over folds, with the concept that each fold's
            complement chose: free of the optimism of choosing the best of many.
        held_out_low: End of its jackknife interval.
        held_out_high: End of its jackknife interval.
    """

    concept: Tensor
    iou: Tensor
    low: Tensor
    high: Tensor
    held_out: Tensor
    held_out_low: Tensor
    held_out_high: Tensor


@final
class Totals:
    """Sums over images, per fold; filled image by image.

    Attributes:
        intersections: float64 [J, U, C].
        active_original: float64 [J, U, K], active pixels of images where the category is annotated.
        active_lite: float64 [J, U, K], of images where it is annotated under an active pixel.
        areas: float64 [J, C].
        images: int64 [J, C], images that list the concept, also where no pixel of it is left.
    """

    def __init__(
        self, num_folds: int, num_units: int, num_concepts: int, num_categories: int
    ) -> None:
        real = torch.float64
        self.intersections = torch.zeros(num_folds, num_units, num_concepts, dtype=real)
        self.active_original = torch.zeros(num_folds, num_units, num_categories, dtype=real)
        self.active_lite = torch.zeros_like(self.active_original)
        self.areas = torch.zeros(num_folds, num_concepts, dtype=real)
        self.images = torch.zeros(num_folds, num_concepts, dtype=torch.int64)

    def add(self, fold: int, image: Overlap) -> None:
        """Count one image in its fold; every concept occurs in it once at most."""
        units, concepts, categories, intersections, active, under, areas = (
            part.to(self.areas.device) for part in image
        )
        rows = units.unsqueeze(1)
        self.intersections[fold][rows, concepts] += intersections
        self.active_original[fold][rows, categories] += active.unsqueeze(1)
        self.active_lite[fold][rows, categories] += active.unsqueeze(1) * under
        self.areas[fold][concepts] += areas
        self.images[fold][concepts] += 1


def active_pixels(maps: Tensor, thresholds: Tensor, grid: tuple[int, int]) -> Tensor:
    """Pixels of the grid that lie strictly above the unit's threshold, bool [U, g, g'].

    Maps are upsampled bilinearly without aligned corners, as by torch's `interpolate`. No
    interpolated value exceeds the largest that it is made of: units, and rows, without a value
    above the threshold are not upsampled any further.

    Args:
        maps: [U, h, w].
        thresholds: T_u [U]; +inf for units that are never active.
        grid: Rows and columns of the result.
    """
    above, alive = _above(maps, thresholds)
    active = torch.zeros(len(maps), grid[0] * grid[1], dtype=torch.bool, device=maps.device)
    for start, units in _pieces(alive, grid):
        position, pixel = _listed(above[units], grid)
        active[alive[start + position], pixel] = True
    return active.view(-1, *grid)


def overlap(
    maps: Tensor, thresholds: Tensor, concepts: Tensor, masks: Tensor, categories: Tensor
) -> Overlap:
    """Counts of one image, on the device of its maps.

    Args:
        maps: [U, h, w].
        thresholds: T_u [U].
        concepts: int64 [P], each at most once; also those of which no pixel is left.
        masks: bool [P, g, g'].
        categories: int64 [C], category of every concept, 0 to K - 1.
    """
    device, grid = maps.device, (int(masks.shape[1]), int(masks.shape[2]))
    concepts, regions = concepts.to(device), masks.to(device).flatten(1).T.double().contiguous()
    own = categories.to(device)[concepts]
    present = own.bincount().nonzero().squeeze(1)
    above, alive = _above(maps, thresholds)
    units = alive if len(concepts) else alive[:0]
    intersections = torch.zeros(len(units), len(concepts), dtype=torch.float64, device=device)
    active = torch.zeros(len(units), dtype=torch.float64, device=device)
    for start, piece in _pieces(units, grid):
        position, pixel = _listed(above[piece], grid)
        # Whole numbers in float64: their sum does not depend on its order.
        intersections.index_add_(0, start + position, regions[pixel])
        active[start : start + len(piece)] = position.bincount(minlength=len(piece)).double()
    belongs = (own.unsqueeze(1) == present).double()
    return Overlap(
        units=units,
        concepts=concepts,
        categories=present,
        intersections=intersections,
        active=active,
        under=intersections @ belongs > 0,
        areas=regions.sum(0),
    )


def iou(
    intersections: Tensor,
    active: Tensor,
    areas: Tensor,
    categories: Tensor,
    *,
    keep: Tensor | None = None,
) -> Tensor:
    """Intersection over union of units and concepts, float64 [U, C]; 0 where the union is empty.

    Args:
        intersections: [J, U, C].
        active: [J, U, K], by either denominator.
        areas: [J, C].
        categories: int64 [C].
        keep: Folds that count, bool [J]; all by default.
    """
    if keep is not None:
        intersections, active, areas = intersections[keep], active[keep], areas[keep]
    return _ratios(intersections.sum(0), active.sum(0), areas.sum(0), categories)


def best_concepts(
    intersections: Tensor, active: Tensor, areas: Tensor, categories: Tensor, audited: Tensor
) -> Best:
    """Each unit's best audited concept; the lowest among equals.

    Intervals come from the delete-one-fold jackknife of a ratio of sums (Shao & Tu, The Jackknife
    and Bootstrap, 1995), with Student's t and one degree of freedom less than there are folds with
    a union; with fewer than two such folds they are [0, 1]. Those of `iou` take the concept as
    given. For those of the held-out value all choices are made anew without the fold that is left
    out: where many concepts are equally good, choices change with every fold, folds depend on each
    other through them, and intervals that took them as given would be half as wide as they must be.

    Args:
        intersections: [J, U, C].
        active: [J, U, K].
        areas: [J, C].
        categories: int64 [C].
        audited: Concepts to choose from, bool [C].
    """
    folds = list(zip(intersections, active, areas, strict=True))
    whole = (intersections.sum(0), active.sum(0), areas.sum(0))

    def chosen_without(*left_out: int) -> Tensor:
        # Whole numbers in float64: leaving folds out by subtraction is exact.
        rest = [sums - sum(folds[f][part] for f in left_out) for part, sums in enumerate(whole)]
        return _chosen(_ratios(rest[0], rest[1], rest[2], categories), audited)

    def counted(choices: list[Tensor]) -> tuple[Tensor, Tensor]:
        counts = [_counts(*each, categories) for each in zip(folds, choices, strict=True)]
        both, union = (torch.stack(parts) for parts in zip(*counts, strict=True))
        return both, union

    numbers = range(len(folds))
    concept, none = chosen_without(), torch.full((intersections.shape[1],), -1)
    both, union = counted([concept for _ in numbers])
    without = _shares(both.sum(0) - both, union.sum(0) - union)
    in_sample = _jackknife(both, union, without)
    # A fold and the fold that is left out play the same part in a choice: each pair is made once.
    pairs = {frozenset(pair): chosen_without(*pair) for pair in combinations(numbers, 2)}
    again = []
    for left_out in numbers:
        choices = [pairs.get(frozenset((fold, left_out)), none) for fold in numbers]
        both, union = counted(choices)
        again.append(_shares(both.sum(0), union.sum(0)))
    held_out = counted([chosen_without(fold) for fold in numbers])
    return Best(concept, *in_sample, *_jackknife(*held_out, torch.stack(again)))


def pair_truth(
    active: Tensor, concepts: Tensor, masks: Tensor, num_concepts: int, detector: float
) -> Tensor:
    """Concepts whose intersection over union with some units in one image is above `detector`.

    Args:
        active: Active pixels of units in this image, bool [A, g, g'].
        concepts: int64 [P].
        masks: bool [P, g, g'].
        num_concepts: C.
        detector: The least value that is not enough.

    Returns:
        bool [A, C]; false for concepts that are not annotated.
    """
    pixels = active.flatten(1).float()
    regions = masks.to(active.device).flatten(1).float()
    both = (pixels @ regions.T).double()
    union = pixels.sum(1, keepdim=True).double() + regions.sum(1).double() - both
    truth = torch.zeros(len(active), num_concepts, dtype=torch.bool, device=active.device)
    truth[:, concepts.to(active.device)] = both / union.clamp_min(1.0) > detector
    return truth


def _above(maps: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
    """Maps minus thresholds, and the units with a place above, int64 ascending.

    After the subtraction the threshold is 0: weighted sums of values that are not positive are not
    positive, whatever the rounding, so that a plateau at the threshold never becomes active.
    """
    above = maps.float() - thresholds.to(maps.device).float()[:, None, None]
    return above, (above > 0).flatten(1).any(1).nonzero().squeeze(1)


def _pieces(units: Tensor, grid: tuple[int, int]) -> list[tuple[int, Tensor]]:
    """The units a few at a time, each time with the position of the first."""
    size = max(1, _PIXELS // (grid[0] * grid[1]))
    return [(start, units[start : start + size]) for start in range(0, len(units), size)]


def _listed(above: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Pixels above 0 of maps [A, h, w] on the grid: positions of map and pixel, int64 [n] each.

    Bilinear interpolation goes along columns first, for all rows of the grid, and along rows only
    where something is above 0.
    """
    down, across = (
        _bilinear(side, to, above.device) for side, to in zip(above.shape[1:], grid, strict=True)
    )
    bands = down @ above
    unit, row = (bands > 0).any(2).nonzero(as_tuple=True)
    line, column = (bands[unit, row] @ across.T > 0).nonzero(as_tuple=True)
    return unit[line], row[line] * grid[1] + column


@lru_cache(maxsize=64)  # the same few for every image
def _bilinear(side: int, to: int, device: torch.device) -> Tensor:
    """Weights [to, side] of bilinear interpolation along one axis, without aligned corners."""
    centre = (torch.arange(to, dtype=torch.float64, device=device) + 0.5) * side / to - 0.5
    # Beyond the outer centres the outer value goes on.
    centre = centre.clamp(0, side - 1)
    places = torch.arange(side, dtype=torch.float64, device=device)
    return (1 - (centre.unsqueeze(1) - places).abs()).clamp_min(0).float()


def _ratios(intersections: Tensor, active: Tensor, areas: Tensor, categories: Tensor) -> Tensor:
    """Sums [U, C], [U, K], [C] to intersections over unions [U, C]."""
    return _shares(intersections, active[:, categories] + areas - intersections)


def _chosen(ratios: Tensor, audited: Tensor) -> Tensor:
    """Best audited concept of each unit, int64 [U]; -1 where it overlaps none."""
    num_concepts = ratios.shape[1]
    if num_concepts == 0:
        return torch.full((len(ratios),), -1, device=ratios.device)
    ratios = ratios * audited.to(ratios.device)
    best = ratios.amax(1, keepdim=True)
    positions = torch.arange(num_concepts, device=ratios.device)
    lowest = torch.where(ratios == best, positions, num_concepts).amin(1)
    return torch.where(best.squeeze(1) > 0, lowest, -1)


def _counts(
    part: tuple[Tensor, Tensor, Tensor], concept: Tensor, categories: Tensor
) -> tuple[Tensor, Tensor]:
    """Intersection and union of each unit with its concept in one fold, [U]; 0 without one."""
    intersections, active, areas = part
    units = (concept >= 0).nonzero().squeeze(1)
    chosen = concept[units]
    both, union = (torch.zeros(len(concept), dtype=torch.float64) for _ in range(2))
    both[units] = intersections[units, chosen]
    union[units] = active[units, categories[chosen]] + areas[chosen] - both[units]
    return both, union


def _shares(both: Tensor, union: Tensor) -> Tensor:
    # Counts are whole: a union below 1 is empty, and so is the intersection.
    return both / union.clamp_min(1.0)


def _jackknife(both: Tensor, union: Tensor, without: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Ratio of sums over folds and its 95 % interval, each [U]; -1 where the union is empty.

    Args:
        both: Intersections [J, U].
        union: Unions [J, U].
        without: The ratio without each fold [J, U].
    """
    value = _shares(both.sum(0), union.sum(0))
    counts = union > 0
    size = counts.sum(0).double()
    mean = (without * counts).sum(0) / size.clamp_min(1.0)
    spread = ((without - mean).square() * counts).sum(0)
    error = ((size - 1).clamp_min(0) / size.clamp_min(1.0) * spread).sqrt()
    quantile = torch.from_numpy(stdtrit((size - 1).clamp_min(1.0).numpy(), 0.975))
    half = torch.where(size >= 2, quantile * error, 1.0)
    ends = (value, (value - half).clamp_min(0), (value + half).clamp_max(1))
    value, low, high = (end.masked_fill(size == 0, -1.0) for end in ends)
    return value, low, high
