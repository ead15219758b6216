"""One slice at length: the claim, its tree, its pictures, the numbers, the feature, what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from auditor.audits.failures import figures
from auditor.audits.failures.actions import situation, suggest_actions
from auditor.audits.failures.describe import accepted_leaves, leaf_claim, rule_text
from auditor.audits.failures.naming import (
    Naming,
    claim_names,
    feature_words,
    numbered,
    short_names,
)
from auditor.audits.failures.result import (
    FailuresResult,
    FeatureResult,
    GroupResult,
    LeafResult,
    PictureResult,
)
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.words import network_words, scored
from auditor.drawing import Drawing, Tile
from auditor.results.finding import Finding
from auditor.spec.rule import Severity
from auditor.wording import (
    count,
    counted,
    number,
    p_value,
    percent,
    percent_interval,
    plain,
    points_with_interval,
    sentence,
)

MORE_PARTS = 3
"""Further parts of a group that a case names."""


@dataclass(frozen=True)
class Reader:
    """What every sentence about this audit may draw on."""

    audit: str
    spec: FailuresSpec
    result: FailuresResult
    naming: Naming
    maps: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 1, 1), np.float32))
    """Heat maps [K, h, w] between 0 and 1."""

    @property
    def exploratory(self) -> bool:
        return self.result.exploratory

    @cached_property
    def names(self) -> Mapping[int, str]:
        """Names inside a sentence."""
        return claim_names(self.result.features, self.naming)

    @cached_property
    def short(self) -> Mapping[int, str]:
        """Names where there is little room."""
        return short_names(self.result.features, self.naming)

    @cached_property
    def features(self) -> Mapping[int, FeatureResult]:
        return {feature.index: feature for feature in self.result.features}

    def pictures(self, group: GroupResult, leaf: LeafResult) -> PictureResult | None:
        key = (group.id, leaf.node, leaf.depth)
        found = (p for p in self.result.pictures if (p.group, p.node, p.depth) == key)
        return next(found, None)


@dataclass(frozen=True, eq=False)
class Strip:
    """One row of pictures.

    Attributes:
        label: What they are.
        note: What differs from picture to picture, or how they were made.
        tiles: The pictures.
        small: Whether they are there for comparison only.
    """

    label: str
    note: str
    tiles: tuple[Tile, ...]
    small: bool = False


@dataclass(frozen=True)
class Step:
    """One thing to do, and why."""

    category: str
    what: str
    reason: str


@dataclass(frozen=True, eq=False)
class Case:
    """One slice as the report shows it at length."""

    group: str
    number: int
    anchor: str
    title: str
    severity: Severity
    exploratory: bool
    claim: str
    drawing: Drawing
    strips: tuple[Strip, ...]
    numbers: tuple[str, ...]
    feature: tuple[str, ...]
    others: str
    steps: tuple[Step, ...]
    undecided: bool
    """Whether nobody has decided yet if the feature should matter."""
    ids: tuple[str, ...]


def make_case(
    reader: Reader,
    position: int,
    group: GroupResult,
    leaf: LeafResult,
    findings: Sequence[Finding],
) -> Case:
    """One slice, from its group, its leaf and the findings about the group."""
    ids = tuple(finding.id for finding in findings)
    feature = leaf.path[-1].feature
    said = reader.naming.human(feature, ids)
    names, short = reader.names, reader.short
    if said and said.name:
        names, short = ({**known, feature: plain(said.name)} for known in (names, short))
    kind = said.kind if said else None
    severities: tuple[Severity, ...] = ("error", "warning", "note")
    found = {finding.severity for finding in findings}
    return Case(
        group=group.id,
        number=position,
        anchor=anchor(reader.audit, group),
        title=title(reader, group),
        severity=next((s for s in severities if s in found), reader.spec.severity),
        exploratory=reader.exploratory,
        claim=sentence(plain(leaf_claim(group, leaf, names))),
        drawing=figures.tree(
            group, leaf, short, name=f"tree-{file_name(group.id)}", exploratory=reader.exploratory
        ),
        strips=strips(reader, group, leaf, short.get(feature, "")),
        numbers=(*numbers(reader, group, leaf), *luck(group, leaf)),
        feature=feature_words(reader.features.get(feature), said, reader.naming.words.get(feature)),
        others=other_parts(group, leaf, short),
        steps=tuple(
            Step(action.category, sentence(plain(action.what)), sentence(plain(action.reason)))
            for action in suggest_actions(situation(group, leaf, names), kind)
        ),
        undecided=kind is None or kind == "unsure",
        ids=ids,
    )


def anchor(audit: str, group: GroupResult) -> str:
    """Anchor of a group's case; any value may name a group, so its letters are checked."""
    return f"{audit}-{file_name(group.id)}"


def file_name(group: str) -> str:
    """A group id with nothing but letters, digits, `-` and `_`, and still its own.

    Every other character becomes its code point: two ids never become one.
    """
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: f".{ord(found[0]):x}.", group)


def title(reader: Reader, group: GroupResult) -> str:
    """`Pictures of the class cat`, with the network where several were looked at."""
    words = plain(group.images)
    if len(reader.result.inspected) > 1:
        words += f" ({network_words(reader.result, group.inspected)})"
    return words[:1].upper() + words[1:]


def numbers(reader: Reader, group: GroupResult, leaf: LeafResult) -> tuple[str, ...]:
    """How often the model errs in the part and elsewhere, and how much of its errors that is."""
    part, whole = leaf.error_rate, scored(group)
    if part.value is None:
        return (sentence(plain(part.reason or "the part could not be scored")),)
    where = (
        "On the pictures that the tree was found on"
        if reader.exploratory
        else f"On {counted(whole.size, 'picture')} that were held back when the tree was found"
    )
    seen = f" of {counted(part.num_samples, 'picture')}" if part.num_samples else ""
    found = [
        f"{where}, {percent(part.value)}{seen} in this part are wrong"
        f"{ranged(percent_interval(part))}, and {percent(whole.error_rate)} in the whole group: "
        f"{points_with_interval(leaf.excess)} more.",
        f"The part holds {percent(leaf.error_coverage.value)}"
        f"{ranged(percent_interval(leaf.error_coverage))} of the group's errors.",
    ]
    node = next((n for n in group.nodes if n.index == leaf.node), None)
    if node and not reader.exploratory and node.found.error_rate is not None:
        found.append(
            f"Where the tree was found it was {percent(node.found.error_rate)} of "
            f"{counted(node.found.size, 'other picture')}."
        )
    return tuple(found)


def ranged(words: str) -> str:
    return f" ({words})" if words else ""


def luck(group: GroupResult, leaf: LeafResult) -> tuple[str, ...]:
    """Whether it could be chance: the test, the shuffles and the resamples, in words."""
    found = []
    if leaf.p_adjusted.value is not None:
        p = leaf.p_adjusted.value
        relation = p_value(p) if p < 0.001 else f"= {p_value(p)}"
        found.append(
            f"Chance alone is a poor explanation (p {relation} after correction for all parts of "
            "all groups)."
            if leaf.confirmed
            else f"Chance is not ruled out (p {relation} after correction)."
        )
    null = group.null_p_value
    if null.value is not None:
        times = f" {count(null.num_samples)} times" if null.num_samples else ""
        found.append(
            f"When the errors were dealt out anew among the pictures{times}, the best single split "
            f"did as well in {percent(null.value)} of the cases."
        )
    if group.stability.value is not None:
        drawn = (
            f" {count(group.stability.num_samples)} times" if group.stability.num_samples else ""
        )
        rivals = rival_words(group)
        found.append(
            f"When the pictures were drawn anew{drawn}, the first split used the same feature in "
            f"{percent(group.stability.value)} of the cases{rivals}."
        )
    return tuple(found)


def rival_words(group: GroupResult) -> str:
    """The strongest other feature of the resamples, where it comes up often."""
    root = next((node.feature for node in group.nodes if node.index == 1), None)
    rivals = [(feature, share) for feature, share in group.rivals if feature != root]
    if not rivals or rivals[0][1] < 0.05:
        return ""
    feature, share = rivals[0]
    return f"; next came {numbered(feature)} with {percent(share)}"


def other_parts(group: GroupResult, leaf: LeafResult, names: Mapping[int, str]) -> str:
    """Further parts of the same group that stood the test."""
    others = [other for other in accepted_leaves(group) if other != leaf]
    if not others:
        return ""
    told = [
        f"{rule_text(other.path, names)} ({percent(other.error_rate.value)} wrong)"
        for other in others[:MORE_PARTS]
    ]
    left = len(others) - MORE_PARTS
    more = f"; and {count(left)} more" if left > 0 else ""
    return sentence(f"Other parts of this group with more errors: {plain('; '.join(told))}{more}")


def strips(reader: Reader, group: GroupResult, leaf: LeafResult, feature: str) -> tuple[Strip, ...]:
    """Most activating images, the same with heat maps, the same attacked, failures, successes."""
    shown = reader.pictures(group, leaf)
    if shown is None:
        return ()
    name = feature or numbered(shown.feature)
    images = plain(group.images)
    rows = (
        Strip(
            f"Where {name} is strongest",
            span(shown.activations),
            tuple(
                Tile(
                    image,
                    f"Picture in which {name} is strong, value {number(value)}.",
                    number(value),
                )
                for image, value in zip(shown.activating, shown.activations, strict=True)
            ),
        ),
        Strip("What it looks at there", "darker counts more", heat_tiles(reader, shown, name)),
        Strip(
            f"Changed to show more {name}" if feature else "Changed to raise it",
            attack_note(shown),
            tuple(
                Tile(
                    image,
                    f"The same picture, changed until {name} rose to {number(value)}.",
                    number(value),
                )
                for image, value in zip(shown.attacked, shown.attacked_activations, strict=True)
            ),
        ),
        Strip(
            "Wrong, in this part",
            "drawn at random",
            tuple(
                Tile(image, f"Picture in this part that is answered wrongly ({images}).", "")
                for image in shown.failures
            ),
        ),
        Strip(
            "Right, in the group",
            "drawn at random",
            tuple(
                Tile(image, f"Picture of the group that is answered rightly ({images}).", "")
                for image in shown.successes
            ),
            small=True,
        ),
    )
    return tuple(row for row in rows if row.tiles)


def heat_tiles(reader: Reader, shown: PictureResult, name: str) -> tuple[Tile, ...]:
    first = shown.heatmaps
    if first is None:
        return ()
    maps = reader.maps[first : first + len(shown.activating)]
    return tuple(
        Tile(image, f"Heat map: where {name} is seen in the picture.", "", heat=heat)
        for image, heat in zip(shown.activating, maps, strict=True)
    )


def span(values: Sequence[float]) -> str:
    """`value 3.10 to 2.85`."""
    if not values:
        return ""
    low, high = number(min(values)), number(max(values))
    return f"value {high}" if low == high else f"values {low} to {high}"


def attack_note(shown: PictureResult) -> str:
    if not shown.attacked_activations:
        return ""
    return span(shown.attacked_activations)
