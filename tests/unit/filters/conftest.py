"""Scans of the filter audit made by hand: maps, channels and annotated regions that are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from auditor.audits.filters.folds import Levels, Regions
from auditor.audits.filters.needs import channels_output, maps_output, masks_output
from auditor.audits.filters.selecting import selected_state
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.states import LevelsState, RegionsState, SelectedState
from auditor.context import Concept, Context
from auditor.measure.fold import Batch, Masks
from auditor.measure.state import merge_all


@dataclass(frozen=True)
class Reference:
    """Images with known maps and regions.

    Attributes:
        maps: float32 [N, U, h, w].
        channels: float32 [N, d, h, w]; the maps themselves for a spatial layer.
        annotated: bool [N].
        regions: Concept and mask of each region, per image.
    """

    maps: Tensor
    channels: Tensor
    annotated: Tensor
    regions: Sequence[Sequence[tuple[int, Tensor]]]

    def batch(self, spec: FiltersSpec, context: Context, rows: Sequence[int], grid: int) -> Batch:
        """The images of some rows as a scan would hand them over."""
        found = [(i, *region) for i, row in enumerate(rows) for region in self.regions[row]]
        masks = [mask for _, _, mask in found]
        regions = Masks(
            annotated=self.annotated[list(rows)],
            image=torch.tensor([i for i, _, _ in found], dtype=torch.int64),
            concept=torch.tensor([concept for _, concept, _ in found], dtype=torch.int64),
            masks=torch.stack(masks) if masks else torch.zeros(0, grid, grid, dtype=torch.bool),
        )
        return Batch(
            ids=tuple(f"image {row}" for row in rows),
            rows=torch.tensor(rows),
            pixels={},
            attributes=torch.zeros(len(rows), 0),
            labels=None,
            predictions=None,
            columns={},
            outputs={
                channels_output(spec, context): self.channels[list(rows)],
                maps_output(spec, context): self.maps[list(rows)],
            },
            masks={masks_output(spec): regions},
        )


@dataclass(frozen=True)
class Measured:
    """States of a whole scan."""

    levels: LevelsState
    selected: SelectedState
    regions: RegionsState


@pytest.fixture
def make_spec() -> Callable[..., FiltersSpec]:
    """A spec that looks at layer `conv`, and whatever is changed of it."""

    def make(**changes: Any) -> FiltersSpec:
        fields: dict[str, Any] = {
            "kind": "filters",
            "layer": "conv",
            "threshold": {"share": 0.05},
            "naming": {"images": 5, "evaluated": 3},
        }
        return FiltersSpec.model_validate({**fields, **changes})

    return make


@pytest.fixture
def make_context() -> Callable[..., Context]:
    """A context of three concepts, two of which are objects."""

    def make(**changes: Any) -> Context:
        fields: dict[str, Any] = {
            "audit": "filters",
            "attributes": (),
            "rules": (),
            "relations": (),
            "head": "multi_class",
            "num_available": {"test": 40},
            "seed": 5,
            "concepts": (
                Concept("disc", "object"),
                Concept("red", "colour"),
                Concept("ring", "object"),
            ),
        }
        return Context(**{**fields, **changes})

    return make


@pytest.fixture
def reference() -> Reference:
    """Forty images of 7 × 9 places with 16 × 16 masks: unit 0 is where `disc` is, unit 1 is dead.

    Image 3 is not annotated, image 4 is annotated with nothing, the crop left nothing of the
    region of image 5.
    """
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(40, 6, 7, 9, generator=generator)
    maps[:, 1] = 0.0
    regions: list[list[tuple[int, Tensor]]] = []
    for _ in range(40):
        masks = torch.zeros(3, 16, 16, dtype=torch.bool)
        for concept in range(3):
            top, left = torch.randint(0, 9, (2,), generator=generator).tolist()
            masks[concept, top : top + 6, left : left + 6] = True
        listed = torch.rand(3, generator=generator) < 0.6
        regions.append([(c, masks[c]) for c in range(3) if listed[c]])
    regions[3], regions[4] = [], []
    regions[5] = [(1, torch.zeros(16, 16, dtype=torch.bool))]
    annotated = torch.ones(40, dtype=torch.bool)
    annotated[3] = False
    return Reference(maps, maps, annotated, regions)


@pytest.fixture
def measured() -> Callable[..., Measured]:
    """All states of a reference set, its rows read in batches of one size."""

    def run(
        spec: FiltersSpec,
        context: Context,
        reference: Reference,
        *,
        batch_size: int = 40,
        rows: Sequence[int] | None = None,
        grid: int = 16,
    ) -> Measured:
        order = list(range(len(reference.maps))) if rows is None else list(rows)
        cut = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        batches = [reference.batch(spec, context, part, grid) for part in cut]
        levels = merge_all([Levels(spec, context).measure(batch) for batch in batches])
        selected = selected_state(spec, context, levels)
        fold = Regions(spec, context, selected)
        return Measured(levels, selected, merge_all([fold.measure(batch) for batch in batches]))

    return run
