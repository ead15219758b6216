"""Pass `place`: steps learn on what they run, how precisely and in which portions."""

from __future__ import annotations

from auditor.plan.facts import Facts
from auditor.plan.steps import Placement, Plan, Scan, Step, Train
from auditor.spec.model import TrainedModel


def place(plan: Plan, facts: Facts) -> Plan:
    """Give every step that has a data pass its placement; `auto` stays for the engine to settle."""
    return plan.model_copy(update={"steps": tuple(placed(step, facts) for step in plan.steps)})


def placed(step: Step, facts: Facts) -> Step:
    engine, model = facts.spec.engine, facts.spec.model
    if isinstance(step, Scan):
        placement = Placement(
            device=engine.device, precision=engine.precision, batch_size=engine.batch_size
        )
    elif isinstance(step, Train) and isinstance(model, TrainedModel):
        # Networks are always fitted in float32: a recipe must not change with the audit's speed.
        placement = Placement(
            device=engine.device, precision="float32", batch_size=model.recipe.batch_size
        )
    else:
        return step
    return step.model_copy(update={"placement": placement})
