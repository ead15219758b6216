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


@dataclass(frozen=True)
class Strip:
    """Pictures of one side of one difference."""

    label: str
    note: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Shown:
    """One difference with its pictures."""

    title: str
    words: str
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
        title=sentence(f"{plain(one.first_images)} and {plain(one.second_images)}")[:-1],
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
    title = plain(found.title) if found is not None else f"{thing(result.compare)} {picture.item}"
    start = picture.active
    second = None if start is None else start + len(picture.first)
    return Shown(
        title=title,
        words=plain(names.get(picture.item, "")) if result.compare == "filters" else "",
        first=strip(
            result, one.first_images, found.first if found else None,
            picture.first, picture.first_activations, active, start,
        ),
        second=strip(
            result, one.second_images, found.second if found else None,
            picture.second, picture.second_activations, active, second,
        ),
    )  # fmt: skip


def strip(
    result: GroupsResult,
    images: str,
    share: Estimate | None,
    files: Sequence[str],
    activations: Sequence[float],
    active: NDArray[np.bool_],
    start: int | None,
) -> Strip:
    """Pictures of one side; for filters the line encloses where the filter is active."""
    tiles = []
    for i, file in enumerate(files):
        region = active[start + i] if start is not None and start + i < len(active) else None
        value = number(activations[i], 1) if i < len(activations) else ""
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
        label=sentence(plain(images))[:-1],
        note=note if tiles else f"{note}, none to show",
        tiles=tuple(tiles),
    )


NOTES = {
    "filters": "with the filter active",
    "attributes": "labelled so",
    "concepts": "annotated so",
    "predictions": "called so",
    "networks": "detected",
}
