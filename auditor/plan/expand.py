"""Pass `expand`: every audit becomes the steps that it needs, one scan per fold.

Each network with a recipe that some audit uses becomes a `Train` step. Each step gets its
ingredients and, as their hash, its id. Folds, visits and solves are identified by what they start
from, never by the scan that they will share, so sharing changes no identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from pydantic import JsonValue

from auditor.audits.failures.needs import needs as failures_needs
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.filters.needs import needs as filters_needs
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.groups.needs import needs as groups_needs
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.relationships.needs import needs as relationships_needs
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.catalog import AnyAudit, network_of
from auditor.context import Context
from auditor.needs import Fold, Need, NetworkRole
from auditor.needs import Solve as SolveNeed
from auditor.needs import Visit as VisitNeed
from auditor.plan.facts import ROLES, Facts
from auditor.plan.identity import content_id, fold_ingredients, fold_part
from auditor.plan.ingredients import (
    Ingredients,
    Trained,
    evaluated_split,
    evaluation_ingredients,
    numeric_context,
    scan_ingredients,
    train_ingredients,
    visit_ingredients,
    vocabulary_ingredients,
    worded_context,
)
from auditor.plan.steps import Plan, Scan, Solve, Step, Train, Visit
from auditor.spec.model import TrainedModel


def expand(plan: Plan, facts: Facts) -> Plan:
    """Replace the plan's steps by what the spec asks for, in the order of the spec."""
    recipes = trained_networks(facts)
    fitted = {role: train_ingredients(model, role, facts) for role, model in recipes.items()}
    steps: list[Step] = [
        train_step(model, role, fitted[role], facts) for role, model in recipes.items()
    ]
    trained: Trained = {role: content_id(ingredients) for role, ingredients in fitted.items()}
    for audit, spec in facts.spec.audits.items():
        steps += audit_steps(audit, spec, trained, facts)
    return plan.model_copy(update={"steps": tuple(steps)})


def trained_networks(facts: Facts) -> dict[NetworkRole, TrainedModel]:
    """The networks that are fitted from a recipe and that some audit uses."""
    used = {role for need in all_needs(facts) for role in networks_of(need)}
    found = {role: network_of(facts.spec, role) for role in ROLES if role in used}
    return {role: model for role, model in found.items() if isinstance(model, TrainedModel)}


def all_needs(facts: Facts) -> Iterator[Need]:
    """What every audit of the spec asks for."""
    for audit, spec in facts.spec.audits.items():
        yield from audit_needs(audit, spec, facts.contexts[audit])


def networks_of(need: Need) -> set[NetworkRole]:
    """The networks that a need computes with."""
    match need:
        case Fold():
            return {output.network for output in need.outputs if output.computed}
        case VisitNeed():
            return {need.network} if need.network is not None else set()
        case _:
            return set()


def audit_needs(audit: str, spec: AnyAudit, context: Context) -> tuple[Need, ...]:
    """What an audit asks for; whatever a need starts from comes before it."""
    match spec:
        case RelationshipsSpec():
            outputs = tuple(attribute.output for attribute in context.attributes)
            return relationships_needs(audit, spec, outputs)
        case FailuresSpec():
            return failures_needs(audit, spec, context)
        case FiltersSpec():
            return filters_needs(audit, spec, context)
        case GroupsSpec():
            return groups_needs(audit, spec, context)
        case _:
            assert_never(spec)


def holds_words(spec: AnyAudit, solve: str) -> bool:
    """Whether a solve writes sentences: a changed title must not undo the scans behind others."""
    match spec:
        case RelationshipsSpec() | FiltersSpec() | GroupsSpec():
            return solve == "result"
        case FailuresSpec():
            return True  # `trees` makes the result but for its pictures; no scan comes after it
        case _:
            assert_never(spec)


def train_step(model: TrainedModel, role: NetworkRole, fitted: Ingredients, facts: Facts) -> Train:
    """The step that fits a network. What measures it afterwards decides no scan's states."""
    ingredients = fitted | evaluation_ingredients(model, facts)
    return Train(
        id=content_id(ingredients),
        ingredients=ingredients,
        network=role,
        split=model.split,
        adversary=model.recipe.adversary,
        evaluate=evaluated_split(model),
    )


def audit_steps(audit: str, spec: AnyAudit, trained: Trained, facts: Facts) -> list[Step]:
    """One scan per fold, one step per visit and per solve of an audit."""
    steps: list[Step] = []
    identities: dict[str, str] = {}
    for need in audit_needs(audit, spec, facts.contexts[audit]):
        if isinstance(need, Fold):
            scan = scan_of(need, trained, identities, facts)
            identities[need.name] = content_id(fold_ingredients(scan, need))
            steps.append(scan)
        elif isinstance(need, VisitNeed):
            visit = visit_of(need, trained, identities, facts)
            identities[need.name] = visit.id
            steps.append(visit)
        elif isinstance(need, SolveNeed):
            solve = solve_of(need, identities, facts)
            identities[need.name] = solve.id
            steps.append(solve)
    return steps


def scan_of(fold: Fold, trained: Trained, identities: dict[str, str], facts: Facts) -> Scan:
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
    shared = scan_ingredients(fold.source, fold.outputs, trained, facts)
    ingredients = {**shared, fold_part(fold): own}
    return Scan(
        id=content_id(ingredients),
        ingredients=ingredients,
        source=fold.source,
        num_rows=available if fold.max_rows is None else min(fold.max_rows, available),
        outputs=fold.outputs,
        folds=(fold,),
    )


def visit_of(need: VisitNeed, trained: Trained, identities: dict[str, str], facts: Facts) -> Visit:
    """A look at the rows that a solve chooses."""
    available = facts.dataset.splits[need.source.split].num_rows
    ingredients: Ingredients = {
        **visit_ingredients(need, trained, facts),
        "after": {name: identities[name] for name in need.after},
    }
    return Visit(
        id=content_id(ingredients),
        ingredients=ingredients,
        audit=need.audit,
        name=need.name,
        source=need.source,
        network=need.network,
        layers=need.layers,
        after=need.after,
        max_rows=min(need.max_rows, available),
    )


def solve_of(need: SolveNeed, identities: dict[str, str], facts: Facts) -> Solve:
    """A step without data."""
    context = facts.contexts[need.audit]
    worded = holds_words(facts.spec.audits[need.audit], need.name)
    ingredients: dict[str, JsonValue] = {
        "package": facts.package,
        "params": need.params,
        "context": numeric_context(context, facts.spec),
        "words": worded_context(context) if worded else None,
        **vocabulary_ingredients(need, facts),
        "inputs": {name: identities[name] for name in need.inputs},
        "solve": need.name,
    }
    return Solve(
        id=content_id(ingredients),
        ingredients=ingredients,
        audit=need.audit,
        name=need.name,
        inputs=need.inputs,
        vocabulary=need.vocabulary,
    )
