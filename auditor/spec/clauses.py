"""A clause map: what a law, standard or framework asks, and which evidence of a run speaks to it.

    version: 1
    title: House rules for image models
    edition: second edition
    date: 2026-01-31
    revision: 1
    source: internal handbook, chapter 12
    clauses:
      - id: R1
        heading: Look for proxies
        asks: Test whether the model takes one attribute as evidence of another.
        evidence: [relationships, reasons]
        beyond: Whether the list of attributes is long enough.

The file names kinds of evidence, never a state: whether something was measured, is attested or is
missing follows from the run alone (`auditor.report.answers`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from auditor.spec.base import SpecModel

MAX_FRAMEWORKS = 8
"""Clause maps in one report."""

MAX_CLAUSES = 200
"""Clauses in one map; the whole core of NIST AI RMF 1.0 has 72 subcategories."""

CLAIM = re.compile(r"\b(?:non-?)?compliant\b", re.IGNORECASE)

EvidenceKind = Literal[
    "relationships",
    "failures",
    "filters",
    "groups",
    "checks",
    "accuracy",
    "feature_robustness",
    "data",
    "label_statistics",
    "unreadable",
    "model",
    "training",
    "verdict",
    "limits",
    "power",
    "uncertainty",
    "comparison",
    "record",
    "reproduction",
    "purpose",
    "out_of_scope",
    "owner",
    "reasons",
    "policy",
    "decisions",
    "sign_off",
]
"""Everything that a run can show: numbers of an audit or of the data, the run's own records, and
what people wrote in the spec or the review file. `specs/clauses/README.md` says what each is."""


def no_claim(text: str) -> str:
    """The report never says that a system meets a law, and no map can make it say so."""
    if found := CLAIM.search(text):
        raise ValueError(
            f"a clause map never says `{found.group()}`: write what the clause asks; "
            "whether a system meets it is for people to judge"
        )
    return text


Short = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(no_claim),
]
"""One line for readers."""

Long = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=1000),
    AfterValidator(no_claim),
]
"""A few sentences for readers."""


def told_apart(kinds: tuple[EvidenceKind, ...]) -> tuple[EvidenceKind, ...]:
    if twice := [kind for kind, number in Counter(kinds).items() if number > 1]:
        raise ValueError(f"`{twice[0]}` stands here twice")
    return kinds


class Clause(SpecModel):
    """One clause, article, control or outcome of a framework."""

    id: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=40),
        AfterValidator(no_claim),
    ]
    """How the framework numbers it, such as `Art. 9(2)(a)`."""
    heading: Short
    """What it is about, in a few words."""
    asks: Annotated[Long, Field(min_length=1)]
    """What it asks for, in words of one's own."""
    evidence: Annotated[tuple[EvidenceKind, ...], AfterValidator(told_apart)] = ()
    """Kinds of evidence that speak to it, most telling first; without any, no run covers it."""
    beyond: Long = ""
    """What it asks beyond anything that a run can show."""


def numbered_once(clauses: tuple[Clause, ...]) -> tuple[Clause, ...]:
    ids = Counter(clause.id for clause in clauses)
    if twice := [name for name, number in ids.items() if number > 1]:
        raise ValueError(f"the clause `{twice[0]}` stands here twice")
    return clauses


class Framework(SpecModel):
    """The content of a clause map."""

    version: Literal[1]
    """Version of this layout."""
    title: Short
    """The framework."""
    edition: Short
    """Which text of it is mapped."""
    date: dt.date
    """Date of that text."""
    revision: int = Field(ge=1)
    """Number of this map, raised with every change to it."""
    source: Short
    """Where the text can be read."""
    note: Long = ""
    """What readers of the map should know, such as what it leaves out."""
    clauses: Annotated[
        tuple[Clause, ...],
        Field(min_length=1, max_length=MAX_CLAUSES),
        AfterValidator(numbered_once),
    ]
    """The clauses, in the order of the framework."""
