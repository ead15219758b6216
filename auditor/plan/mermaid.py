"""The plan as a Mermaid flow chart, for pages that draw it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from auditor.plan.explain import chosen_text, counted, title
from auditor.plan.steps import Plan, Scan, Solve, Step, Train, Visit


def to_mermaid(plan: Plan) -> str:
    """A flow chart: one node per step, an arrow for what each step waits for."""
    number = {step.id: position for position, step in enumerate(plan.steps, start=1)}
    lines = ["flowchart TD", *(f"    {node(step, number[step.id])}" for step in plan.steps)]
    lines += (f"    {arrow}" for step in plan.steps for arrow in arrows(step, number))
    return "\n".join(lines) + "\n"


def node(step: Step, number: int) -> str:
    """A step: rounded where a network is fitted, a box where data is read, slanted where a few
    rows are looked at again, a hexagon to solve.
    """
    words = " ".join(title(step).split())
    match step:
        case Train():
            return f's{number}("{words}")'
        case Scan():
            folds = ", ".join(f"{fold.audit}/{fold.name}" for fold in step.folds)
            shards = f" in {counted(len(step.shards), 'shard')}" if step.shards else ""
            text = f"{words}<br/>{counted(step.num_rows, 'row')}{shards}<br/>{folds}"
            return f's{number}["{text}"]'
        case Visit():
            return f's{number}[/"{words}<br/>{chosen_text(step)}"/]'
        case Solve():
            return f's{number}{{{{"{words}"}}}}'
        case _:
            assert_never(step)


def arrows(step: Step, number: dict[str, int]) -> Iterator[str]:
    for other in step.dependencies:
        yield f"s{number[other]} --> s{number[step.id]}"
