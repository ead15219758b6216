"""Checks that every dataset makes on its splits, ids and views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from auditor.errors import InputError, PlanError
from auditor.near import suggest
from auditor.needs import View

T = TypeVar("T")
SHOWN = 5


def split_of(splits: Mapping[str, T], name: str) -> T:
    """The split with this name.

    Raises:
        PlanError: There is none; near names are offered.
    """
    if name not in splits:
        raise PlanError(
            f"the dataset has no split {name!r}", hint=suggest(name, splits, "split", most=3)
        )
    return splits[name]


def no_column(name: str, known: Sequence[str]) -> PlanError:
    """The error for a column that does not exist, with near names."""
    return PlanError(
        f"the dataset has no column {name!r}", hint=suggest(name, known, "column", most=3)
    )


def check_unique(ids: Mapping[str, Sequence[str]]) -> None:
    """Refuse ids that are empty or that occur twice in the dataset.

    Raises:
        InputError: naming the first few of them.
    """
    counts = Counter(one for of_split in ids.values() for one in of_split)
    if "" in counts:
        raise InputError(f"{counts['']} rows have an empty id", hint="Every row needs its own id.")
    repeated = [one for one, count in counts.items() if count > 1]
    if repeated:
        shown = ", ".join(f"{one!r} ({counts[one]} times)" for one in repeated[:SHOWN])
        more = f" and {len(repeated) - SHOWN} more" if len(repeated) > SHOWN else ""
        raise InputError(
            f"sample ids repeat: {shown}{more}",
            hint="Ids are unique over all splits; `dataset.columns.id` names their column.",
        )


def only_clean(view: View, what: str) -> None:
    """Refuse every view but the stored images.

    Raises:
        PlanError: The view asks for redrawn images.
    """
    if view.kind != "clean":
        raise PlanError(
            f"{what} holds finished images; nobody can redraw them under an intervention",
            hint="Only `source: portraits` draws its images.",
        )


def no_regions(what: str) -> PlanError:
    """The error for a dataset whose images have no annotated regions."""
    return PlanError(
        f"{what} says nothing of regions of its images",
        hint="Concepts come from `coco`, `index_masks` or `portraits`, or from `dataset.regions` "
        "of a manifest.",
    )
