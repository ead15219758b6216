"""What a user may write for the filter audit (LaViSE, CVPR 2022, and network dissection)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from auditor.needs import NetworkRole
from auditor.spec.base import Share, SpecModel, Text
from auditor.spec.rule import Severity

Attention = Literal["paper", "release", "activation", "original"]
"""What of an image the explainer sees for a filter. `paper`: each channel's mean, weighted by the
cosine between its map and the filter's; `release`: the mean product of each channel's map with the
filter's map at length 1; `activation`: the places where the filter is active; `original`: the
whole image."""

Denominator = Literal["original", "lite"]
"""Which active pixels an intersection over union counts: those of images in which the concept's
category is annotated anywhere (Bau et al., CVPR 2017), or under the filter's active pixels
(NetDissect-Lite)."""


class ThresholdSpec(SpecModel):
    """T_u: above it a place counts as active."""

    share: float = Field(default=0.005, gt=0.0, lt=1.0)
    """Share of all places of all images in which a filter is active."""
    capacity: int = Field(default=32_768, ge=64)
    """Largest values kept per filter: T_u is exact as long as they suffice, and beyond that taken
    from a random part of the places, with a stated bound on its rank."""


class DissectionSpec(SpecModel):
    """Intersection over union of filters with annotated concepts."""

    mask_size: int | None = Field(default=None, ge=8, le=1024)
    """Short side of the grid on which maps and regions are compared; by default half the side of
    the network's input, at least 48 (112 for 224)."""
    denominator: Denominator = "original"
    """Which active pixels count."""
    detector: Share = 0.04
    """A filter detects a concept above this intersection over union."""
    min_images: int = Field(default=10, ge=1)
    """Photos in which a concept must be annotated to be audited."""


class ExplainerSpec(SpecModel):
    """The network that maps masked features to a direction among words (LaViSE's explainer)."""

    loss: Literal["hinge", "cosine", "softmax"] = "hinge"
    """`hinge`: rank loss against all other concepts (the paper's); `cosine`: 1 - cosine with the
    concept; `softmax`: cross entropy over concepts, with temperature 0.1."""
    margin: float = Field(default=1.0, gt=0.0)
    """Margin of the rank loss."""
    masks: Literal["area", "nearest"] = "area"
    """How a region becomes a mask of the layer's map: the share of each place that it covers, or
    the nearest pixel (the release's choice)."""
    scale: Literal["unit", "none"] = "unit"
    """`unit` gives features length 1 before they enter; `none` leaves their length as it is."""
    num_hidden: int | None = Field(default=None, ge=1)
    """Hidden units; as many as the layer has channels by default."""
    epochs: int = Field(default=60, ge=1, le=10_000)
    """Passes over the regions, at most."""
    patience: int = Field(default=8, ge=1)
    """Passes without a better loss on held-out images after which training ends."""
    batch_size: int = Field(default=128, ge=1)
    """Regions per step."""
    learning_rate: float = Field(default=1e-3, gt=0.0, le=1.0)
    """Learning rate of Adam."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of inputs dropped before each linear layer."""
    folds: int = Field(default=5, ge=2, le=20)
    """Parts of the images, and of the concepts: for each, an explainer is fitted without them, and
    measured on them."""
    max_regions: int = Field(default=200_000, ge=100)
    """Regions to learn from, at most; a random part beyond that."""


class NamingSpec(SpecModel):
    """How a filter's images become its words."""

    attention: Attention = "paper"
    """What of an image the explainer sees."""
    images: int = Field(default=25, ge=1, le=1000)
    """Most activating images per filter."""
    words_per_image: int = Field(default=5, ge=1, le=100)
    """Words that each image votes for."""
    words: int = Field(default=10, ge=1, le=100)
    """Words per filter."""
    votes: Literal["plain", "activation"] = "plain"
    """`plain`: one vote per image and word; `activation`: as many as the whole part of the image's
    largest activation (the release's count)."""
    evaluated: int = Field(default=64, ge=1)
    """Filters, chosen at random, on which ways of masking are compared."""
    alpha: float = Field(default=0.05, gt=0.0, lt=0.5)
    """A filter has a name only where its votes differ from those for shuffled activations at this
    level, after Benjamini-Hochberg over filters."""
    draws: int = Field(default=999, ge=99, le=100_000)
    """Draws of the null."""


class CardsSpec(SpecModel):
    """Filters that are shown with pictures."""

    filters: int = Field(default=12, ge=0, le=500)
    """Filters, the most distinctly named first."""
    images: int = Field(default=6, ge=1, le=25)
    """Most activating images of each."""


class FiltersSpec(SpecModel):
    """Names what each filter of a layer looks at, in words and by annotated concepts."""

    kind: Literal["filters"]
    """Kind of audit."""
    title: Text = "What the filters look at"
    """Title of the report section."""
    split: str = "test"
    """Split whose images and regions are used."""
    inspect: NetworkRole = "model"
    """Whose filters: the model's or those of the extractor's network."""
    layer: str | None = None
    """Module path of the layer; for the extractor, its own layer by default. Units without places,
    such as those of a linear layer, are looked at through the layer that `start` names."""
    start: str | None = None
    """Spatial layer through which units without places are looked at, such as the last convolution;
    for the extractor's own layer, its `heatmap_layer` by default."""
    threshold: ThresholdSpec = ThresholdSpec()
    """When a place counts as active."""
    dissection: DissectionSpec = DissectionSpec()
    """Intersection over union with annotated concepts."""
    explainer: ExplainerSpec | None = ExplainerSpec()
    """The network that finds words; null compares with annotated concepts alone, without words."""
    naming: NamingSpec = NamingSpec()
    """How a filter's images become its words."""
    unwanted: tuple[str, ...] = ()
    """Concepts that no filter should detect, such as a watermark."""
    expected: tuple[str, ...] = ()
    """Concepts that some filter should detect."""
    severity: Severity = "warning"
    """How much a filter for an unwanted concept, or the lack of an expected one, weighs."""
    cards: CardsSpec = CardsSpec()
    """Filters that are shown with pictures."""
