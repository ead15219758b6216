"""Pass `expand`: every audit becomes the steps that it needs, one scan per fold.

The model's recipe, where it has one, becomes a `Train` step. Each step gets its ingredients and,
as their hash, its id. Folds and solves are identified by what they start from, never by the scan
that they will share, so sharing changes no identity.
"""

from __future__ import annotations

from typing import assert_never

from pydantic import JsonValue

from auditor.audits.relationships.needs import needs as relationships_needs
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.catalog import AnyAudit
from auditor.needs import Fold, Need
from auditor.needs import Solve as SolveNeed
from auditor.plan.facts import Facts
from auditor.plan.identity import content_id, fold_ingredients, fold_part
from auditor.plan.ingredients import (
    numeric_context,
    scan_ingredients,
    train_ingredients,
    worded_context,
)
from auditor.plan.steps import Plan, Scan, Solve, Step, Train
from auditor.spec.model import TrainedModel


def expand(plan: Plan, facts: Facts) -> Plan:
    """Replace the plan's steps by what the spec asks for, in the order of the spec."""
    steps: list[Step] = []
    trained = None
    if isinstance(facts.spec.model, TrainedModel) and facts.spec.audits:
        ingredients = train_ingredients(facts.spec.model, facts)
        trained = content_id(ingredients)
        steps.append(
            Train(
                id=trained,
                ingredients=ingredients,
                network="model",
                split=facts.spec.model.split,
            )
        )
    for audit, spec in facts.spec.audits.items():
        steps += audit_steps(audit, spec, trained, facts)
    return plan.model_copy(update={"steps": tuple(steps)})


def audit_needs(audit: str, spec: AnyAudit, outputs: tuple[int, ...]) -> tuple[Need, ...]:
    """What an audit asks for; whatever a need starts from comes before it."""
    match spec:
        case RelationshipsSpec():
            return relationships_needs(audit, spec, outputs)
        case _:
            assert_never(spec)


def audit_steps(audit: str, spec: AnyAudit, trained: str | None, facts: Facts) -> list[Step]:
    """One scan per fold and one step per solve of an audit."""
    outputs = tuple(attribute.output for attribute in facts.contexts[audit].attributes)
    steps: list[Step] = []
    identities: dict[str, str] = {}
    for need in audit_needs(audit, spec, outputs):
        if isinstance(need, Fold):
            scan = scan_of(need, trained, identities, facts)
            identities[need.name] = content_id(fold_ingredients(scan, need))
            steps.append(scan)
        elif isinstance(need, SolveNeed):
            solve = solve_of(need, identities, facts)
            identities[need.name] = solve.id
            steps.append(solve)
    return steps


def scan_of(fold: Fold, trained: str | None, identities: dict[str, str], facts: Facts) -> Scan:
    """A scan for one fold alone."""
    available = facts.dataset.splits[fold.source.split].num_rows
    own: dict[str, JsonValue] = {
        "params": fold.params,
        "context": numeric_context(facts.contexts[fold.audit], facts.spec),
        "outputs": [output.model_dump(mode="json") for output in fold.outputs],
        "after": {name: identities[name] for name in fold.after},
        "sequential": fold.sequential,
        "max_rows": fold.max_rows,
    }
    shared = scan_ingredients(fold.source, bool(fold.outputs), trained, facts)
    ingredients = {**shared, fold_part(fold): own}
    return Scan(
        id=content_id(ingredients),
        ingredients=ingredients,
        source=fold.source,
        num_rows=available if fold.max_rows is None else min(fold.max_rows, available),
        outputs=fold.outputs,
        folds=(fold,),
    )


def solve_of(need: SolveNeed, identities: dict[str, str], facts: Facts) -> Solve:
    """A step without data."""
    context = facts.contexts[need.audit]
    # Only the result holds words: a changed title must not undo the scans behind another solve.
    worded = need.name == "result"
    ingredients: dict[str, JsonValue] = {
        "package": facts.package,
        "params": need.params,
        "context": numeric_context(context, facts.spec),
        "words": worded_context(context) if worded else None,
        "inputs": {name: identities[name] for name in need.inputs},
        "solve": need.name,
    }
    return Solve(
        id=content_id(ingredients),
        ingredients=ingredients,
        audit=need.audit,
        name=need.name,
        inputs=need.inputs,
    )
