"""What to do about a slice: the paper's categories, each with the reason. Torch-free.

Singla et al. (CVPR 2021) name varied data, masking, augmentation, relabelling and capacity. Which
of them fit depends on whether the feature should matter, and that a person decides: `spurious`,
`causal` or `unsure`. What a computation can see is on which side the failures lie and how many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from auditor.audits.failures.describe import base_error_rate, condition_text, name_of
from auditor.audits.failures.result import GroupResult, LeafResult, Side

Category = Literal["varied data", "masking", "augmentation", "relabelling", "capacity"]
Kind = Literal["spurious", "causal", "unsure"]

MOSTLY_WRONG = 0.5
"""From this error rate on inside the slice, its labels are worth a second look."""

HARD_GROUP = 0.5
"""From this base error rate on, the group as a whole is beyond the network."""


class Action(NamedTuple):
    """One thing to do."""

    category: Category
    """The paper's category."""
    what: str
    """What to do, one sentence."""
    reason: str
    """Why it may help, one sentence."""


@dataclass(frozen=True)
class LeafSituation:
    """What the advice depends on.

    Attributes:
        where: The slice in words, such as `feature 17 is low`.
        feature: Display name of the feature that is shown, the last of the path.
        side: Side of that feature on which the failures lie.
        images: The group's images in words.
        error_rate: Error rate inside; None where no image was scored.
        base_error_rate: Error rate of the whole group.
    """

    where: str
    feature: str
    side: Side
    images: str
    error_rate: float | None
    base_error_rate: float | None


def situation(group: GroupResult, leaf: LeafResult, names: Mapping[int, str]) -> LeafSituation:
    """The situation of one leaf.

    Args:
        group: Its group.
        leaf: The leaf.
        names: Display names of features.
    """
    last = leaf.path[-1]
    return LeafSituation(
        where=condition_text(leaf.path, names),
        feature=name_of(last.feature, names),
        side=last.side,
        images=group.images,
        error_rate=leaf.error_rate.value,
        base_error_rate=base_error_rate(group),
    )


def suggest_actions(leaf_situation: LeafSituation, kind: Kind | None) -> tuple[Action, ...]:
    """Actions for a slice, most useful first.

    Args:
        leaf_situation: What is known of the slice.
        kind: Whether the feature should matter, as a person decided; None: nobody looked yet.
    """
    match kind:
        case "spurious":
            found = spurious_actions(leaf_situation)
        case "causal":
            found = causal_actions(leaf_situation)
        case _:
            found = (varied_data(leaf_situation),)
    return (*found, *label_actions(leaf_situation), *capacity_actions(leaf_situation, kind))


def varied_data(about: LeafSituation) -> Action:
    """More images like the failing ones, whatever the feature is."""
    return Action(
        "varied data",
        f"Add training images like the {about.images} in which {about.where}.",
        "The failures gather there, so such images are too few or too uniform in training.",
    )


def spurious_actions(about: LeafSituation) -> tuple[Action, ...]:
    """For a feature that should not matter."""
    if about.side == "low":
        varied = Action(
            "varied data",
            f"Add training images like the {about.images} without {about.feature}.",
            "The network leans on something that is no part of the class and fails without it.",
        )
    else:
        varied = Action(
            "varied data",
            f"Add training images like the {about.images} with {about.feature} beside them.",
            "Something that is no part of the class leads the network astray where it shows.",
        )
    masking = Action(
        "masking",
        f"Hide {about.feature} in part of the training images.",
        "What is not always there cannot be relied on.",
    )
    augmentation = Action(
        "augmentation",
        f"Move objects to other backgrounds, with and without {about.feature}.",
        "Then it comes apart from the class without new images.",
    )
    return varied, masking, augmentation


def causal_actions(about: LeafSituation) -> tuple[Action, ...]:
    """For a feature that belongs to the class."""
    if about.side == "low":
        varied = Action(
            "varied data",
            f"Add training images like the {about.images} in which {about.feature} is small, "
            "hidden or of another form.",
            "The feature belongs to the class, and the network fails where it hardly shows.",
        )
        augmentation = Action(
            "augmentation",
            "Crop, scale and rotate the training images so that the part shows in more forms.",
            "The network has to know the class by other parts as well.",
        )
        return varied, augmentation
    varied = Action(
        "varied data",
        f"Add training images of what is mistaken for the {about.images} where {about.feature} "
        "is strong.",
        "The feature belongs to the images but does not tell them from what they are mistaken for.",
    )
    return (varied,)


def label_actions(about: LeafSituation) -> tuple[Action, ...]:
    """Where most of a slice counts as wrong, the labels may be."""
    if (about.error_rate or 0.0) < MOSTLY_WRONG:
        return ()
    return (
        Action(
            "relabelling",
            f"Check the labels of the {about.images} in which {about.where}.",
            "Most of them count as failures: labels may be wrong, or several may be true.",
        ),
    )


def capacity_actions(about: LeafSituation, kind: Kind | None) -> tuple[Action, ...]:
    """Where the whole group fails, or a part of the class is not seen, the network is too weak."""
    if (about.base_error_rate or 0.0) < HARD_GROUP or kind == "spurious":
        return ()
    return (
        Action(
            "capacity",
            "Train a larger network, or one that sees the images at a higher resolution.",
            f"It is wrong about most of the {about.images}, inside the slice and outside.",
        ),
    )
