"""Stock of the procedural portraits: nothing lies on disk, the spec says everything."""

from __future__ import annotations

from collections.abc import Collection

from auditor.context import Concept
from auditor.inventory.stock import ColumnInventory, DatasetInventory, SplitInventory
from auditor.inventory.values import known_values
from auditor.results.base import digest_of
from auditor.spec.dataset import PortraitsDataset, PortraitsSplit
from auditor.spec.portraits import ATTRIBUTES, GROUPS, PARTS

GENERATOR_VERSION = 1
"""Raised when the same seed and index would draw another picture."""

PART_CONCEPTS = tuple(Concept(part) for part in PARTS)
"""What the masks of portraits show."""


def take_portraits(spec: PortraitsDataset, look_into: Collection[str]) -> DatasetInventory:
    """Stock of a portraits dataset.

    A split's digest covers the seed, the size, the range of indices, the planted pairs, the
    interventions and the version of the generator: together they decide every pixel.
    """
    looked = {name: _column(name, spec) for name in look_into if name in (*ATTRIBUTES, *GROUPS)}
    splits = {
        name: SplitInventory(split.count, 0, _digest(spec, split), looked)
        for name, split in spec.splits.items()
    }
    return DatasetInventory(splits, (*ATTRIBUTES, *GROUPS), spec.classes, PART_CONCEPTS)


def _digest(spec: PortraitsDataset, split: PortraitsSplit) -> str:
    return digest_of(
        {
            "source": "portraits",
            "generator": GENERATOR_VERSION,
            "seed": spec.seed,
            "size": spec.size,
            "interventions": spec.interventions,
            "split": split.model_dump(mode="json"),
        }
    )


def _column(name: str, spec: PortraitsDataset) -> ColumnInventory:
    if name in GROUPS:
        return ColumnInventory(len(GROUPS[name]), values=known_values(GROUPS[name]))
    present = (spec.interventions[name],) if name in spec.interventions else (False, True)
    low, high = float(min(present)), float(max(present))
    return ColumnInventory(len(present), low, high, known_values(present))
