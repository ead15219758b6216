"""The rows of the failure audit's tables: every group, every grouping and depth, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.audits.failures.cases import Reader
from auditor.audits.failures.describe import condition_text, shown_leaf
from auditor.audits.failures.result import AggregateResult, GroupOutcome, GroupResult, LeafResult
from auditor.audits.failures.words import grouping_words, network_words, scored
from auditor.results.base import Verdict
from auditor.wording import (
    ABSENT,
    count,
    number,
    p_value,
    percent,
    percent_with_interval,
    plain,
    points_with_interval,
    with_interval,
)

OUTCOMES: dict[GroupOutcome, tuple[Verdict | None, str]] = {
    "slice": ("fail", "confirmed"),
    "no_slice": ("pass", "nothing found"),
    "exploratory": (None, "exploratory"),
    "no_failures": ("pass", "no errors"),
    "not_testable": ("inconclusive", "not testable"),
}


@dataclass(frozen=True)
class GroupRow:
    """One line of the table of all groups."""

    images: str
    network: str
    size: str
    error_rate: str
    rule: str
    inside: str
    p: str
    outcome: str
    verdict: Verdict | None
    reason: str
    target: str | None
    """Anchor of the case that shows the group at length."""


@dataclass(frozen=True)
class AggregateRow:
    """One grouping of one network at one depth."""

    network: str
    grouping: str
    depth: str
    groups: str
    error_rate: str
    gain: str
    normalised: str
    valid: str
    confirmed: str


def group_row(reader: Reader, group: GroupResult, anchors: Mapping[str, str]) -> GroupRow:
    """One group; where no part stood the test, the most promising one is shown all the same."""
    verdict, words = OUTCOMES[group.outcome]
    whole, leaf = scored(group), told_leaf(group)
    if group.outcome == "exploratory":
        words = "exploratory: part found" if shown_leaf(group) else "exploratory: nothing found"
    if group.outcome == "not_testable" and whole.size and whole.failures == whole.size:
        verdict, words = "warn", "everything fails"  # as its finding says
    return GroupRow(
        images=plain(group.images),
        network=network_words(reader.result, group.inspected),
        size=count(whole.size),
        error_rate=percent(whole.error_rate),
        rule=plain(condition_text(leaf.path, reader.short)) if leaf else ABSENT,
        inside=percent_with_interval(leaf.error_rate) if leaf else ABSENT,
        p=p_value(leaf.p_adjusted.value) if leaf else ABSENT,
        outcome=words,
        verdict=verdict,
        reason=plain(group.reason or ""),
        target=anchors.get(group.id),
    )


def told_leaf(group: GroupResult) -> LeafResult | None:
    """The leaf that stands for the group, else the most promising of those that were tested."""
    return shown_leaf(group) or next(iter(group.leaves), None)


def aggregate_row(reader: Reader, row: AggregateResult) -> AggregateRow:
    """One grouping of one network at one depth."""
    return AggregateRow(
        network=network_words(reader.result, row.inspected),
        grouping=f"pictures {grouping_words(row.grouping)}",
        depth=number(row.depth, 0),
        groups=count(row.num_groups),
        error_rate=percent(row.base_error_rate.value),
        gain=points_with_interval(row.gain),
        normalised=with_interval(row.normalised_gain, 3),
        valid=percent(row.share_valid.value),
        confirmed=count(row.num_confirmed),
    )
