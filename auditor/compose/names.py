"""A name that must exist elsewhere in the same spec, and does not."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from auditor.compose.place import Path, Places
from auditor.errors import Problem
from auditor.near import suggest


def unknown(
    places: Places, path: Path, noun: str, name: object, known: object, *, key: bool = False
) -> Problem:
    """A name that does not exist, with the nearest one that does."""
    names = list(known) if isinstance(known, Sequence | dict) else []
    hint = suggest(str(name), names, noun)
    return places.problem(path, f"there is no {noun} `{name}`", hint=hint, key=key)


def repeated(places: Places, path: Path, values: Sequence[Hashable]) -> Iterator[Problem]:
    """Every entry of a list that stands there a second time."""
    for index, value in enumerate(values):
        if value in values[:index]:
            message = f"`{value}` stands in this list twice"
            yield places.problem((*path, index), message, hint="keep one of the two")
