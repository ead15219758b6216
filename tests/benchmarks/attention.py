"""What 512 filters attend to in their 25 most activating images, against attended maps.

The plain way makes, per filter, the attended map of each channel in its 25 images at once, and
averages it over places. Ours takes the images one after the other, each for all filters that chose
it. Two layouts: every filter's images are drawn from 1,000, and all filters chose the same 25.
One thread each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from auditor.measure.attention import Attention, attended

NUM_FILTERS = 512
NUM_CHOSEN = 25
SIDES = (7, 13)
POOLS = (1000, 25)
ATTENTIONS: tuple[Attention, ...] = ("paper", "release")
REPEATS = 3

Attend = Callable[[Tensor, Tensor, Attention], Tensor]


def layer(num_images: int, side: int) -> Iterator[Tensor]:
    """Maps of a layer after a ReLU [512, h, w], one image after the other."""
    generator = torch.Generator().manual_seed(side)
    for _ in range(num_images):
        yield torch.randn(NUM_FILTERS, side, side, generator=generator).relu_()


def ours(images: Tensor, chosen: Tensor, attention: Attention) -> Tensor:
    """Features [U, p, d] by images: one matrix product for all filters that chose it."""
    order = chosen.flatten().argsort(stable=True)
    counts = chosen.flatten().bincount(minlength=len(images)).tolist()
    units = torch.split(order // NUM_CHOSEN, counts)
    parts = [attended(i[u], i, attention) for i, u in zip(images, units, strict=True) if len(u)]
    features = torch.empty(len(order), NUM_FILTERS)
    features[order] = torch.cat(parts)
    return features.view(*chosen.shape, NUM_FILTERS)


def materialised(images: Tensor, chosen: Tensor, attention: Attention) -> Tensor:
    """Features [U, p, d] by filters: attended maps of 25 images at a time, and their means."""
    rows = []
    for unit, of_unit in enumerate(chosen):
        channels = images[of_unit]
        maps = channels[:, unit : unit + 1]
        product = maps * channels
        lengths = maps.square().sum((2, 3), keepdim=True).sqrt()
        if attention == "paper":
            own = channels.square().sum((2, 3), keepdim=True).sqrt()
            cosines = product.sum((2, 3), keepdim=True) / (lengths * own)
            rows.append((cosines * channels).mean((2, 3)))
        else:
            rows.append((product / lengths).mean((2, 3)))
    return torch.stack(rows)


def best_times(images: Tensor, chosen: Tensor, attention: Attention) -> tuple[float, float]:
    """Shortest of some alternating repeats of each side, in seconds."""
    times: dict[Attend, list[float]] = {ours: [], materialised: []}
    for _ in range(REPEATS):
        for attend, seconds in times.items():
            started = time.perf_counter()
            attend(images, chosen, attention)
            seconds.append(time.perf_counter() - started)
    return min(times[ours]), min(times[materialised])


def row(side: int, num_images: int, attention: Attention) -> dict[str, object]:
    """One line of the benchmark."""
    images = torch.stack(list(layer(num_images, side)))
    generator = torch.Generator().manual_seed(0)
    orders = (torch.randperm(num_images, generator=generator) for _ in range(NUM_FILTERS))
    chosen = torch.stack([order[:NUM_CHOSEN] for order in orders])
    difference = ours(images, chosen, attention) - materialised(images, chosen, attention)
    own, other = best_times(images, chosen, attention)
    what = f"{NUM_FILTERS} filters x {NUM_CHOSEN} of {num_images} images, {side} x {side}"
    return {
        "name": f"{attention} attention, {what}",
        "ratio": round(other / own, 2),
        "ours_s": round(own, 4),
        "other_s": round(other, 3),
        "max_abs_diff": difference.abs().max().item(),
        "num_threads": torch.get_num_threads(),
    }


def main() -> None:
    """Print one JSON line per row."""
    torch.set_num_threads(1)
    for side in SIDES:
        for num_images in POOLS:
            for attention in ATTENTIONS:
                print(json.dumps(row(side, num_images, attention)), flush=True)


if __name__ == "__main__":
    main()
