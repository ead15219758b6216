"""Relationship rules: what a sound model must think of two attributes."""

from __future__ import annotations

from itertools import combinations, product
from typing import Annotated, Any, Literal, Self

from pydantic import Field, GetPydanticSchema, model_validator
from pydantic_core import core_schema

from auditor.spec.base import SpecModel, Text

Severity = Literal["note", "warning", "error"]

RELATIONS = (
    "definitely_positive",
    "probably_positive",
    "unrelated",
    "probably_negative",
    "definitely_negative",
)
"""The five expected relations of Zhang et al. (AAAI 2018); a spec can declare more."""


def name_or_names(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value):
        return tuple(value)
    raise ValueError("expected an attribute name or a list of attribute names")


Side = Annotated[
    str | tuple[str, ...],
    # One message instead of one per member of the union.
    GetPydanticSchema(
        lambda _source, _handler: core_schema.no_info_plain_validator_function(
            name_or_names,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda side: side if isinstance(side, str) else list(side)
            ),
        ),
        lambda _schema, _handler: {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
        },
    ),
]


class RuleSpec(SpecModel):
    """One rule, or a family of rules of one kind: exactly one of `between`, `among`, `file`."""

    between: tuple[Side, Side] | None = None
    """Two attributes, or two lists of attributes: every pair across the lists."""
    among: tuple[str, ...] | None = None
    """A list of attributes: every pair inside it."""
    file: str | None = None
    """A CSV table with the columns `a`, `b`, `expect` and optionally `severity` and `why`."""
    expect: str | None = None
    """The expected relation: one of the five built-in ones or one declared under `relations`."""
    severity: Severity = "error"
    """How much a broken rule weighs."""
    why: Text = ""
    """Why a sound model must respect the rule; readers see it beside the finding."""

    @model_validator(mode="after")
    def one_form(self) -> Self:
        forms = [form for form in (self.between, self.among, self.file) if form is not None]
        if len(forms) != 1:
            raise ValueError("a rule has exactly one of `between`, `among` and `file`")
        if self.file is None and self.expect is None:
            raise ValueError("a rule says what it expects: `expect: unrelated`, for example")
        if self.file is not None and self.expect is not None:
            raise ValueError("a rule table names the expected relation per row, not in `expect`")
        return self

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All attribute pairs that the rule speaks of, in writing order (none for `file`)."""
        if self.among is not None:
            return tuple(combinations(self.among, 2))
        if self.between is not None:
            left, right = ((s,) if isinstance(s, str) else s for s in self.between)
            return tuple(product(left, right))
        return ()


class ExpectedRelations(SpecModel):
    """How the expected distribution of a relation is estimated where none is declared."""

    estimator: Literal["robust", "pooled", "leave_one_out"] = "robust"
    """`robust`: median of the pair means and median of the within-pair spreads; `pooled`: all
    pairs and images together, as in the paper; `leave_one_out`: pooled without the pair itself."""
    min_pairs: int = Field(default=8, ge=2)
    """With fewer labelled pairs and no declared mean and sd a relation's rules stay undecided."""
