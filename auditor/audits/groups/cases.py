"""One comparison at length: its chart, and pictures of both sides of its largest differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.audits.groups import figures
from auditor.audits.groups.findings import comparison_claim
from auditor.audits.groups.result import (
    ComparisonResult,
    DifferenceResult,
    GroupsResult,
    PictureResult,
)
from auditor.audits.groups.words import Names, thing
from auditor.drawing import Drawing, Tile
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding
from auditor.wording import (
    count,
    counted,
    number,
    percent,
    percent_with_interval,
    plain,
    points_with_interval,
    sentence,
)

LEAST_PLACES = 3
"""A single picture takes no more than a third of its side."""


@dataclass(frozen=True)
class Strip:
    """Pictures of one side of one difference."""

    label: str
    note: str
    tiles: tuple[Tile, ...]
    blanks: int
    """Places left empty, so that pictures are of one size however many there are."""


@dataclass(frozen=True)
class Shown:
    """One difference with its pictures."""

    title: str
    first: Strip
    second: Strip


@dataclass(frozen=True)
class Case:
    """One comparison in which something differs."""

    number: int
    anchor: str
    title: str
    severity: str
    claim: str
    drawing: Drawing
    shown: tuple[Shown, ...]
    numbers: tuple[str, ...]
    steps: tuple[str, ...]
    ids: tuple[str, ...]


def make_case(
    audit: str,
    result: GroupsResult,
    one: ComparisonResult,
    index: int,
    findings: Sequence[Finding],
    names: Names,
    active: NDArray[np.bool_],
) -> Case:
    """One comparison at length."""
    subjects = {one.first, one.second} - {None}
    own = [finding for finding in findings if set(finding.subjects) == subjects]
    labels = [label(result, found, names) for found in one.differences]
    return Case(
        number=index,
        anchor=f"audit-{audit}-{index}",
        title=sides_title(one),
        severity=own[0].severity if own else "",
        claim=comparison_claim(result, one, names),
        drawing=figures.differences(one, labels, name=f"differences-{index}"),
        shown=tuple(
            shown_difference(result, one, picture, names, active)
            for picture in result.pictures
            if picture.comparison == one.id
        ),
        numbers=case_numbers(result, one, names),
        steps=tuple(sentence(plain(action)) for f in own for action in f.actions),
        ids=tuple(finding.id for finding in own),
    )


def sides_title(one: ComparisonResult) -> str:
    """`Skin deep and other pictures`."""
    return sentence(f"{plain(one.first_title)} and {plain(one.second_title)}")[:-1]


def label(result: GroupsResult, found: DifferenceResult, names: Names) -> str:
    """`37 · wheel, car (0.61)`, or the thing itself."""
    if result.compare != "filters" or found.item not in names:
        return plain(found.title)
    return f"{count(found.item)} · {plain(names[found.item])}"


def case_numbers(result: GroupsResult, one: ComparisonResult, names: Names) -> tuple[str, ...]:
    """Sizes and the strongest number in sentences."""
    found = one.differences[0]
    told = [
        f"{counted(one.num_first, 'picture')} against {count(one.num_second)}; "
        f"{counted(one.num_tested, thing(result.compare))} tested, "
        f"{count(one.num_different)} different.",
        f"The largest difference is {points_with_interval(found.difference)}: "
        f"{percent_with_interval(found.first)} against {percent_with_interval(found.second)} "
        f"({label(result, found, names)}).",
    ]
    if one.num_both:
        told.append(f"{counted(one.num_both, 'picture')} in both groups took no part.")
    return tuple(told)


def shown_difference(
    result: GroupsResult,
    one: ComparisonResult,
    picture: PictureResult,
    names: Names,
    active: NDArray[np.bool_],
) -> Shown:
    """One difference with pictures of both sides."""
    found = next((d for d in one.differences if d.item == picture.item), None)
    title = plain(found.title) if found else f"{thing(result.compare)} {picture.item}"
    if result.compare == "filters" and picture.item in names:
        title += f" · {plain(names[picture.item])}"
    start = picture.active
    second = None if start is None else start + len(picture.first)
    most = max(len(files) for each in result.pictures for files in (each.first, each.second))
    places = max(LEAST_PLACES, most)
    return Shown(
        title=sentence(title)[:-1],
        first=strip(
            result, (one.first_title, one.first_images), found.first if found else None,
            picture.first, picture.first_activations, active, start, places,
        ),
        second=strip(
            result, (one.second_title, one.second_images), found.second if found else None,
            picture.second, picture.second_activations, active, second, places,
        ),
    )  # fmt: skip


def strip(
    result: GroupsResult,
    side: tuple[str, str],
    share: Estimate | None,
    files: Sequence[str],
    activations: Sequence[float],
    active: NDArray[np.bool_],
    start: int | None,
    places: int,
) -> Strip:
    """Pictures of one side; for filters the line encloses where the filter is active.

    Args:
        result: The audit's result.
        side: The side in a heading, and its images in words.
        share: Share of them; None where it is not among the listed differences.
        files: Pictures.
        activations: Largest activation in each.
        active: Where filters are active [Z, g, g'], all pictures of the audit.
        start: The first of these pictures among them.
        places: Pictures that fit beside each other.
    """
    heading, images = side
    tiles = []
    for i, file in enumerate(files):
        region = active[start + i] if start is not None and start + i < len(active) else None
        value = activation(activations[i]) if i < len(activations) else ""
        state = "" if region is None else ", active" if bool(region.any()) else ", not active"
        tiles.append(
            Tile(
                image=file,
                alt=f"One of the {plain(images)}{state}",
                caption=f"{value}{state}".removeprefix(", "),
                outline=region if region is not None and bool(region.any()) else None,
            )
        )
    note = "" if share is None else f"{percent(share.value)} {NOTES[result.compare]}"
    return Strip(
        label=sentence(plain(heading))[:-1],
        note=note if tiles else f"{note}, none to show",
        tiles=tuple(tiles),
        blanks=max(0, places - len(tiles)) if tiles else 0,
    )


def activation(value: float) -> str:
    """`12.3`, and `0.04` where one digit would not tell it from nothing."""
    return number(value, 1 if abs(value) >= 1 else 2)


NOTES = {
    "filters": "with the filter active",
    "attributes": "labelled so",
    "concepts": "annotated so",
    "predictions": "called so",
    "networks": "detected",
}
