"""Pass `order`: steps learn what they wait for, and stand in an order in which they can run."""

from __future__ import annotations

from collections.abc import Collection
from typing import assert_never

from auditor.needs import NetworkRole
from auditor.plan.facts import Facts
from auditor.plan.steps import Plan, Scan, Solve, Step, Train, Visit


def order(plan: Plan, _facts: Facts) -> Plan:
    """Fill in dependencies; sort topologically, steps that are free in the order they stand."""
    waiting = [
        step.model_copy(update={"dependencies": dependencies(step, plan)}) for step in plan.steps
    ]
    done: set[str] = set()
    ordered: list[Step] = []
    while waiting:
        free = next(step for step in waiting if done.issuperset(step.dependencies))
        waiting.remove(free)
        ordered.append(free)
        done.add(free.id)
    return plan.model_copy(update={"steps": tuple(ordered)})


def dependencies(step: Step, plan: Plan) -> tuple[str, ...]:
    """Ids of the steps that make what this one starts from."""
    match step:
        case Train():
            return ()
        case Scan():
            networks = {output.network for output in step.outputs if output.computed}
            wanted = [(fold.audit, name) for fold in step.folds for name in fold.after]
            return (*trained(networks, plan), *makers(wanted, plan))
        case Visit():
            networks = {step.network} if step.network is not None else set()
            wanted = [(step.audit, name) for name in step.after]
            return (*trained(networks, plan), *makers(wanted, plan))
        case Solve():
            return makers([(step.audit, name) for name in step.inputs], plan)
        case _:
            assert_never(step)


def trained(networks: Collection[NetworkRole], plan: Plan) -> tuple[str, ...]:
    """Ids of the steps that fit some of these networks."""
    return tuple(
        step.id for step in plan.steps if isinstance(step, Train) and step.network in networks
    )


def makers(wanted: list[tuple[str, str]], plan: Plan) -> tuple[str, ...]:
    """Ids of the steps that make folds, visits and solves of these names, in the plan's order."""
    return tuple(step.id for step in plan.steps if not made_by(step).isdisjoint(wanted))


def made_by(step: Step) -> set[tuple[str, str]]:
    """Audit and name of each fold, visit or solve that a step makes."""
    match step:
        case Train():
            return set()
        case Scan():
            return {(fold.audit, fold.name) for fold in step.folds}
        case Visit() | Solve():
            return {(step.audit, step.name)}
        case _:
            assert_never(step)
