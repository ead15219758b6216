"""`make study`, part filters: how many filters get a name where nothing was learnt?

The last convolution of `portraits_net` (64 filters) with random weights, two networks, looks at
1,000 portraits with their exact masks and the everyday vocabulary. Everything between the maps and
the names goes through the audit's own folds and solve; only fits that naming does not use are left
out (2 folds, one evaluated filter).

as they are             random filters still respond to colours and edges, so names may be right
images shuffled         each filter's maps belong to other images: what it looks at is gone, where
                        in the picture it is active is not
images, places shuffled nothing is left but how active it is: the null itself, at most 10 of 100
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import torch
from torch import Tensor

from auditor.adapters.datasets.portraits.batch import Portraits, portraits
from auditor.adapters.models.networks import build_network
from auditor.adapters.vocabularies.everyday import open_everyday
from auditor.audits.filters.compute import solve
from auditor.audits.filters.folds import Levels, Regions
from auditor.audits.filters.naming import adjusted
from auditor.audits.filters.needs import channels_output, maps_output, masks_output
from auditor.audits.filters.selecting import selected_state
from auditor.audits.filters.spec import ExplainerSpec, FiltersSpec, NamingSpec
from auditor.audits.filters.states import ExplainedState
from auditor.context import Context, Words
from auditor.inventory.portraits import PART_CONCEPTS
from auditor.measure.fold import Batch, Masks
from auditor.measure.state import merge_all

NUM_IMAGES = 1000
AT_ONCE = 250
NETWORKS = (0, 1)
TARGET = 0.1
SETTINGS = ("as they are", "images shuffled", "images, places shuffled")
SPEC = FiltersSpec(
    kind="filters",
    layer="filters",
    start="features.7",
    explainer=ExplainerSpec(folds=2),
    naming=NamingSpec(evaluated=1),
)
"""Maps and channels have names of their own, so that the first can be shuffled by themselves."""
CONTEXT = Context(
    audit="filters",
    attributes=(),
    rules=(),
    relations=(),
    head="multi_label",
    num_available={"test": NUM_IMAGES},
    seed=0,
    concepts=PART_CONCEPTS,
    words=Words(title="the everyday vocabulary", made=True, concepts={}),
)


def channels_of(images: Tensor, seed: int) -> Tensor:
    """Maps [N, 64, 6, 6] of a network that was never fitted."""
    torch.manual_seed(seed)
    network = build_network("portraits_net", num_outputs=20).eval()
    features = network.get_submodule("features")
    assert isinstance(features, torch.nn.Sequential)
    with torch.no_grad():
        found: Tensor = features[:8]((images / 255.0 - 0.5) / 0.25)
    return found


def shuffled(channels: Tensor, setting: str) -> Tensor:
    """The maps as filters have them in one setting."""
    generator = torch.Generator().manual_seed(0)
    maps = channels.clone()
    if setting != "as they are":
        for unit in range(maps.shape[1]):
            maps[:, unit] = maps[torch.randperm(len(maps), generator=generator), unit]
    if setting == "images, places shuffled":
        places = torch.rand(maps.flatten(2).shape, generator=generator).argsort(2)
        maps = maps.flatten(2).gather(2, places).view_as(maps)
    return maps


def batches(drawn: Portraits, channels: Tensor, maps: Tensor) -> Iterator[Batch]:
    """Images as a scan hands them over."""
    assert drawn.masks is not None
    for rows in torch.split(torch.arange(NUM_IMAGES), AT_ONCE):
        masks = drawn.masks[rows]
        image, concept = masks.flatten(2).any(2).nonzero().unbind(1)
        regions = Masks(torch.ones(len(rows), dtype=torch.bool), image, concept,
                        masks[image, concept])  # fmt: skip
        yield Batch(
            ids=tuple(str(row) for row in rows.tolist()),
            rows=rows,
            pixels={},
            attributes=torch.zeros(len(rows), 0),
            labels=None,
            predictions=None,
            columns={},
            outputs={
                channels_output(SPEC, CONTEXT): channels[rows],
                maps_output(SPEC, CONTEXT): maps[rows],
            },
            masks={masks_output(SPEC): regions},
        )


def named(drawn: Portraits, channels: Tensor, maps: Tensor) -> tuple[int, int]:
    """Filters with a name, and filters that are active at all."""
    every = list(batches(drawn, channels, maps))
    levels = Levels(SPEC, CONTEXT)
    selected = selected_state(SPEC, CONTEXT, merge_all([levels.measure(each) for each in every]))
    looking = Regions(SPEC, CONTEXT, selected)
    states = {
        "selected": selected,
        "regions": merge_all([looking.measure(each) for each in every]),
        "vocabulary": open_everyday(),
    }
    explained = solve(SPEC, CONTEXT, "explained", states)
    assert isinstance(explained, ExplainedState)
    tested = selected.alive & (explained.statistic >= 0)
    corrected = [p for p in adjusted(explained.p_values, tested) if p is not None]
    return sum(p <= SPEC.naming.alpha for p in corrected), len(corrected)


def main() -> None:
    """Print one JSON line per setting."""
    drawn = portraits(0, torch.arange(NUM_IMAGES), with_masks=True)
    looks = [channels_of(drawn.images, seed) for seed in NETWORKS]
    for setting in SETTINGS:
        counts = [named(drawn, channels, shuffled(channels, setting)) for channels in looks]
        names, filters = (sum(column) for column in zip(*counts, strict=True))
        row = {
            "part": "untrained filters",
            "setting": setting,
            "filters": filters,
            "named": names,
            "share": round(names / filters, 3),
        }
        if setting == SETTINGS[-1]:
            row |= {"target": TARGET, "met": names <= TARGET * filters}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
