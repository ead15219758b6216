"""What a finding code means, for `auditor explain` and the report's glossary."""

from __future__ import annotations

from typing import Literal

from auditor.results.base import ResultModel

Worse = Literal["higher", "lower", "farther_from_zero", "nearer_to_zero"]
"""Which way a metric goes when a finding gets worse."""


class Code(ResultModel):
    """The description of one kind of finding."""

    code: str
    """The code, such as `BROKEN_RULE`."""
    title: str
    """The code in a few words."""
    meaning: str
    """What a finding with this code says, for someone who knows no statistics."""
    test: str
    """How it is decided, precisely."""
    action: str
    """What to do about it."""
    source: str
    """Paper or document it comes from."""
    check: str
    """What was checked. Codes that are answers to one question share it, so that two runs can be
    held against each other although one found something and the other did not."""
    metrics: tuple[str, ...]
    """Estimates that decide whether a finding got worse between two runs: the worst of those that
    were measured. Empty where the verdict alone can tell."""
    worse: Worse = "higher"
    """Which way these metrics go when a finding gets worse."""
    follows: str | None = None
    """The code whose failure gives rise to findings of this one; it is not there otherwise."""
