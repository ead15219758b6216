"""What the engine feeds and what an audit's computation offers: the border between the two.

The engine owns the loop. For each batch it asks a fold for the state of that batch alone, and it
merges states in the order of batches and shards. A fold never sees a dataset or a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from auditor.needs import NetworkRole, Output


@dataclass(frozen=True)
class Masks:
    """Annotated regions of the images of a batch, on one grid over the network's input.

    Every region that the annotation of a photo lists is here, also where resize and crop left
    nothing of it: its mask is then empty.

    Attributes:
        annotated: bool [B], whether the image has an annotation that could be read.
        image: int64 [P], position in the batch, ascending.
        concept: int64 [P], position in `Context.concepts`, at most once per image.
        masks: bool [P, h, w].
    """

    annotated: torch.Tensor
    image: torch.Tensor
    concept: torch.Tensor
    masks: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """Some images and what a scan computed for them. Padding never occurs: B varies instead.

    Attributes:
        ids: Sample ids, length B.
        rows: int64 [B], positions in the split, in file order.
        pixels: uint8 [B, 3, H, W] per network that the scan computes, after that network's resize
            and crop, before its normalisation.
        attributes: float32 [B, A], +1 present, -1 absent, 0 unknown; the spec's attribute order.
        labels: int64 [B] class indices, -1 unknown; None where the dataset has no classes.
        predictions: int64 [B] class indices from the dataset's prediction column, -1 unknown; None
            where the model is a network.
        columns: Name of a group column to int64 [B], positions in `Context.columns`, -1 unknown.
        outputs: The requested quantities, on the device of the scan.
        masks: Annotated regions for each output of the kind `masks`, on the CPU.
    """

    ids: tuple[str, ...]
    rows: torch.Tensor
    pixels: Mapping[NetworkRole, torch.Tensor]
    attributes: torch.Tensor
    labels: torch.Tensor | None
    predictions: torch.Tensor | None
    columns: Mapping[str, torch.Tensor]
    outputs: Mapping[Output, torch.Tensor]
    masks: Mapping[Output, Masks] = field(default_factory=dict)


class Lens(Protocol):
    """A network at hand during a visit, in evaluation mode with frozen parameters."""

    @property
    def module(self) -> nn.Module:
        """The network; it maps prepared images to logits [B, C]."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    def prepare(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 [B, 3, H, W] to the network's input on its device."""
        ...

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """Float images [B, 3, H, W] in [0, 1], on its device, to its input; differentiable."""
        ...


@dataclass(frozen=True)
class Visited:
    """The readable images among the rows that a solve chose.

    Attributes:
        rows: int64 [R], positions in the split, ascending.
        ids: Their sample ids.
        pixels: uint8 [R, 3, H, W], after the resize and crop of the network at hand.
        lens: The network at hand; None where the visit asked for none.
    """

    rows: torch.Tensor
    ids: tuple[str, ...]
    pixels: torch.Tensor
    lens: Lens | None


class Measurement(Protocol):
    """One fold at work: a pure function from batches to mergeable states (see measure.state)."""

    def measure(self, batch: Batch) -> Any:
        """The state of this batch alone."""
        ...

    def enough(self, state: Any) -> bool:
        """Whether a sequential fold may stop at this state, merged from a prefix of the shards."""
        ...
