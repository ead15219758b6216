"""Overlap of units with concepts, against a loop over units, images and concepts.

Masks are rectangles of random size, about eight of 200 concepts an image; maps have 7 x 7 places
and are smooth, so that active places lie side by side, as in a network; T_u is that of 0.5 % of
all places. The loop comes in two forms: for every unit and image, as the definition reads, and
only for those with a place above T_u, as NetDissect-Lite does it.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from auditor.measure.dissection import Totals, best_concepts, iou, overlap
from auditor.measure.quantiles import sampling, thresholds, top_values

NUM_UNITS = 512
NUM_CONCEPTS = 200
NUM_IMAGES = 1000
LOOP_IMAGES = 20
PRESENT = 8
SIDE = 7
GRID = 112
SHARE = 0.005
FOLDS = 10
BATCH = 50


class Image(NamedTuple):
    """Maps [U, h, w], present concepts [P] and their masks [P, g, g]."""

    maps: Tensor
    concepts: Tensor
    masks: Tensor


def batch(number: int) -> tuple[Tensor, list[Image]]:
    """Maps [B, U, h, w] of some images, and the images; the same for the same number."""
    generator = torch.Generator().manual_seed(number)
    noise = torch.randn(BATCH, NUM_UNITS, SIDE + 1, SIDE + 1, generator=generator)
    maps = avg_pool2d(noise, 2, stride=1).relu()
    return maps, [annotated(each, generator) for each in maps]


def annotated(maps: Tensor, generator: torch.Generator) -> Image:
    """An image with rectangles."""
    num_present = int(torch.randint(PRESENT // 2, 2 * PRESENT - 3, (1,), generator=generator))
    concepts = torch.randperm(NUM_CONCEPTS, generator=generator)[:num_present]
    masks = torch.zeros(num_present, GRID, GRID, dtype=torch.bool)
    for mask in masks:
        top, left = torch.randint(0, GRID - 8, (2,), generator=generator).tolist()
        height, width = torch.randint(8, GRID, (2,), generator=generator).tolist()
        mask[top : top + height, left : left + width] = True
    return Image(maps, concepts, masks)


def loop(images: list[Image], levels: Tensor, *, skip: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Intersections [U, C], active pixels [U] and areas [C], one unit of one image at a time."""
    both = torch.zeros(NUM_UNITS, NUM_CONCEPTS, dtype=torch.float64)
    active = torch.zeros(NUM_UNITS, dtype=torch.float64)
    areas = torch.zeros(NUM_CONCEPTS, dtype=torch.float64)
    for maps, concepts, masks in images:
        present = list(zip(concepts.tolist(), masks, strict=True))
        for concept, mask in present:
            areas[concept] += int(mask.sum())
        for unit, level in enumerate(levels):
            if skip and not bool(maps[unit].max() > level):
                continue
            whole = interpolate(maps[unit][None, None], (GRID, GRID), mode="bilinear")[0, 0]
            pixels = whole > level
            active[unit] += int(pixels.sum())
            for concept, mask in present:
                both[unit, concept] += int((pixels & mask).sum())
    return both, active, areas


def levels_of(numbers: range) -> Tensor:
    """T_u over the images of some batches [U]."""
    plan = sampling(len(numbers) * BATCH * SIDE * SIDE, SHARE, 32_768)
    values = torch.full((NUM_UNITS, 0), -torch.inf)
    num_places = 0
    for number in numbers:
        found, seen = top_values(batch(number)[0], torch.arange(BATCH), plan, seed=0)
        values = torch.cat([values, found], 1).topk(plan.kept, 1).values
        num_places += seen
    return thresholds(values, num_places, SHARE)


def against_loops(levels: Tensor) -> Iterator[dict[str, object]]:
    """One row per form of the loop."""
    images = batch(0)[1][:LOOP_IMAGES]
    pool = torch.zeros(NUM_CONCEPTS, dtype=torch.int64)
    own = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        totals = Totals(1, NUM_UNITS, NUM_CONCEPTS, 1)
        for image in images:
            totals.add(0, overlap(image.maps, levels, image.concepts, image.masks, pool))
        ours = iou(totals.intersections, totals.active_original, totals.areas, pool)
        own = min(own, time.perf_counter() - started)
    for name, skip in (("every unit and image", False), ("units above T_u", True)):
        started = time.perf_counter()
        both, active, areas = loop(images, levels, skip=skip)
        union = active[:, None] + areas - both
        other = time.perf_counter() - started
        yield {
            "name": f"IoU against a loop over {name}, {LOOP_IMAGES} images",
            "ratio": round(other / own, 1),
            "ours_s": round(own, 4),
            "other_s": round(other, 3),
            "max_abs_diff": (ours - both / union.clamp_min(1)).abs().max().item(),
            "pixels_apart": int((totals.intersections[0] - both).abs().sum()),
            "num_threads": torch.get_num_threads(),
        }


def whole(levels: Tensor) -> dict[str, object]:
    """Time and memory of all images, without that of drawing them."""
    pool = torch.zeros(NUM_CONCEPTS, dtype=torch.int64)
    batch(0)
    before, counted, num_active = peak_mb(), 0.0, 0
    started = time.perf_counter()
    totals = Totals(FOLDS, NUM_UNITS, NUM_CONCEPTS, 1)
    counted += time.perf_counter() - started
    for number in range(NUM_IMAGES // BATCH):
        _, images = batch(number)
        started = time.perf_counter()
        for position, image in enumerate(images):
            found = overlap(image.maps, levels, image.concepts, image.masks, pool)
            totals.add(position % FOLDS, found)
            num_active += len(found.units)
        counted += time.perf_counter() - started
    started = time.perf_counter()
    audited = totals.images.sum(0) >= 10
    best = best_concepts(totals.intersections, totals.active_original, totals.areas, pool, audited)
    chosen = time.perf_counter() - started
    return {
        "name": f"{NUM_UNITS} units x {NUM_CONCEPTS} concepts x {NUM_IMAGES} images of {GRID}²",
        "counts_s": round(counted, 2),
        "best_concepts_s": round(chosen, 2),
        "active_units_per_image": round(num_active / NUM_IMAGES, 1),
        "concepts_per_image": round(int(totals.images.sum()) / NUM_IMAGES, 1),
        "peak_mb_beyond_images": round(peak_mb() - before, 1),
        "largest_iou": round(float(best.iou.max()), 4),
        "largest_held_out": round(float(best.held_out.max()), 4),
        "num_threads": torch.get_num_threads(),
    }


def peak_mb() -> float:
    """Largest resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print one JSON line per row."""
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    levels = levels_of(range(NUM_IMAGES // BATCH))
    print(json.dumps(whole(levels)), flush=True)
    for measured in against_loops(levels):
        print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
