"""A number that decides something, with its uncertainty; or None with the reason."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from auditor.results.base import ResultModel


class Estimate(ResultModel):
    """A measured number: value, interval, how the interval was made, from how many samples."""

    value: float | None
    """The point estimate; None where it could not be measured, and `reason` says why."""
    low: float | None = None
    """Lower end of the interval."""
    high: float | None = None
    """Upper end of the interval."""
    level: float | None = None
    """Coverage of the interval, such as 0.95."""
    method: str | None = None
    """How the interval was made, such as `wilson`, `poisson bootstrap`."""
    num_samples: int | None = None
    """Number of samples behind the value."""
    reason: str | None = None
    """Why there is no value."""

    @model_validator(mode="after")
    def absent_values_have_reasons(self) -> Self:
        if self.value is None and not self.reason:
            raise ValueError("an estimate without a value states its reason")
        return self

    def __str__(self) -> str:
        """`0.42 [0.38, 0.46]`, or why there is no number."""
        if self.value is None:
            return f"not measured ({self.reason})"
        if self.low is None or self.high is None:
            return f"{self.value:.3g}"
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"

    @classmethod
    def absent(cls, reason: str, *, num_samples: int | None = None) -> Self:
        """An estimate that could not be made."""
        return cls(value=None, reason=reason, num_samples=num_samples)
