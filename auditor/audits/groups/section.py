"""What a reader learns from a comparison of groups, as plain data in plain words.

The template `sections/groups.html.jinja` arranges these values and adds no wording that depends on
a number. One `Case` per comparison in which something differs; one row per difference measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.audits.groups import figures
from auditor.audits.groups.cases import Case, make_case
from auditor.audits.groups.limits import limits
from auditor.audits.groups.result import ComparisonResult, GroupsResult
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.groups.tables import Row, concept_rows, difference_rows, heads, more_rows
from auditor.audits.groups.texts import (
    asked,
    learnt,
    left_out,
    meaning,
    reading,
    summary,
    untestable,
)
from auditor.audits.groups.words import Names
from auditor.drawing import Drawing
from auditor.results.finding import Finding
from auditor.wording import plain, sentence


@dataclass(frozen=True)
class GroupsSection:
    """Everything that the section's template shows."""

    asked: tuple[str, ...]
    reading: tuple[tuple[str, str], ...]
    result: str
    networks: Drawing | None
    learnt: tuple[str, ...]
    """For two networks: what each one detects, in sentences."""
    cases: tuple[Case, ...]
    left_out: str
    untestable: tuple[str, ...]
    meaning: tuple[str, ...]
    actions: tuple[str, ...]
    heads: tuple[str, str, str]
    """Headings of the columns of the table: both sides and their difference."""
    rows: tuple[Row, ...]
    more_rows: str
    limits: tuple[str, ...]


def make_section(
    *,
    audit: str,
    spec: GroupsSpec,
    result: GroupsResult,
    findings: Sequence[Finding],
    names: Names,
    active: NDArray[np.bool_],
    max_cases: int,
) -> GroupsSection:
    """Turn a result into what its section shows.

    Args:
        audit: Id of the audit; anchors begin with it.
        spec: The audit's spec.
        result: Its result.
        findings: Its findings.
        names: What filters were named with.
        active: Where filters are active [Z, g, g']; Z = 0 where the run kept none.
        max_cases: Comparisons shown at length.
    """
    differing = sorted(
        (one for one in result.comparisons if one.outcome == "different"),
        key=lambda one: -largest(one),
    )
    cases = tuple(
        make_case(audit, result, one, index, findings, names, active)
        for index, one in enumerate(differing[:max_cases], start=1)
    )
    anchors = {one.id: case.anchor for one, case in zip(differing, cases, strict=False)}
    rows = concept_rows(result) if result.networks else difference_rows(result, names, anchors)
    return GroupsSection(
        asked=asked(result),
        reading=reading(
            result,
            named=any(d.item in names for one in result.comparisons for d in one.differences),
            charts=bool(cases),
        ),
        result=summary(spec, result, len(differing)),
        networks=figures.networks(result.networks, name="networks") if result.networks else None,
        learnt=learnt(result),
        cases=cases,
        left_out=left_out(len(differing) - len(cases)),
        untestable=untestable(result),
        meaning=meaning(result, len(differing)),
        actions=tuple(dict.fromkeys(sentence(plain(a)) for f in findings for a in f.actions)),
        heads=heads(result),
        rows=rows,
        more_rows=more_rows(result),
        limits=limits(result),
    )


def largest(one: ComparisonResult) -> float:
    """Size of the largest difference."""
    return abs(one.differences[0].difference.value or 0.0) if one.differences else 0.0
