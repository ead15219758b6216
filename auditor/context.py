"""What a computation may know of the spec beside its own part; torch-free.

Rule families and rule tables are written out here, one `Rule` per pair, each with the place in
the spec that a finding about it points back to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from auditor.errors import Location
from auditor.needs import NetworkRole
from auditor.spec.rule import Severity


@dataclass(frozen=True)
class Attribute:
    """An attribute as a computation sees it."""

    name: str
    title: str
    output: int
    """Index of the logit that scores it."""
    index: int
    """Column of `Batch.attributes`: its position among all attributes of the spec."""


@dataclass(frozen=True)
class Rule:
    """One rule about one pair."""

    id: str
    a: str
    b: str
    expect: str
    severity: Severity
    why: str
    location: Location | None


@dataclass(frozen=True)
class Relation:
    """An expected relation; mean and sd only where the spec declares them."""

    name: str
    title: str
    mean: float | None = None
    sd: float | None = None


@dataclass(frozen=True)
class Extractor:
    """Where an audit's features come from.

    Attributes:
        title: The extractor as a reader would say it.
        network: The network whose units are the features; None where they come from a file.
        layer: Module path of the layer; None where they come from a file.
        pool: How the map of a channel becomes one number; None where they come from a file.
        heatmap_layer: Layer that heat maps are made from, where the spec names one.
        names: What each feature shows, where the spec or the file says it.
        classifies: Whether the extractor is a network of its own with the spec's outputs, so that
            it can be inspected like the model.
    """

    title: str
    network: NetworkRole | None
    layer: str | None
    pool: Literal["mean", "max"] | None
    heatmap_layer: str | None
    names: tuple[str, ...] | None
    classifies: bool


@dataclass(frozen=True)
class Concept:
    """Something that regions of the reference images show.

    Attributes:
        name: Name, as the annotation says it.
        category: Such as `object` or `part`; None where concepts are of one kind.
    """

    name: str
    category: str | None = None


@dataclass(frozen=True)
class Words:
    """The vocabulary of the spec, as far as it is known before it is read.

    Attributes:
        title: The vocabulary as a reader would say it.
        made: Whether its vectors were made from this package's own taxonomy and not learnt.
        concepts: Concept -> the words that the spec says it stands for.
    """

    title: str
    made: bool
    concepts: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Context:
    """The part of the spec that an audit's computation sees.

    Attributes:
        audit: Id of the audit.
        attributes: The attributes the audit looks at, in its order.
        rules: Rules about pairs of those attributes, in the order of the spec.
        relations: Every relation that a rule may expect, the built-in ones first.
        head: `multi_label` or `multi_class`: how logits become predictions.
        num_available: Rows of each split, by name.
        seed: Seed of every resampling.
        classes: Class names in output order; None where the dataset has none.
        columns: Group column that the audit asks for -> its values as text, sorted.
        extractor: Where features come from; None where the spec names no extractor.
        is_network: Whether the model is a network, and not a column of predictions.
        model_title: The model as a reader would say it.
        concepts: What the regions of the dataset show, in the order of `Masks.concept`.
        words: The vocabulary; None where the spec names none.
    """

    audit: str
    attributes: tuple[Attribute, ...]
    rules: tuple[Rule, ...]
    relations: tuple[Relation, ...]
    head: str
    num_available: Mapping[str, int]
    seed: int
    classes: tuple[str, ...] | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extractor: Extractor | None = None
    is_network: bool = True
    model_title: str = ""
    concepts: tuple[Concept, ...] = ()
    words: Words | None = None
