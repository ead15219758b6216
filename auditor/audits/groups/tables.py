"""The comparison of groups as rows of the report's table of everything tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.audits.groups.cases import label, sides_title
from auditor.audits.groups.result import ConceptResult, GroupsResult
from auditor.audits.groups.words import Names
from auditor.results.base import Verdict
from auditor.wording import (
    ABSENT,
    count,
    listing,
    p_value,
    percent_with_interval,
    plain,
    points_with_interval,
    sentence,
    with_interval,
)


@dataclass(frozen=True)
class Row:
    """One thing of one comparison in the table of everything tested."""

    groups: str
    item: str
    first: str
    second: str
    difference: str
    p: str
    outcome: str
    verdict: Verdict | None
    target: str | None


def heads(result: GroupsResult) -> tuple[str, str, str]:
    """Headings of the table's numbers."""
    if result.networks is not None:
        titles = (result.networks.first.title, result.networks.second.title)
        return (plain(titles[0]), plain(titles[1]), "Difference")
    return ("First (95 %)", "Second (95 %)", "Points (95 %)")


def difference_rows(
    result: GroupsResult, names: Names, anchors: Mapping[str, str]
) -> tuple[Row, ...]:
    """The listed differences of every comparison, and a line for each that could not be made."""
    rows: list[Row] = []
    for one in result.comparisons:
        groups = sides_title(one)
        if one.outcome == "not_testable":
            reason = sentence(plain(one.reason or ""))[:-1]
            rows.append(
                Row(groups, ABSENT, ABSENT, ABSENT, ABSENT, ABSENT, reason, "inconclusive", None)
            )
            continue
        rows += [
            Row(
                groups=groups,
                item=label(result, found, names),
                first=percent_with_interval(found.first),
                second=percent_with_interval(found.second),
                difference=points_with_interval(found.difference),
                p=p_value(found.p_adjusted.value),
                outcome="different" if found.different else "alike",
                verdict="fail" if found.different else "pass",
                target=anchors.get(one.id) if found.different else None,
            )
            for found in one.differences
        ]
    return tuple(rows)


def concept_rows(result: GroupsResult) -> tuple[Row, ...]:
    """The listed concepts of two networks."""
    found = result.networks.concepts if result.networks is not None else ()
    return tuple(concept_row(one) for one in found)


def concept_row(one: ConceptResult) -> Row:
    tested = one.p_adjusted.value is not None
    outcome = "different" if one.different else "alike"
    return Row(
        groups=plain(one.name),
        item=listing([f"filter {one.first_filter}", f"filter {one.second_filter}"]),
        first=with_interval(one.first),
        second=with_interval(one.second),
        difference=with_interval(one.difference),
        p=p_value(one.p_adjusted.value),
        outcome=outcome if tested else sentence(plain(one.p_adjusted.reason or ""))[:-1],
        verdict="fail" if one.different else "pass" if tested else "inconclusive",
        target=None,
    )


def more_rows(result: GroupsResult) -> str:
    """What the table leaves to the file."""
    if result.networks is not None:
        kept, total = len(result.networks.concepts), result.networks.num_concepts
        file = "concepts"
    else:
        kept = sum(len(one.differences) for one in result.comparisons)
        total, file = result.num_tested, "differences"
    if kept >= total:
        return ""
    return f"The largest {count(kept)} of {count(total)} are listed; tables/{file}.parquet has all."
