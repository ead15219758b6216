"""The plan as a table for a notebook: the words are those of `explain`."""

from __future__ import annotations

from auditor.notebook import block, paragraph, table
from auditor.plan.explain import cache_text, counted, details, heading, metric, title
from auditor.plan.steps import Plan, Solve, Step


def as_html(plan: Plan) -> str:
    """The whole plan: what it shares, what it warns of, and one row per step."""
    number = {step.id: position for position, step in enumerate(plan.steps, start=1)}
    first, *notes = heading(plan)
    rows = [cells(step, number) for step in plan.steps]
    columns = ("step", "what", "in detail", "after", "reads", "already there")
    return block(
        first,
        *(paragraph(note) for note in notes),
        table("Steps in the order in which they run", columns, rows, rest="`plan.steps` holds all"),
    )


def cells(step: Step, number: dict[str, int]) -> tuple[str, ...]:
    """One row."""
    reads = (
        "" if step.cost is None or isinstance(step, Solve) else counted(step.cost.images, "image")
    )
    if reads and step.cost is not None and step.cost.bytes.value:
        reads += f", {metric(step.cost.bytes.value, 'B')}"
    return (
        str(number[step.id]),
        title(step),
        "; ".join(f"{label} {text}".strip() for label, text in details(step) if text),
        ", ".join(str(number[other]) for other in step.dependencies),
        reads,
        "" if step.cache is None else cache_text(step, step.cache),
    )
