"""How many rules the audits of a run answered to, and how many came to a decision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from auditor.catalog import AnyResult


class RuleCount(NamedTuple):
    """Rules, as pairs, over all audits."""

    num_rules: int
    num_decided: int


def count_rules(results: Iterable[AnyResult]) -> RuleCount:
    """Sum over the audits of a run."""
    counts = [count_of(result) for result in results]
    return RuleCount(
        num_rules=sum(count.num_rules for count in counts),
        num_decided=sum(count.num_decided for count in counts),
    )


def count_of(result: AnyResult) -> RuleCount:
    match result.kind:
        case "relationships":
            return RuleCount(result.num_rules, result.num_decided)
        case "failures" | "filters" | "groups":
            return RuleCount(0, 0)
