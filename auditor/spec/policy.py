"""The policy: what turns findings into a verdict and an exit code."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from auditor.spec.base import Identifier, Share, SpecModel
from auditor.spec.rule import Severity


class LimitSpec(SpecModel):
    """A bound on one named metric of one audit, over all of its subjects."""

    audit: Identifier
    """Id of the audit."""
    metric: str
    """Name of the metric, such as `robust_z`; `auditor show RUN` lists what a run measured."""
    max: float | None = None
    """The largest allowed value."""
    min: float | None = None
    """The smallest allowed value."""
    subjects: tuple[str, ...] | None = None
    """Only the findings about all of these attributes; every finding by default."""

    @model_validator(mode="after")
    def has_bound(self) -> Self:
        if self.max is None and self.min is None:
            raise ValueError("a limit needs `max`, `min` or both")
        return self


class PolicySpec(SpecModel):
    """When a run passes, fails or stays undecided."""

    fail_on: Severity | None = "error"
    """The severity from which an open finding fails the run; null never fails on findings."""
    limits: dict[Identifier, LimitSpec] = {}
    """Bounds on metrics; a bound inside a metric's interval is inconclusive, not passed."""
    required: tuple[Identifier, ...] = ()
    """Audits that must have run and decided something."""
    min_decided: Share = 0.8
    """Smallest share of rules that must have been decided for the run to pass."""
