"""The groups audit: its folds, solves, visit and outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditor.audits.groups.spec import GroupsSpec
from auditor.context import Context
from auditor.measure.fold import Measurement, Visited
from auditor.results.outcome import Outcome


def state_type(spec: GroupsSpec, name: str) -> type[Any]:
    """The state of the fold, the intermediate solve or the visit."""
    raise NotImplementedError


def measurement(
    spec: GroupsSpec, context: Context, fold: str, solved: Mapping[str, Any]
) -> Measurement:
    """The fold of one name."""
    raise NotImplementedError


def solve(
    spec: GroupsSpec, context: Context, name: str, states: Mapping[str, Any]
) -> Any | Outcome:
    """A step without data."""
    raise NotImplementedError


def visit(
    spec: GroupsSpec, context: Context, name: str, states: Mapping[str, Any], visited: Visited
) -> Any:
    """A look at the images that a solve chose."""
    raise NotImplementedError
