"""How things that are compared read in a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.audits.groups.spec import Compared, GroupsSpec
from auditor.context import Context
from auditor.wording import percent, plain

Names = Mapping[int, str]
"""Filter -> the words that it was named with, such as `wheel, car`."""

OTHERS = "other pictures"
"""The side that is everything else."""

THINGS: dict[Compared, tuple[str, str]] = {
    "filters": ("filter", "filters"),
    "attributes": ("attribute", "attributes"),
    "concepts": ("concept", "concepts"),
    "predictions": ("prediction", "predictions"),
    "networks": ("concept", "concepts"),
}

VERBS: dict[Compared, str] = {
    "filters": "active",
    "attributes": "labelled",
    "concepts": "annotated",
    "predictions": "called so",
    "networks": "detected",
}


def thing(compare: Compared, number: int = 1) -> str:
    """`filter`, `filters`."""
    return THINGS[compare][number != 1]


def item_title(spec: GroupsSpec, context: Context, item: int) -> str:
    """`filter 37`, `wearing glasses`, `dog`: what is compared."""
    match spec.compare:
        case "filters":
            return f"filter {item}"
        case "attributes":
            return plain(context.attributes[item].title)
        case "predictions" if context.head != "multi_class":
            return plain(context.attributes[item].title)
        case "predictions":
            classes = context.classes or ()
            return plain(classes[item]) if item < len(classes) else f"class {item}"
        case _:
            return plain(context.concepts[item].name)


def shares_claim(
    compare: Compared,
    title: str,
    shares: tuple[float | None, float | None],
    images: tuple[str, str],
    named: str = "",
) -> str:
    """`Filter 37 is active in 61 % of the pictures whose skin is deep and in 22 % of the others.`

    Args:
        compare: What is compared.
        title: The thing.
        shares: Its share on both sides.
        images: Both sides in words.
        named: Words that a filter was named with.
    """
    first, second = (percent(share) for share in shares)
    one, other = (the(each) for each in images)
    if compare == "predictions":
        return f"{first} of {one} are called “{title}”, and {second} of {other}."
    spoken = f"“{title}” is {VERBS[compare]}"
    if compare == "filters":
        spoken = f"{title.capitalize()}{f', “{named}”,' if named else ''} is {VERBS[compare]}"
    return f"{spoken} in {first} of {one} and in {second} of {other}."


def the(images: str) -> str:
    """`the pictures whose skin is deep`, `the others`."""
    return "the others" if images == OTHERS else f"the {images}"


def clause(compare: Compared) -> str:
    """What the share of one side is a share of, for a heading: `pictures in which it is active`."""
    if compare == "predictions":
        return "called so"
    return f"{VERBS[compare]} in"
