"""What a computation may know of the spec beside its own part; torch-free.

Rule families and rule tables are written out here, one `Rule` per pair, each with the place in
the spec that a finding about it points back to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.errors import Location
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
    """

    audit: str
    attributes: tuple[Attribute, ...]
    rules: tuple[Rule, ...]
    relations: tuple[Relation, ...]
    head: str
    num_available: Mapping[str, int]
    seed: int
