"""Pass `order`: steps learn what they wait for, and stand in an order in which they can run."""

from __future__ import annotations

from auditor.plan.facts import Facts
from auditor.plan.steps import Plan, Scan, Solve, Step, Train


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
            networks = {output.network for output in step.outputs}
            trained = [
                each.id
                for each in plan.steps
                if isinstance(each, Train) and each.network in networks
            ]
            wanted = [(fold.audit, name) for fold in step.folds for name in fold.after]
            return (*trained, *makers(wanted, plan))
        case Solve():
            return makers([(step.audit, name) for name in step.inputs], plan)


def makers(wanted: list[tuple[str, str]], plan: Plan) -> tuple[str, ...]:
    """Ids of the steps that make the folds and solves of these names, in the plan's order."""
    return tuple(step.id for step in plan.steps if not made_by(step).isdisjoint(wanted))


def made_by(step: Step) -> set[tuple[str, str]]:
    """Audit and name of each fold or solve that a step makes."""
    match step:
        case Train():
            return set()
        case Scan():
            return {(fold.audit, fold.name) for fold in step.folds}
        case Solve():
            return {(step.audit, step.name)}
