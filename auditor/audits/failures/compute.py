"""The failure audit (Singla et al., "Barlow", CVPR 2021): its fold, solves, visit and outcome.

measurement   what turns a batch into rows of the table               folds.py, states.py
state_type    name of a fold, solve or visit -> the type of its state
solve         `trees`: groups, and one tree after the other           groups.py, study.py
                select, grow, null and stability                      growing.py, store.py
                score, test and correct leaves                        confirming.py
                all groups at once; candidates for names              aggregate.py, suggestions.py
                which images show the strongest slices                pictures_result.py
              `result`: findings in sentences, tables, files          findings.py, assemble.py
visit         heat maps and feature attacks of those images           pictures.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from auditor.audits.failures.assemble import grown_state, outcome
from auditor.audits.failures.folds import Table
from auditor.audits.failures.pictures import take_pictures
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.states import GrownState, PicturesState, TableState
from auditor.context import Context
from auditor.measure.fold import Measurement, Visited
from auditor.results.outcome import Outcome

S = TypeVar("S")


def state_type(spec: FailuresSpec, name: str) -> type[Any]:
    """The state of the fold, the intermediate solve or the visit.

    Raises:
        ValueError: when the audit has none of that name.
    """
    types: dict[str, type[Any]] = {
        "table": TableState,
        "trees": GrownState,
        "pictures": PicturesState,
    }
    if name not in types:
        raise ValueError(f"the failures audit keeps no state named {name!r}")
    return types[name]


def measurement(
    spec: FailuresSpec, context: Context, fold: str, solved: Mapping[str, Any]
) -> Measurement:
    """The fold of one name.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        fold: Name of the fold.
        solved: States of the solves that the fold comes after; it comes after none.

    Raises:
        ValueError: when the audit has no fold of that name.
    """
    if fold != "table":
        raise ValueError(f"the failures audit has no fold named {fold!r}")
    return Table(spec, context)


def solve(
    spec: FailuresSpec, context: Context, name: str, states: Mapping[str, Any]
) -> GrownState | Outcome:
    """A step without data.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        name: `trees` or `result`.
        states: States of the solve's inputs, by name; `result` does without `pictures`.

    Raises:
        ValueError: when the audit has no solve of that name, or an input is missing.
    """
    match name:
        case "trees":
            return grown_state(spec, context, _state(states, "table", TableState))
        case "result":
            taken = _state(states, "pictures", PicturesState) if "pictures" in states else None
            return outcome(spec, context, _state(states, "trees", GrownState), taken)
        case _:
            raise ValueError(f"the failures audit has no solve named {name!r}")


def visit(
    spec: FailuresSpec,
    context: Context,
    name: str,
    states: Mapping[str, Any],
    visited: Visited,
) -> PicturesState:
    """Heat maps and feature attacks of the images that the trees chose.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        name: `pictures`.
        states: States of the solves that it comes after, by name.
        visited: The readable images, and the extractor at hand where there is one.

    Raises:
        ValueError: when the audit has no visit of that name, or the trees are missing.
    """
    if name != "pictures":
        raise ValueError(f"the failures audit has no visit named {name!r}")
    return take_pictures(spec, context, _state(states, "trees", GrownState), visited)


def _state(states: Mapping[str, Any], name: str, kind: type[S]) -> S:
    found = states.get(name)
    if not isinstance(found, kind):
        raise ValueError(f"the input {name!r} must be a {kind.__name__}")
    return found
