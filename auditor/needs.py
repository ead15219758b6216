"""What an audit may ask for, without saying how it is run.

An audit's `needs.py` turns its spec into folds and solves; the planner shares, orders and places
them; the engine feeds them. These are plain frozen values: they print, hash and go to JSON.

    Source   rows to read                     a split of the dataset under a view
    Output   what is computed per batch       logits, activation(layer), jacobian(layer, outputs),
                                              features, evidence(layer), masks
    Fold     a mergeable state over a source  update per batch, merge per shard
    Solve    states in, result out            no data pass
    Visit    a few rows that a solve chose    looked at with a network at hand
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

NetworkRole = Literal["model", "extractor"]
"""Which network of the spec: the one under audit, or the one whose units are the features."""


class Need(BaseModel):
    """Base of the vocabulary: frozen, hashable where its fields are, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class View(Need):
    """How a split is looked at."""

    kind: Literal["clean", "intervention"] = "clean"
    """`clean`: as stored. `intervention`: redrawn under do(attribute = value)."""
    interventions: tuple[tuple[str, bool], ...] = ()
    """Attribute and value, sorted; only for `intervention`."""


class Source(Need):
    """Rows to read. Rows come in an order shuffled by sample id, so any prefix is a fair sample."""

    split: str
    """Name of the split."""
    view: View = View()
    """How the split is looked at."""


class Output(Need):
    """A quantity of one network for each image of a batch."""

    kind: Literal["logits", "activation", "jacobian", "features", "evidence", "masks"]
    """`logits` [B, C]; `activation` [B, *L]; `jacobian` [B, len(outputs), *L]; `features` [B, F],
    one number per channel or unit; `evidence` [B, F, h, w], where each unit of `layer` finds its
    evidence at the places of `start`; `masks`, the annotated regions as that network sees the
    image, in `Batch.masks`."""
    network: NetworkRole = "model"
    """Which network of the spec."""
    layer: str | None = None
    """Module path; the module's output. None for logits, and for features that come from a file."""
    outputs: tuple[int, ...] = ()
    """Which logits are differentiated, for `jacobian`."""
    pool: Literal["mean", "max"] | None = None
    """How the map of a channel becomes one number, for `features` of a network."""
    start: str | None = None
    """Module path of the spatial layer whose places count, for `evidence`."""
    size: int | None = None
    """Short side of the grid that regions are sampled on, for `masks`; None for the side of the
    network's input."""

    @property
    def computed(self) -> bool:
        """Whether a network computes it, from an image as that network gets it."""
        return self.kind != "masks" and not self.from_file

    @property
    def from_file(self) -> bool:
        """Whether it is read from a table instead of computed: no image is decoded for it."""
        return self.kind == "features" and self.layer is None


class Fold(Need):
    """A mergeable state of one audit over one source."""

    audit: str
    """Id of the audit."""
    name: str
    """Name of the fold, unique inside the audit."""
    source: Source
    """The rows it runs over."""
    outputs: tuple[Output, ...] = ()
    """What it consumes, besides ids, labels and attributes, which every batch carries."""
    params: JsonValue = None
    """Everything of the audit's spec that the state depends on; part of the state's key."""
    after: tuple[str, ...] = ()
    """Names of solves of the same audit whose state it starts from."""
    sequential: bool = False
    """May stop after any shard, once its state says that it has seen enough."""
    max_rows: int | None = None
    """Reads at most this many rows of the shuffled source."""


class Solve(Need):
    """A step without data: states of folds (and earlier solves) in, a state or the result out."""

    audit: str
    """Id of the audit."""
    name: str
    """Name of the solve; `result` ends the audit."""
    inputs: tuple[str, ...]
    """Names of folds and solves of the same audit."""
    vocabulary: bool = False
    """Whether it gets the vocabulary of the spec, as the state named `vocabulary`."""
    params: JsonValue = None
    """Everything of the audit's spec that the outcome depends on."""


class Visit(Need):
    """A few rows that a solve has chosen, decoded again and looked at with a network at hand."""

    audit: str
    """Id of the audit."""
    name: str
    """Name of the visit, unique inside the audit."""
    source: Source
    """The rows that the solve chose from."""
    network: NetworkRole | None
    """The network at hand; None where pictures alone are wanted."""
    layers: tuple[str, ...] = ()
    """Module paths that the visit will look at; they are checked before any work is done."""
    after: tuple[str, ...]
    """Names of solves and folds of the same audit; the state of the first, a solve, names the rows
    (`rows`)."""
    max_rows: int
    """The solve never chooses more rows than this."""
    params: JsonValue = None
    """Everything of the audit's spec that the outcome depends on."""
