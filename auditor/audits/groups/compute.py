"""The groups audit: its folds, solves, visits and outcome.

measurement   what every image shows; or filters against regions   folds.py, states.py
solve         `compared`: groups, T_u, shares, tests, rows shown   grouping.py, comparing.py
              `thresholds`, two networks                           networks.py
              `chosen_<split>`: rows of one split that are shown   pictures.py
              `result`: sentences, tables, files                   assemble.py, findings.py
visit         the images, and where filters are active             pictures.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from auditor.audits.groups.assemble import networks_outcome, outcome
from auditor.audits.groups.comparing import compare
from auditor.audits.groups.folds import Levels, Regions, Table
from auditor.audits.groups.needs import SIDES, Side, pictures_of, table_of
from auditor.audits.groups.networks import thresholds_state
from auditor.audits.groups.pictures import chosen_rows, take_pictures
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.groups.states import (
    ChosenState,
    ComparedState,
    LevelsState,
    OverlapState,
    PicturesState,
    TableState,
    ThresholdsState,
)
from auditor.context import Context
from auditor.measure.fold import Measurement, Visited
from auditor.measure.state import merge_all
from auditor.results.outcome import Outcome

S = TypeVar("S")


def state_type(spec: GroupsSpec, name: str) -> type[Any]:
    """The state of the fold, the intermediate solve or the visit.

    Raises:
        ValueError: when the audit has none of that name.
    """
    types: dict[str, type[Any]] = {"compared": ComparedState, "thresholds": ThresholdsState}
    for split in spec.splits:
        types[f"table_{split}"] = TableState
        types[f"chosen_{split}"] = ChosenState
        types[f"pictures_{split}"] = PicturesState
        for side in SIDES:
            types[f"levels_{side}_{split}"] = LevelsState
            types[f"regions_{side}_{split}"] = OverlapState
    if name not in types:
        raise ValueError(f"the groups audit keeps no state named {name!r}")
    return types[name]


def measurement(
    spec: GroupsSpec, context: Context, fold: str, solved: Mapping[str, Any]
) -> Measurement:
    """The fold of one name.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        fold: Name of the fold.
        solved: States of the solves that the fold comes after.

    Raises:
        ValueError: when the audit has no fold of that name.
    """
    for split in spec.splits:
        if fold == table_of(split):
            return Table(spec, context, split)
        for side in SIDES:
            if fold == f"levels_{side}_{split}":
                return Levels(spec, context, split, side)
            if fold == f"regions_{side}_{split}":
                limits = _state(solved, "thresholds", ThresholdsState)
                return Regions(spec, context, side, limits)
    raise ValueError(f"the groups audit has no fold named {fold!r}")


def solve(
    spec: GroupsSpec, context: Context, name: str, states: Mapping[str, Any]
) -> ComparedState | ChosenState | ThresholdsState | Outcome:
    """A step without data.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        name: `compared`, `chosen_<split>`, `thresholds` or `result`.
        states: States of the solve's inputs, by name.

    Raises:
        ValueError: when the audit has no solve of that name, or an input is missing.
    """
    if name == "compared":
        tables = [_state(states, table_of(split), TableState) for split in spec.splits]
        return compare(spec, context, tables)
    if name == "thresholds":
        first, second = (
            [_state(states, f"levels_{side}_{split}", LevelsState) for split in spec.splits]
            for side in SIDES
        )
        return thresholds_state(spec, context, first, second)
    for split in spec.splits:
        if name == f"chosen_{split}":
            return chosen_rows(spec, split, _state(states, "compared", ComparedState))
    if name != "result":
        raise ValueError(f"the groups audit has no solve named {name!r}")
    if spec.compare == "networks":
        limits = _state(states, "thresholds", ThresholdsState)
        return networks_outcome(spec, context, limits, [_overlaps(spec, states, s) for s in SIDES])
    taken = {
        split: _state(states, pictures_of(split), PicturesState)
        for split in spec.splits
        if pictures_of(split) in states
    }
    return outcome(spec, context, _state(states, "compared", ComparedState), taken)


def visit(
    spec: GroupsSpec, context: Context, name: str, states: Mapping[str, Any], visited: Visited
) -> PicturesState:
    """A look at the images of one split that show the largest differences.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        name: `pictures_<split>`.
        states: States of the solves that it comes after, by name.
        visited: The readable images, and the network at hand where filters are compared.

    Raises:
        ValueError: when the audit has no visit of that name, or an input is missing.
    """
    for split in spec.splits:
        if name == pictures_of(split):
            compared = _state(states, "compared", ComparedState)
            return take_pictures(spec, context, split, compared, visited)
    raise ValueError(f"the groups audit has no visit named {name!r}")


def _overlaps(spec: GroupsSpec, states: Mapping[str, Any], side: Side) -> OverlapState:
    """Counts of one layer over all splits."""
    return merge_all(
        _state(states, f"regions_{side}_{split}", OverlapState) for split in spec.splits
    )


def _state(states: Mapping[str, Any], name: str, kind: type[S]) -> S:
    found = states.get(name)
    if not isinstance(found, kind):
        raise ValueError(f"the input {name!r} must be a {kind.__name__}")
    return found
