"""From an audit's spec to its computation: one case per audit in each function, and no registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from auditor.audits.failures import compute as failures
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.filters import compute as filters
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.groups import compute as groups
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.relationships import compute as relationships
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.catalog import AnyAudit
from auditor.context import Context
from auditor.measure.fold import Measurement, Visited
from auditor.results.outcome import Outcome


def measurement(
    spec: AnyAudit, context: Context, fold: str, solved: Mapping[str, Any]
) -> Measurement:
    """What turns batches into states of a fold.

    Args:
        spec: The audit.
        context: What it may know of the rest of the spec.
        fold: Name of the fold.
        solved: States of the solves that it starts from, by name.
    """
    match spec:
        case RelationshipsSpec():
            return relationships.measurement(spec, context, fold, solved)
        case FailuresSpec():
            return failures.measurement(spec, context, fold, solved)
        case FiltersSpec():
            return filters.measurement(spec, context, fold, solved)
        case GroupsSpec():
            return groups.measurement(spec, context, fold, solved)
        case _:
            assert_never(spec)


def state_type(spec: AnyAudit, name: str) -> type[Any]:
    """Type of the state that a fold or an intermediate solve makes."""
    match spec:
        case RelationshipsSpec():
            return relationships.state_type(spec, name)
        case FailuresSpec():
            return failures.state_type(spec, name)
        case FiltersSpec():
            return filters.state_type(spec, name)
        case GroupsSpec():
            return groups.state_type(spec, name)
        case _:
            assert_never(spec)


def solve(spec: AnyAudit, context: Context, name: str, states: Mapping[str, Any]) -> Any | Outcome:
    """Run a solve: a state, or the audit's outcome for the solve called `result`."""
    match spec:
        case RelationshipsSpec():
            return relationships.solve(spec, context, name, states)
        case FailuresSpec():
            return failures.solve(spec, context, name, states)
        case FiltersSpec():
            return filters.solve(spec, context, name, states)
        case GroupsSpec():
            return groups.solve(spec, context, name, states)
        case _:
            assert_never(spec)


def visit(
    spec: AnyAudit, context: Context, name: str, states: Mapping[str, Any], visited: Visited
) -> Any:
    """The state of a visit.

    Args:
        spec: The audit.
        context: What it may know of the rest of the spec.
        name: Name of the visit.
        states: States of the solves that it comes after, by name.
        visited: The images that the first of them chose, and the network at hand.

    Raises:
        ValueError: the audit visits nothing of that name.
    """
    match spec:
        case RelationshipsSpec():
            raise ValueError(f"the relationships audit has no visit named {name!r}")
        case FailuresSpec():
            return failures.visit(spec, context, name, states, visited)
        case FiltersSpec():
            return filters.visit(spec, context, name, states, visited)
        case GroupsSpec():
            return groups.visit(spec, context, name, states, visited)
        case _:
            assert_never(spec)
