"""What the engine feeds and what an audit's computation offers: the border between the two.

The engine owns the loop. For each batch it asks a fold for the state of that batch alone, and it
merges states in the order of batches and shards. A fold never sees a dataset or a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from auditor.needs import Output


@dataclass(frozen=True)
class Batch:
    """Some images and what a scan computed for them. Padding never occurs: B varies instead.

    Attributes:
        ids: Sample ids, length B.
        pixels: uint8 [B, 3, H, W], after resize and crop, before normalisation.
        attributes: float32 [B, A], +1 present, -1 absent, 0 unknown; the spec's attribute order.
        labels: int64 [B] class indices, -1 unknown; None where the dataset has no classes.
        outputs: The requested quantities, on the device of the scan.
    """

    ids: tuple[str, ...]
    pixels: torch.Tensor
    attributes: torch.Tensor
    labels: torch.Tensor | None
    outputs: Mapping[Output, torch.Tensor]


class Measurement(Protocol):
    """One fold at work: a pure function from batches to mergeable states (see measure.state)."""

    def measure(self, batch: Batch) -> Any:
        """The state of this batch alone."""
        ...

    def enough(self, state: Any) -> bool:
        """Whether a sequential fold may stop at this state, merged from a prefix of the shards."""
        ...
