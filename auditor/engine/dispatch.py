"""From an audit's spec to its computation: one case per audit in each function, and no registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from auditor.audits.relationships import compute as relationships
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.catalog import AnyAudit
from auditor.context import Context
from auditor.measure.fold import Measurement
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
        case _:
            assert_never(spec)


def state_type(spec: AnyAudit, name: str) -> type[Any]:
    """Type of the state that a fold or an intermediate solve makes."""
    match spec:
        case RelationshipsSpec():
            return relationships.state_type(spec, name)
        case _:
            assert_never(spec)


def solve(spec: AnyAudit, context: Context, name: str, states: Mapping[str, Any]) -> Any | Outcome:
    """Run a solve: a state, or the audit's outcome for the solve called `result`."""
    match spec:
        case RelationshipsSpec():
            return relationships.solve(spec, context, name, states)
        case _:
            assert_never(spec)
