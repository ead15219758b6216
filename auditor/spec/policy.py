"""The policy: what turns findings into a verdict and an exit code."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from auditor.spec.base import Identifier, Share, SpecModel
from auditor.spec.rule import Severity


class MetricSpec(SpecModel):
    """Which measured quantity a rule of the policy speaks of, and about which subjects."""

    audit: Identifier | None = None
    """Id of the audit; may be left out where `metric` begins with it."""
    metric: str
    """Name of the metric, such as `robust_z`, or with its audit, such as `relationships.kl`;
    `auditor show RUN` lists what a run measured."""
    subjects: tuple[str, ...] | None = None
    """Only the findings about all of these attributes, groups or classes; `*` and `?` stand for any
    letters, as in `hat:*`. Every finding by default."""

    @model_validator(mode="after")
    def names_one_audit(self) -> Self:
        audit, dot, name = self.metric.rpartition(".")
        if not name or (dot and not audit):
            raise ValueError("a metric has a name, such as `robust_z` or `relationships.robust_z`")
        if self.audit is None and not audit:
            raise ValueError(
                f"say which audit measures `{name}`: write `audit: …`, or `metric: AUDIT.{name}`"
            )
        if self.audit is not None and audit and audit != self.audit:
            raise ValueError(f"`metric` names the audit {audit}, `audit` names {self.audit}")
        return self

    @property
    def audit_id(self) -> str:
        """Id of the audit that measures it."""
        return self.audit or self.metric.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Name of the metric in that audit's findings."""
        return self.metric.rpartition(".")[2]


class LimitSpec(MetricSpec):
    """A bound on one named metric of one audit, over all of its subjects or some."""

    max: float | None = None
    """The largest allowed value."""
    min: float | None = None
    """The smallest allowed value."""

    @model_validator(mode="after")
    def has_bound(self) -> Self:
        if self.max is None and self.min is None:
            raise ValueError("a limit needs `max`, `min` or both")
        return self


class PowerSpec(MetricSpec):
    """How small an effect the checks of one audit must have been able to see."""

    effect: float = Field(gt=0.0)
    """The effect that matters, in the metric's own units, such as 0.1 for ten points."""
    min: Share = 0.8
    """The smallest chance of seeing an effect of that size, by a two-sided test at 5 %."""


class PolicySpec(SpecModel):
    """When a run passes, fails or stays undecided."""

    fail_on: Severity | None = "error"
    """The severity from which an open finding fails the run; null never fails on findings."""
    limits: dict[Identifier, LimitSpec] = {}
    """Bounds on metrics; a bound inside a metric's interval is inconclusive, not passed."""
    required: tuple[Identifier, ...] = ()
    """Audits that must have run and decided something."""
    required_reviews: Severity | None = None
    """The severity from which every check that failed must carry a person's decision that still
    holds, whatever it says; null asks for none."""
    power: dict[Identifier, PowerSpec] = {}
    """Chances of seeing an effect that matters; a check that could not have seen it shows nothing
    by passing."""
    min_decided: Share = 0.8
    """Smallest share of rules that must have been decided for the run to pass."""
