"""`--only`: the part of a plan that some of its audits need."""

from __future__ import annotations

from collections.abc import Collection

from auditor.errors import SpecError
from auditor.plan.steps import Plan, Solve, Step, Train, Visit


def select(plan: Plan, audits: Collection[str], known: Collection[str]) -> tuple[Step, ...]:
    """The steps of the plan with what the other audits need left out.

    Steps keep their ids, shards and rows, so states fit the whole plan as well.

    Args:
        plan: The whole plan.
        audits: Ids of the audits that are wanted; none means all.
        known: Ids of all audits.

    Raises:
        SpecError: one of them is not an audit of the spec.
    """
    unknown = sorted(set(audits) - set(known))
    if unknown:
        raise SpecError(
            f"the spec has no audit {unknown[0]!r}", hint=f"it has {', '.join(known) or 'none'}"
        )
    if not audits:
        return plan.steps
    kept = [part for step in plan.steps if (part := narrowed(step, audits)) is not None]
    needed = {name for step in kept for name in step.dependencies}
    return tuple(step for step in kept if not isinstance(step, Train) or step.id in needed)


def narrowed(step: Step, audits: Collection[str]) -> Step | None:
    """A step with the folds of these audits alone; None where nothing is left."""
    if isinstance(step, Train):
        return step
    if isinstance(step, Solve | Visit):
        return step if step.audit in audits else None
    folds = tuple(fold for fold in step.folds if fold.audit in audits)
    if not folds:
        return None
    outputs = tuple(dict.fromkeys(output for fold in folds for output in fold.outputs))
    return step.model_copy(update={"folds": folds, "outputs": outputs})
