"""What is left of an invalid spec, so that the cross checks can report in the same breath.

A misspelt attribute in one rule should not have to wait until an unknown key elsewhere is mended.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from pydantic import JsonValue, ValidationError

from auditor.catalog import AuditSpec
from auditor.compose.fields import spot
from auditor.compose.place import Path
from auditor.compose.validation import validate

NAMED = {"attributes", "relations"}
"""Sections whose entries rules name: without one of them, every rule about it would look wrong."""

CHECKED = NAMED | {"audits", "dataset", "extractor", "model"}
"""Sections that the other cross checks compare with each other."""


class Salvaged(NamedTuple):
    """The valid part of a spec, and what may be asked of it."""

    spec: AuditSpec
    rules_whole: bool
    """Whether every attribute and relation is still there."""
    names_whole: bool
    """Whether everything is still there that the cross checks compare."""


def salvage(plain: Mapping[str, JsonValue], error: ValidationError) -> Salvaged | None:
    """Cut out what does not validate, until the rest does; None where nothing is left.

    Each round cuts at least one value, so the rounds end.
    """
    rest: dict[str, Any] = deepcopy(dict(plain))
    cut: set[Path] = set()
    while True:
        paths = {cut_path(details["type"], details["loc"]) for details in error.errors()}
        if not all(remove(rest, path) for path in sorted(paths, key=len, reverse=True)):
            return None
        cut |= paths
        try:
            spec = validate(rest)
        except ValidationError as next_error:
            error = next_error
            continue
        lost = {path[0] for path in cut if len(path) <= 2}
        return Salvaged(spec, not lost & NAMED, not lost & CHECKED)


def cut_path(kind: str, loc: tuple[int | str, ...]) -> Path:
    """The value to cut out: whole lists rather than items, so that no index moves."""
    path = spot(AuditSpec, loc).path
    if kind == "missing":
        path = path[:-1]
    first_index = next((i for i, segment in enumerate(path) if isinstance(segment, int)), None)
    return path[:first_index]


def remove(values: dict[str, Any], path: Path) -> bool:
    """Delete the value at a path; True where there is one, or an outer one was deleted before."""
    if not path:
        return False
    node: Any = values
    for segment in path[:-1]:
        node = node.get(segment) if isinstance(node, dict) else None
        if node is None:
            return True
    return isinstance(node, dict) and node.pop(path[-1], ...) is not ...
