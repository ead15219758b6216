"""What the failure audit could not see, and how small a part it could have found."""

from __future__ import annotations

import math

from auditor.audits.failures.result import FailuresResult, GroupResult
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.words import scored
from auditor.wording import count, counted, number, percent, plain

Z_TWO_SIDED = 1.959964
"""97.5 % quantile of the normal distribution."""


def limits(spec: FailuresSpec, result: FailuresResult) -> tuple[str, ...]:
    """Sentences about coverage, power and method of one audit."""
    found = [coverage(spec, result), *power(spec, result)]
    left_out = [
        (result.num_unlabelled, "picture", "had no usable label or answer and took no part"),
        (result.num_constant, "feature", "never changed and could mark off nothing"),
        (result.num_nonfinite, "feature", "had values that are no numbers and were left out"),
    ]
    found += [f"{counted(n, noun)} {why}." for n, noun, why in left_out if n]
    found += [
        "Only what the features respond to can be found. Errors that share something else look "
        "scattered here.",
        "A part is described by one or a few features, each cut at one value. Errors that gather "
        "at middling values, or along finer lines, are seen less well.",
    ]
    if len(result.inspected) > 1:
        found.append(
            "Two networks are compared by the gain in proportion to what was left to gain: a "
            "network with fewer errors has more room above them."
        )
    return tuple(found)


def coverage(spec: FailuresSpec, result: FailuresResult) -> str:
    looked = f"{counted(result.num_images, 'picture')} of the split “{plain(spec.split)}” took part"
    if result.exploratory:
        return f"{looked}. Nothing was held back, so no part could be confirmed."
    return (
        f"{looked}: on {count(result.num_found)} of them parts were found, on the other "
        f"{count(result.num_images - result.num_found)} they were measured. Splitting costs power: "
        "a part has to be clear on either share of the pictures alone."
    )


def power(spec: FailuresSpec, result: FailuresResult) -> tuple[str, ...]:
    """What could not be tested, and how exactly a part of a middling group is known."""
    skipped = [group for group in result.groups if group.outcome == "not_testable"]
    found = []
    if skipped:
        was = "was" if len(skipped) == 1 else "were"
        found.append(
            f"{counted(len(skipped), 'group')} {was} not testable: a group needs at least "
            f"{counted(spec.min_group, 'picture')}, and {counted(spec.min_failures, 'error')} and "
            "as many right answers, each time a part is found or measured. Of such groups this "
            "report says nothing, good or bad."
        )
    widths = sorted(half_width(g) for g in result.groups if g.depths and scored(g).size)
    if widths:
        middle = widths[len(widths) // 2]
        found.append(
            "In the middle group, the error rate of a part that holds a third of the pictures is "
            f"known to within about {number(100 * middle, 0)} points. Parts that exceed their "
            f"group by much less than that, or by less than {percent(result.excess)} at all, "
            "are not reported."
        )
    return tuple(found)


def half_width(group: GroupResult) -> float:
    """Half the width of a 95 % interval of the error rate in a third of the group (normal)."""
    whole = scored(group)
    rate = whole.error_rate or 0.0
    return Z_TWO_SIDED * math.sqrt(rate * (1 - rate) / max(whole.size / 3, 1.0))
