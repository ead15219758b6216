"""The filter audit (LaViSE, CVPR 2022; network dissection, CVPR 2017): folds, solves, visit.

measurement   `levels`, `regions`: from a batch to its state            folds.py, seeing.py
state_type    name of a fold, solve or visit -> the type of its state   states.py
solve         `selected`: thresholds, and the images of each unit       selecting.py
              `explained`: explainers, words, null, recall              explaining.py
              `result`: everything in words                             assemble.py
visit         pictures, and images masked in pixels                     pictures.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from auditor.audits.filters.assemble import outcome
from auditor.audits.filters.explaining import explained_state
from auditor.audits.filters.folds import Levels, Regions
from auditor.audits.filters.pictures import take_pictures
from auditor.audits.filters.selecting import selected_state
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.states import (
    ExplainedState,
    LevelsState,
    PicturesState,
    RegionsState,
    SelectedState,
)
from auditor.context import Context
from auditor.measure.fold import Measurement, Visited
from auditor.measure.vocabulary import Vocabulary
from auditor.results.outcome import Outcome

S = TypeVar("S")


def state_type(spec: FiltersSpec, name: str) -> type[Any]:
    """The state of the fold, the intermediate solve or the visit.

    Raises:
        ValueError: when the audit has none of that name.
    """
    types: dict[str, type[Any]] = {
        "levels": LevelsState,
        "selected": SelectedState,
        "regions": RegionsState,
        "explained": ExplainedState,
        "pictures": PicturesState,
    }
    if name not in types:
        raise ValueError(f"the filters audit keeps no state named {name!r}")
    return types[name]


def measurement(
    spec: FiltersSpec, context: Context, fold: str, solved: Mapping[str, Any]
) -> Measurement:
    """The fold of one name.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        fold: `levels` or `regions`.
        solved: States of the solves that the fold comes after, by name.

    Raises:
        ValueError: when the audit has no fold of that name, or a state is missing.
    """
    match fold:
        case "levels":
            return Levels(spec, context)
        case "regions":
            return Regions(spec, context, _state(solved, "selected", SelectedState))
        case _:
            raise ValueError(f"the filters audit has no fold named {fold!r}")


def solve(
    spec: FiltersSpec, context: Context, name: str, states: Mapping[str, Any]
) -> SelectedState | ExplainedState | Outcome:
    """A step without data.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        name: `selected`, `explained` or `result`.
        states: States of the solve's inputs, by name; `vocabulary` where words are looked for.

    Raises:
        ValueError: when the audit has no solve of that name, or an input is missing.
    """
    if name == "selected":
        return selected_state(spec, context, _state(states, "levels", LevelsState))
    if name not in ("explained", "result"):
        raise ValueError(f"the filters audit has no solve named {name!r}")
    worded = spec.explainer is not None
    vocabulary = _state(states, "vocabulary", Vocabulary) if worded else None
    selected = _state(states, "selected", SelectedState)
    regions = _state(states, "regions", RegionsState)
    if name == "explained":
        return explained_state(spec, context, selected, regions, vocabulary)
    explained = _state(states, "explained", ExplainedState)
    pictures = _state(states, "pictures", PicturesState)
    return outcome(spec, context, selected, regions, explained, pictures, vocabulary)


def visit(
    spec: FiltersSpec, context: Context, name: str, states: Mapping[str, Any], visited: Visited
) -> PicturesState:
    """The images of the cards, and images masked in pixels.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        name: `pictures`.
        states: States of the solves and folds that it comes after, by name.
        visited: The readable images, and the network at hand.

    Raises:
        ValueError: when the audit has no visit of that name, or a state is missing.
    """
    if name != "pictures":
        raise ValueError(f"the filters audit has no visit named {name!r}")
    return take_pictures(
        spec,
        context,
        _state(states, "selected", SelectedState),
        _state(states, "explained", ExplainedState),
        _state(states, "regions", RegionsState),
        visited,
    )


def _state(states: Mapping[str, Any], name: str, kind: type[S]) -> S:
    found = states.get(name)
    if not isinstance(found, kind):
        raise ValueError(f"the input {name!r} must be a {kind.__name__}")
    return found
