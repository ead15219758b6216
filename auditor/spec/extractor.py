"""Extractors: where the features come from that failures are explained by. `source` tells the kind.

Any model of the spec can be an extractor: it then names the layer whose units are the features.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from auditor.spec.base import Identifier, SpecModel, Text
from auditor.spec.model import (
    BuiltinModel,
    ExportedModel,
    PythonModel,
    TorchScriptModel,
    TorchvisionModel,
    TrainedModel,
)

Pool = Literal["mean", "max"]
"""How a map of a convolutional layer becomes one number per channel."""


class LayerFeatures(SpecModel):
    """Which units of a network are the features."""

    layer: str
    """Module path of the layer whose units are the features, such as `relu4`; one feature per
    channel of a convolutional layer, one per unit of any other."""
    pool: Pool = "mean"
    """How the map of a channel becomes one number."""
    heatmap_layer: str | None = None
    """Convolutional layer that heat maps are made from where `layer` has no places; by default
    the last one that runs before `layer`."""


class BuiltinExtractor(BuiltinModel, LayerFeatures):
    """A small network that ships with the package, with local weights."""


class TorchvisionExtractor(TorchvisionModel, LayerFeatures):
    """An architecture from torchvision with a local state dict, such as a robust checkpoint."""


class TorchScriptExtractor(TorchScriptModel, LayerFeatures):
    """A TorchScript archive: `--allow-code`."""


class ExportedExtractor(ExportedModel, LayerFeatures):
    """A `torch.export` archive: `--allow-code`."""


class PythonExtractor(PythonModel, LayerFeatures):
    """A function in a Python file: `--allow-code`."""


class TrainedExtractor(TrainedModel, LayerFeatures):
    """A network fitted once from a recipe in the spec, usually one with an adversary."""

    evaluate: str | None = "test"
    """Split on which clean and robust accuracy are measured after fitting; null measures none."""


class InspectedExtractor(LayerFeatures):
    """The inspected model's own units, for comparison with those of a robust network."""

    source: Literal["model"]
    """Kind of extractor."""
    title: Text = ""
    """The extractor as the report names it."""


class FeaturesExtractor(SpecModel):
    """Features that were computed elsewhere: one table per split, one row per image."""

    source: Literal["features"]
    """Kind of extractor."""
    title: Text = ""
    """The extractor as the report names it."""
    files: dict[Identifier, str]
    """Split -> table of numbers, `.npy` [N, F] or Parquet with one column per feature, in the row
    order of the dataset."""
    names: tuple[Text, ...] | None = None
    """What each feature shows, in the order of the columns; Parquet columns name themselves."""


ExtractorSpec = Annotated[
    BuiltinExtractor
    | TorchvisionExtractor
    | TorchScriptExtractor
    | ExportedExtractor
    | PythonExtractor
    | TrainedExtractor
    | InspectedExtractor
    | FeaturesExtractor,
    Field(discriminator="source"),
]
