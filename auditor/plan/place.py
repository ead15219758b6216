"""Pass `place`: steps learn on what they run, how precisely and in which portions."""

from __future__ import annotations

from typing import assert_never

from auditor.catalog import network_of
from auditor.plan.facts import Facts
from auditor.plan.steps import Placement, Plan, Scan, Solve, Step, Train, Visit
from auditor.spec.model import TrainedModel, TrainRecipe


def place(plan: Plan, facts: Facts) -> Plan:
    """Give every step that has a data pass its placement; `auto` stays for the engine to settle."""
    return plan.model_copy(update={"steps": tuple(placed(step, facts) for step in plan.steps)})


def placed(step: Step, facts: Facts) -> Step:
    placement = placement_of(step, facts)
    return step if placement is None else step.model_copy(update={"placement": placement})


def placement_of(step: Step, facts: Facts) -> Placement | None:
    """Where a step with a data pass runs."""
    engine = facts.spec.engine
    match step:
        case Visit() if step.network is None:
            return None
        case Scan() | Visit():
            return Placement(
                device=engine.device, precision=engine.precision, batch_size=engine.batch_size
            )
        case Train():
            network = network_of(facts.spec, step.network)
            if not isinstance(network, TrainedModel):
                return None
            return Placement(
                device=engine.device,
                precision=training_precision(network.recipe, engine.device),
                batch_size=network.recipe.batch_size,
            )
        case Solve():
            return None
        case _:
            assert_never(step)


def training_precision(recipe: TrainRecipe, device: str) -> str:
    """Precision of the passes of training: the recipe's choice, never the audit's."""
    if not recipe.mixed_precision or device in ("cpu", "mps"):
        return "float32"
    return "float32, bfloat16 on a GPU" if device == "auto" else "bfloat16"
