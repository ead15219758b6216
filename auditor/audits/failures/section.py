"""What a reader learns from the failure audit, as plain data in plain words.

The template `sections/failures.html.jinja` arranges these values and adds no wording that depends
on a number. One `Case` per group with a slice, strongest first; one `GroupRow` per group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.audits.failures import overview
from auditor.audits.failures.cases import Case, Reader, make_case
from auditor.audits.failures.describe import shown_leaf, strongest
from auditor.audits.failures.limits import limits
from auditor.audits.failures.naming import Naming, elsewhere_words, snippet
from auditor.audits.failures.result import FailuresResult, GroupResult
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.tables import AggregateRow, GroupRow, aggregate_row, group_row
from auditor.audits.failures.words import network_words
from auditor.drawing import Drawing
from auditor.results.finding import Finding
from auditor.results.run_record import TrainingRecord
from auditor.wording import (
    counted,
    listing,
    number,
    percent,
    percent_with_interval,
    plain,
    sentence,
    shortened,
    spelt,
)


@dataclass(frozen=True)
class FailuresSection:
    """Everything that the section's template shows."""

    asked: tuple[str, ...]
    reading: tuple[tuple[str, str], ...]
    result: str
    exploratory: str
    """The warning that nothing was held back; empty where images were."""
    source: tuple[str, ...]
    """What the features come from, in sentences."""
    cases: tuple[Case, ...]
    left_out: str
    features: Drawing | None
    gains: Drawing | None
    surface: Drawing | None
    aggregate: tuple[AggregateRow, ...]
    networks: int
    """Inspected networks: with one, tables need no column for it."""
    untestable: tuple[str, ...]
    meaning: tuple[str, ...]
    actions: tuple[str, ...]
    key: str
    """What the features come from, as the review file names it; empty where that is unknown."""
    snippet: str
    elsewhere: str
    groups: tuple[GroupRow, ...]
    limits: tuple[str, ...]


def make_section(
    *,
    audit: str,
    spec: FailuresSpec,
    result: FailuresResult,
    findings: Sequence[Finding],
    naming: Naming,
    training: TrainingRecord | None,
    maps: NDArray[np.float32],
    max_cases: int,
) -> FailuresSection:
    """Turn a result into what its section shows.

    Args:
        audit: Id of the audit; anchors begin with it.
        spec: The audit's spec.
        result: Its result.
        findings: Its findings.
        naming: What people called features.
        training: How the feature network was fitted, where the run fitted it.
        maps: Heat maps [K, h, w] between 0 and 1; K = 0 where the run kept none.
        max_cases: Groups shown at length.
    """
    reader = Reader(audit=audit, spec=spec, result=result, naming=naming, maps=maps)
    slices = strongest(result, len(result.groups))
    cases = tuple(
        make_case(reader, i, group, leaf, [f for f in findings if group.id in f.subjects])
        for i, (group, leaf) in enumerate(slices[:max_cases], start=1)
    )
    anchors = {case.group: case.anchor for case in cases}
    return FailuresSection(
        asked=asked(result),
        reading=reading(result),
        result=summary(result, len(slices)),
        exploratory=EXPLORATORY if result.exploratory else "",
        source=source(result, training),
        cases=cases,
        left_out=left_out(len(slices) - len(cases)),
        features=overview.features(result, reader.short),
        gains=overview.gains(result),
        surface=overview.surface(result),
        aggregate=tuple(aggregate_row(reader, row) for row in result.aggregate),
        networks=len(result.inspected),
        untestable=untestable(result),
        meaning=meaning(result, [group for group, _ in slices]),
        actions=actions(cases),
        key=naming.key or "",
        snippet=snippet(
            naming,
            list(dict.fromkeys(leaf.path[-1].feature for _, leaf in slices[:max_cases])),
            suggested(reader),
        ),
        elsewhere=elsewhere_words(naming),
        groups=tuple(group_row(reader, group, anchors) for group in result.groups),
        limits=limits(spec, result),
    )


EXPLORATORY = (
    "Exploratory: the parts were found and measured on the same pictures, as the published method "
    "does. The best of many descriptions looks too good on the pictures that it was chosen on, so "
    "everything in this section is a hint to follow up and not a proven finding."
)


def asked(result: FailuresResult) -> tuple[str, ...]:
    many = len(result.inspected) > 1
    who = listing([network_words(result, role) for role in result.inspected])
    return (
        f"Where does {'the model' if not many else 'each of two networks'} fail, and what do those "
        "pictures have in common? An overall score hides it: a model may do well on the whole and "
        "still miss most pictures of one kind.",
        f"So this audit describes every picture by {counted(result.num_features, 'feature')} that "
        f"another look at it yields, and searches for features that mark off a part with more "
        f"errors. It does so inside {counted(len(result.groups), 'group')} of pictures, such as "
        f"all that show the same thing or get the same answer. Looked at: {plain(who)}.",
    )


def reading(result: FailuresResult) -> tuple[tuple[str, str], ...]:
    scored = (
        "All pictures are used for both: to find a part and to measure it."
        if result.exploratory
        else "A part is found on some of the pictures and measured on the others, which were held "
        "back. Numbers are from those held back unless a sentence says otherwise."
    )
    changed = (
        "Changed pictures",
        "A picture is changed little by little so that one feature rises "
        f"({plain(result.attack or '')}). What grows in it shows what the feature responds to.",
    )
    return (
        (
            "Feature",
            "Something that one unit of the feature network responds to, such as a smile or a "
            "striped background. It has a number; what it shows, a person has to say.",
        ),
        (
            "Low and high",
            "A feature is high in a picture that shows much of it and low in one that shows little "
            "or none.",
        ),
        ("Part", f"The pictures of a group on one side of one or a few features. {scored}"),
        (
            "Tree",
            "From left to right: how often the model is wrong, first in the whole group, then in "
            "its parts. Bars compare the parts and state how many pictures in them are wrong.",
        ),
        (
            "Confirmed",
            f"The part holds more than {percent(result.coverage)} of the group's errors, its error "
            f"rate is more than {number(100 * result.excess, 0)} points above the group's, and "
            "chance is a poor explanation. Of all parts called confirmed, no more than about "
            f"{percent(result.alpha)} are expected to be false alarms.",
        ),
        *((changed,) if result.attack and result.pictures else ()),
        (
            "Numbers in brackets",
            "The range in which the true value lies with 95 % confidence, given the pictures that "
            "were looked at.",
        ),
    )


def summary(result: FailuresResult, slices: int) -> str:
    testable = sum(group.outcome != "not_testable" for group in result.groups)
    looked = (
        f"Of {counted(len(result.groups), 'group')} of pictures, "
        f"{'all' if testable == len(result.groups) else spelt(testable)} could be tested"
    )
    if not testable:
        return f"Of {counted(len(result.groups), 'group')} of pictures, none could be tested."
    if not slices:
        return f"{looked}. In none of them do the errors gather where a feature is low or high."
    where = f"In {spelt(slices)} of them" if slices > 1 or testable > 1 else "There"
    how = (
        "errors gather where a feature is low or high, on the pictures looked at"
        if result.exploratory
        else "errors gather where a feature is low or high, and the same held on other pictures"
    )
    return f"{looked}. {where} {how}."


def source(result: FailuresResult, training: TrainingRecord | None) -> tuple[str, ...]:
    layer = f", layer “{plain(result.layer)}”" if result.layer else ""
    found = [
        f"Features come from {plain(result.extractor)}{layer}: "
        f"{counted(result.num_features, 'number')} per picture."
    ]
    if training is None:
        return tuple(found)
    if training.diverged:
        found.append(f"Its fitting failed: {sentence(plain(training.diverged))}")
    if training.adversary:
        found.append(
            "It was fitted on pictures changed on purpose to mislead it "
            f"({plain(training.adversary)}), so that its features respond to what people see as "
            "well."
        )
    clean, robust = training.clean_accuracy, training.robust_accuracy
    on = f" on the split “{plain(training.evaluated_on)}”" if training.evaluated_on else ""
    if clean is not None and clean.value is not None:
        words = f"It is right about {percent_with_interval(clean)} of the pictures{on}"
        if robust is not None and robust.value is not None:
            words += f", and about {percent_with_interval(robust)} when they are changed like that"
        found.append(f"{words}.")
    return tuple(found)


def left_out(num_more: int) -> str:
    if num_more <= 0:
        return ""
    are = "is" if num_more == 1 else "are"
    return (
        f"{counted(num_more, 'more group')} with such a part {are} listed in the table of "
        "everything tested."
    )


def untestable(result: FailuresResult) -> tuple[str, ...]:
    """Groups that could not be tested, by reason."""
    reasons: dict[str, list[str]] = {}
    for group in result.groups:
        if group.outcome == "not_testable":
            reason = plain(group.reason or "no reason was kept").rstrip(".")
            reasons.setdefault(reason, []).append(plain(group.images))
    return tuple(
        sentence(f"{shortened(images, 6)}: {reason}") for reason, images in reasons.items()
    )


def meaning(result: FailuresResult, groups: Sequence[GroupResult]) -> tuple[str, ...]:
    if not groups:
        return (
            "No feature that was looked at marks off the errors. They may be scattered, share "
            "something that these features do not show, or be too few to tell.",
        )
    low = sum(leaf.path[-1].side == "low" for group in groups if (leaf := shown_leaf(group)))
    found = [
        "A feature that marks off the errors is not yet their cause: it may go along with what "
        "truly misleads the model. Whether it should matter is for a person to say, from the "
        "pictures beside each finding."
    ]
    if low:
        found.append(
            f"In {spelt(low)} of {spelt(len(groups))} the errors gather where the feature is low: "
            "the model seems to count on something that those pictures lack."
        )
    if len(groups) > low:
        found.append(
            f"In {spelt(len(groups) - low)} of {spelt(len(groups))} they gather where it is high: "
            "something that those pictures show seems to mislead the model."
        )
    return tuple(found)


def actions(cases: Iterable[Case]) -> tuple[str, ...]:
    """What several findings ask for; what only one asks for stands beside that one."""
    told = list(cases)
    if not told:
        return ()
    found = []
    if undecided := sum(case.undecided for case in told):
        found.append(
            f"Look at the pictures of {counted(undecided, 'finding')}, name the feature and decide "
            "whether it should matter. The suggested steps follow from that decision."
        )
    steps = Counter(step.what for case in told for step in case.steps)
    found += [what for what, times in steps.items() if times > 1]
    found.append("Follow the steps that stand beside each finding.")
    return tuple(found)


def suggested(reader: Reader) -> dict[int, str]:
    """Names to start from: what the feature table, the labels or a filter audit say."""
    found = {}
    for feature in reader.result.features:
        if feature.name:
            found[feature.index] = feature.name
        elif feature.suggestion is not None and feature.suggestion.present_when == "high":
            found[feature.index] = feature.suggestion.title
        elif feature.index in reader.naming.words:
            found[feature.index] = reader.naming.words[feature.index].name
    return found
