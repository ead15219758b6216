"""Words of the failure audit that several sentences, tables and figures share."""

from __future__ import annotations

from auditor.audits.failures.result import Counts, FailuresResult, GroupResult, NodeResult
from auditor.wording import plain

GROUPINGS = {
    "label": "of one class",
    "prediction": "called one class",
    "confusion": "of two classes that are confused",
    "union": "of one class or called it",
}
"""Pictures …, by grouping."""


def grouping_words(grouping: str) -> str:
    """`of one class`, `of one value of “camera”`: what the pictures of a group share."""
    if grouping.startswith("column:"):
        return f"of one value of “{plain(grouping.removeprefix('column:'))}”"
    return GROUPINGS.get(grouping, plain(grouping))


def scored(part: NodeResult | GroupResult) -> Counts:
    """What the report shows: images that nothing was found on, where there are any."""
    return part.confirmed or part.found


def network_words(result: FailuresResult, role: str) -> str:
    """The inspected network as a reader would say it."""
    return plain(result.inspected.get(role, role))
