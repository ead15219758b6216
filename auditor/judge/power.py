"""Minimum power: how likely a check was to see an effect that matters.

A check that passes says little if it could not have failed. The half-width of an estimate's
interval tells its standard error, and that tells the power of a two-sided test at 5 % to see an
effect of a given size (Cohen, Statistical Power Analysis, 1988; normal approximation).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

from auditor.judge.limits import Measured, measured, quantity, why_nothing
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding
from auditor.results.run_record import AuditRecord, PolicyOutcome
from auditor.spec.policy import PowerSpec

NORMAL = NormalDist()

CUT = NORMAL.inv_cdf(0.975)
"""Standard errors from which a two-sided test at 5 % sees something."""


def power_outcome(
    name: str, power: PowerSpec, audits: Sequence[AuditRecord], findings: Sequence[Finding]
) -> PolicyOutcome:
    """One demand on power, over every finding of its audit that measured the metric."""
    found = [(one, power_of(one.estimate, power.effect)) for one in measured(power, findings)]
    weak = [one for one in found if one[1] is None or one[1] < power.min]
    if not found:
        value = why_nothing(power, audits, findings)
    elif weak:
        value = f"{len(weak)} of {len(found)} could have missed it, such as {weakest(weak)}"
    else:
        value = f"all {len(found)} would have seen it; the weakest is {weakest(found)}"
    least = min(weak or found, key=lambda one: one[1] or 0.0, default=None)
    return PolicyOutcome(
        name=f"power:{name}",
        target=f"an effect of {power.effect:g} in {quantity(power)} would be seen with a chance of "
        f"at least {power.min:.0%}",
        value=value,
        verdict="pass" if found and not weak else "inconclusive",
        estimate=least[0].estimate if least else None,
    )


def power_of(estimate: Estimate, effect: float) -> float | None:
    """Chance of seeing an effect; None where no interval tells the standard error.

    The standard error is the interval's half-width over the quantile of its level.
    """
    low, high, level = estimate.low, estimate.high, estimate.level
    if estimate.value is None or low is None or high is None or level is None:
        return None
    if not 0.0 < level < 1.0:
        return None
    error = (high - low) / 2 / NORMAL.inv_cdf((1 + level) / 2)
    if error <= 0:
        return 1.0
    return NORMAL.cdf(effect / error - CUT) + NORMAL.cdf(-effect / error - CUT)


def weakest(found: Sequence[tuple[Measured, float | None]]) -> str:
    """`hat and smiling with a chance of 62%`, or what is not known of it."""
    one, chance = min(found, key=lambda each: each[1] or 0.0)
    about = " and ".join(one.subjects)
    if one.estimate.value is None:
        return f"{about}: not measured, {one.estimate.reason}"
    if chance is None:
        return f"{about}: it has no interval"
    return f"{about} with a chance of {chance:.0%}"
