"""Pass `share`: scans of equal sources become one scan.

Each image is then decoded once and goes through each network once, whatever the number of audits
and of networks that they look at.
A fold that starts from a solve cannot share the scan that this solve waits for: it goes one wave
later.
"""

from __future__ import annotations

from auditor.plan.facts import Facts
from auditor.plan.identity import SOURCE_PARTS, content_id
from auditor.plan.steps import Plan, Scan, Solve, Step, Visit
from auditor.results.base import canonical_json


def share(plan: Plan, _facts: Facts) -> Plan:
    """Merge scans of the same rows, seen the same way, in the same wave; keep the first's place."""
    wave_of = waves(plan)
    groups: dict[tuple[str, int], Scan] = {}
    for step in plan.steps:
        if isinstance(step, Scan):
            key = sharing_key(step, wave_of)
            groups[key] = merged(groups[key], step) if key in groups else step
    steps: list[Step] = []
    for step in plan.steps:
        if not isinstance(step, Scan):
            steps.append(step)
        elif (key := sharing_key(step, wave_of)) in groups:
            steps.append(groups.pop(key))
    return plan.model_copy(update={"steps": tuple(steps)})


def sharing_key(step: Scan, wave_of: dict[tuple[str, str], int]) -> tuple[str, int]:
    """Scans with equal keys can become one."""
    wave = max(wave_of[fold.audit, fold.name] for fold in step.folds)
    return canonical_json([step.ingredients[part] for part in SOURCE_PARTS]), wave


def merged(first: Scan, second: Scan) -> Scan:
    """One scan with the folds of both, the union of their outputs and the larger number of rows."""
    ingredients = {**first.ingredients, **second.ingredients}
    return first.model_copy(
        update={
            "id": content_id(ingredients),
            "ingredients": ingredients,
            "num_rows": max(first.num_rows, second.num_rows),
            "outputs": tuple(dict.fromkeys((*first.outputs, *second.outputs))),
            "folds": (*first.folds, *second.folds),
        }
    )


def waves(plan: Plan) -> dict[tuple[str, str], int]:
    """Audit and name of each fold -> number of solves and visits, one after another, before it."""
    after: dict[tuple[str, str], tuple[str, ...]] = {}
    inputs: dict[tuple[str, str], tuple[str, ...]] = {}
    for step in plan.steps:
        if isinstance(step, Scan):
            after |= {(fold.audit, fold.name): fold.after for fold in step.folds}
        elif isinstance(step, Solve):
            inputs[step.audit, step.name] = step.inputs
        elif isinstance(step, Visit):
            inputs[step.audit, step.name] = step.after

    def wave(audit: str, name: str) -> int:
        if (audit, name) in inputs:
            return 1 + max((wave(audit, other) for other in inputs[audit, name]), default=0)
        return max((wave(audit, other) for other in after[audit, name]), default=0)

    return {(audit, name): wave(audit, name) for audit, name in after}
