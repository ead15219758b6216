"""Slices in words: what a rule, a leaf and a feature read like. Torch-free; the report uses it too.

When feature 17 (goes with smiling) is low, the model misses 33 % of the pictures of the class
cat instead of 22 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from auditor.audits.failures.result import (
    ConditionResult,
    FailuresResult,
    FeatureResult,
    GroupResult,
    LeafResult,
    SuggestionResult,
)
from auditor.needs import NetworkRole
from auditor.wording import MINUS, listing, percent, plain

CLEAR = 0.75
"""From this area under the curve on, a suggested attribute is named beside the feature's number."""

INSPECTED: dict[NetworkRole, str] = {"model": "the model", "extractor": "the feature network"}
"""Who fails, in a sentence."""


def display_names(features: Sequence[FeatureResult]) -> dict[int, str]:
    """What each feature is called where no person has named it yet.

    Args:
        features: The features of a result.

    Returns:
        Position of the feature -> its name by the spec, or `feature 17`, with the attribute that
        it goes with where there is a clear one.
    """
    return {feature.index: display_name(feature) for feature in features}


def display_name(feature: FeatureResult) -> str:
    """`buckle`, `feature 17` or `feature 17 (goes with smiling)`."""
    if feature.name:
        return plain(feature.name)
    suggestion = feature.suggestion
    if suggestion is None or (suggestion.auc.value or 0.0) < CLEAR:
        return f"feature {feature.index}"
    return f"feature {feature.index} ({relation_to(suggestion)})"


def relation_to(suggestion: SuggestionResult) -> str:
    """`goes with smiling`, or what a feature does that is low where the attribute is present."""
    title = plain(suggestion.title)
    if suggestion.present_when == "high":
        return f"goes with {title}"
    return f"goes with the absence of {title}"


def name_of(feature: int, names: Mapping[int, str]) -> str:
    """A feature's display name; its number where there is none."""
    return names.get(feature, f"feature {feature}")


def condition_text(path: Sequence[ConditionResult], names: Mapping[int, str]) -> str:
    """`feature 17 is low and feature 4 is high`; one clause per feature, in the path's order.

    A feature that is asked twice, once from each side, lies between two thresholds.
    """
    sides: dict[int, set[str]] = {}
    for step in path:
        sides.setdefault(step.feature, set()).add(step.side)
    clauses = []
    for feature, seen in sides.items():
        how = "neither low nor high" if len(seen) == 2 else seen.pop()
        clauses.append(f"{name_of(feature, names)} is {how}")
    return listing(clauses)


def rule_text(path: Sequence[ConditionResult], names: Mapping[int, str]) -> str:
    """The exact rule, such as `feature 17 ≤ 0.431 and feature 4 > 1.20`."""
    signs = {"low": "≤", "high": ">"}
    return listing(
        [
            f"{name_of(step.feature, names)} {signs[step.side]} {threshold_text(step.threshold)}"
            for step in path
        ]
    )


def threshold_text(threshold: float) -> str:
    """Three significant digits, whatever the feature's scale."""
    return f"{threshold:.3g}".replace("-", MINUS)


def leaf_claim(group: GroupResult, leaf: LeafResult, names: Mapping[int, str]) -> str:
    """One sentence about a leaf: where it is, how often the network fails there, and elsewhere.

    Args:
        group: The group; its base error rate is the second figure, on the same images.
        leaf: One of its leaves.
        names: Display names of features, such as `smile` or `feature 17`.
    """
    inside, everywhere = two_percent(leaf.error_rate.value, base_error_rate(group))
    return (
        f"When {condition_text(leaf.path, names)}, {INSPECTED[group.inspected]} {group.wrong} "
        f"{inside} of the {group.images} instead of {everywhere}."
    )


def base_error_rate(group: GroupResult) -> float | None:
    """BER on the images that leaves are scored on."""
    return (group.confirmed or group.found).error_rate


def two_percent(first: float | None, second: float | None) -> tuple[str, str]:
    """Two shares in percent, with as many digits as it takes to tell them apart, at most two."""
    for digits in (0, 1):
        texts = percent(first, digits), percent(second, digits)
        if texts[0] != texts[1]:
            return texts
    return percent(first, 2), percent(second, 2)


def accepted_leaves(group: GroupResult) -> tuple[LeafResult, ...]:
    """Leaves that count: confirmed ones, or valid ones where nothing was held back; best first."""
    if group.outcome == "exploratory":
        return tuple(leaf for leaf in group.leaves if leaf.valid)
    return tuple(leaf for leaf in group.leaves if leaf.confirmed)


def shown_leaf(group: GroupResult) -> LeafResult | None:
    """The leaf that stands for its group: the best of depth 1, else the best of all.

    Leaves are in the order of their importance where the tree was grown, so the choice does not
    look at the images that it is confirmed on, beyond being confirmed at all. One feature makes a
    plain sentence, which is why depth 1 goes first.
    """
    accepted = accepted_leaves(group)
    simple = [leaf for leaf in accepted if leaf.depth == 1]
    return next(iter([*simple, *accepted]), None)


def strongest(result: FailuresResult, limit: int) -> tuple[tuple[GroupResult, LeafResult], ...]:
    """The slices that are worth pictures: one per group, by importance value on the scored images.

    Args:
        result: The audit's result.
        limit: How many at most; where fewer are accepted, none are padded.
    """
    found = [(group, leaf) for group in result.groups if (leaf := shown_leaf(group)) is not None]
    found.sort(key=lambda pair: -(pair[1].importance_value or 0.0))
    return tuple(found[:limit])
