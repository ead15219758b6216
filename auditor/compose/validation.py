"""Plain values → `AuditSpec`, or every problem with them at once."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from auditor.catalog import AuditSpec
from auditor.compose.fields import Spot, spot
from auditor.compose.place import Path, Places
from auditor.compose.wording import wording
from auditor.errors import Problem

MOST_PROBLEMS = 200
"""Nobody mends more at a time, and to find what each was meant to be takes its time."""


def validate(plain: Mapping[str, JsonValue]) -> AuditSpec:
    """The spec, read strictly from canonical JSON.

    Raises:
        ValidationError: of pydantic; `problems` says it in words.
    """
    return AuditSpec.model_validate_json(json.dumps(plain, sort_keys=False, allow_nan=False))


def problems(
    error: ValidationError, places: Places, *, root: type[BaseModel] = AuditSpec
) -> list[Problem]:
    """Every validation error with its place, one per value; `root` is what did not validate."""
    found: dict[Path, Problem] = {}
    every = error.errors(include_url=False)
    for details in every:
        if details["type"] == "too_short" and any(inside(other, details) for other in every):
            continue  # pydantic counts only the items that are right
        if len(found) > MOST_PROBLEMS:
            break
        here = spot(root, details["loc"])
        found.setdefault(path_of(details, here), problem(details, here, places))
    return sorted(found.values(), key=order)


def inside(details: ErrorDetails, outer: ErrorDetails) -> bool:
    """Whether an error is about an item of the list that another one is about."""
    length = len(outer["loc"])
    return len(details["loc"]) > length and details["loc"][:length] == outer["loc"]


def problem(details: ErrorDetails, here: Spot, places: Places) -> Problem:
    """One validation error with its place."""
    kind, value = details["type"], details["input"]
    path = path_of(details, here)
    said = wording(details, here)
    if isinstance(details["loc"][-1], str) and several(details, here):
        said = said._replace(message="expected a whole number or text")
    if kind == "union_tag_invalid":
        value = details.get("ctx", {}).get("tag")
    about_key = kind in ("extra_forbidden", "missing") or "[key]" in details["loc"]
    return places.problem(
        path,
        said.message,
        value=... if about_key or kind in ("value_error", "union_tag_not_found") else value,
        hint=said.hint,
        key=about_key,
    )


def path_of(details: ErrorDetails, here: Spot) -> Path:
    """The path to point at: of a wrong tag itself rather than of its mapping."""
    if details["type"] == "union_tag_invalid":
        return (*here.path, str(details.get("ctx", {})["discriminator"]).strip("'"))
    return here.path


def several(details: ErrorDetails, here: Spot) -> bool:
    """Whether the value may be a whole number or text, and is neither."""
    return details["loc"][-1] in ("int", "str") and here.path[-1] != details["loc"][-1]


def order(problem: Problem) -> tuple[bool, str, int, int]:
    """File by file, from top to bottom; overrides last."""
    where = problem.location
    return (
        where is None,
        where.file if where else "",
        where.line if where else 0,
        where.column if where else 0,
    )
