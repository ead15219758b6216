"""From a composed spec to a plan."""

from __future__ import annotations

import logging

from auditor.compose.composed import Composed
from auditor.plan.check import check
from auditor.plan.facts import gather
from auditor.plan.history import History
from auditor.plan.passes import PASSES
from auditor.plan.steps import Plan

log = logging.getLogger(__name__)


def make_plan(composed: Composed, *, history: History | None = None) -> Plan:
    """Compile a spec into a plan, without torch and without decoding an image.

    Args:
        composed: The composed spec.
        history: What earlier runs left. Without it the plan says nothing of caches and probes, and
            depends on the spec and its inputs alone: that plan is the one a run keeps.

    Raises:
        InputError: when a file that the spec names is missing or is not what it is called.
        PlanError: when a split, a column, a class or an output that the spec names does not exist.
    """
    facts = gather(composed, history)
    plan = Plan(
        name=composed.spec.name,
        spec_digest=composed.digest,
        steps=(),
        warnings=(*composed.warnings, *check(facts)),
    )
    for apply in PASSES:
        plan = apply(plan, facts)
        log.debug("after pass %s: %d steps", apply.__name__, len(plan.steps))
    return plan
