"""What was asked, how to read it, what came of it and what it means, in sentences."""

from __future__ import annotations

from auditor.audits.groups.findings import networks_claim
from auditor.audits.groups.result import GroupsResult
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.groups.words import thing
from auditor.wording import counted, number, percent, plain, sentence, shortened, spelt

NAMES = (
    "Words behind a filter",
    "What the section about filters says that this one looks at, with the share of votes or the "
    "overlap that speaks for it, 1 at best. A suggestion, and no person's judgement.",
)


BARS = (
    "Bars",
    "To the left the share of the group that is named first, to the right that of the other. "
    "Unlike bars mean unlike groups. Filled: different; pale: not surely so.",
)


def asked(result: GroupsResult) -> tuple[str, ...]:
    if result.networks is not None:
        one, other = plain(result.networks.first.title), plain(result.networks.second.title)
        return (
            f"Have {one} and {other} learnt the same things? Both look at the same pictures, in "
            "which people marked where things are. For each such concept the filter that covers "
            "it best is found in either network, and the two are compared.",
        )
    what = {
        "filters": f"Does a part of {plain(result.inspected)} look at some groups of pictures more "
        "than at others? For each filter of one layer this audit counts in how many pictures of a "
        "group it is active, and compares groups.",
        "attributes": "Do groups of pictures differ in what they were labelled with? Where they "
        "do, a network can learn to tell the group instead of the thing.",
        "concepts": "Do groups of pictures differ in what is annotated in them? Where they do, a "
        "network can learn to tell the group instead of the thing.",
        "predictions": f"Does {plain(result.inspected)} answer differently for different groups of "
        "pictures? For each answer this audit counts how often it is given in a group, and "
        "compares groups, whether or not the answers are right.",
        "networks": "",
    }
    return (what[result.compare],)


def reading(result: GroupsResult, *, named: bool, charts: bool) -> tuple[tuple[str, str], ...]:
    ranges = (
        "Numbers in brackets",
        "The range in which the true value lies with 95 % confidence, given the pictures that "
        "were looked at.",
    )
    if result.networks is not None:
        return (
            (
                "Overlap",
                "Intersection over union: the pixels that the active places of a filter and a "
                "concept share, divided by all pixels of either. 1 is a perfect match, 0 none. "
                "It is counted over all pictures together, so no single one is shown.",
            ),
            (
                "Detected",
                "Some filter overlaps the concept by more than "
                f"{number(result.networks.detector)}.",
            ),
            (
                "Different",
                "Detected by one network alone, or with overlaps at least "
                f"{number(result.min_difference)} apart, and chance is a poor explanation.",
            ),
            ranges,
        )
    active = (
        "Active",
        f"A filter is active in a picture if somewhere in it its value is among the largest "
        f"{percent(result.share, 1)} of all its values, over all pictures of all groups.",
    )
    return (
        *((active,) if result.compare == "filters" else ()),
        *((NAMES,) if named else ()),
        (
            "Different",
            f"The shares of two groups are at least {number(100 * result.min_difference, 0)} "
            "points apart, and chance is a poor explanation. Of all differences reported, no more "
            f"than about {percent(result.alpha)} are expected to be false alarms.",
        ),
        *((BARS,) if charts else ()),
        ranges,
    )


def summary(spec: GroupsSpec, result: GroupsResult, differing: int) -> str:
    if result.networks is not None:
        return networks_claim(spec, result, result.networks)
    total = len(result.comparisons)
    tested = [one for one in result.comparisons if one.outcome != "not_testable"]
    if not total:
        return "There is no group to compare."
    if not tested:
        return f"Of {counted(total, 'comparison')}, none could be made."
    made = f"{counted(len(tested), 'comparison')} of groups"
    if len(tested) < total:
        made = f"Of {counted(total, 'comparison')} of groups, {spelt(len(tested))}"
    made += f" {'was' if len(tested) == 1 else 'were'} made"
    each = "" if len(tested) == 1 else "each "
    over = f"{each}over {counted(result.num_items, thing(result.compare))}"
    if not differing:
        return f"{made}, {over}. Nothing differs surely and by enough."
    number_of = sum(one.num_different for one in tested)
    some = "all" if differing == len(tested) else spelt(differing)
    where = "" if len(tested) == 1 else f" in {some} of them"
    return f"{made}, {over}. {counted(number_of, 'difference')} stood out{where}."


def learnt(result: GroupsResult) -> tuple[str, ...]:
    """What each of two networks detects."""
    if result.networks is None:
        return ()
    found = []
    for network in (result.networks.first, result.networks.second):
        of = f"{plain(network.title)}, layer “{plain(network.layer)}”"
        filters = counted(network.num_filters, "filter")
        names = [plain(name) for name in network.detected]
        detects = (
            f"{counted(len(names), 'concept')}: {shortened(names, 24)}" if names else "nothing"
        )
        found.append(sentence(f"{of} ({filters}), detects {detects}"))
    return tuple(found)


def left_out(num_more: int) -> str:
    if num_more <= 0:
        return ""
    are = "is" if num_more == 1 else "are"
    return (
        f"{counted(num_more, 'more comparison')} with differences {are} listed in the table of "
        "everything tested."
    )


def untestable(result: GroupsResult) -> tuple[str, ...]:
    """Comparisons that could not be made, with their reasons."""
    return tuple(
        sentence(f"{plain(one.first_title)} and {plain(one.second_title)}: {plain(one.reason)}")
        for one in result.comparisons
        if one.outcome == "not_testable" and one.reason
    )


def meaning(result: GroupsResult, differing: int) -> tuple[str, ...]:
    if result.networks is not None:
        if not result.networks.num_different:
            return ("By the annotated concepts, the two layers know much the same.",)
        return (
            "A concept that one network detects and the other does not is one that the other "
            "either ignores or spreads over several filters. Neither network is better for it, "
            "unless the concept should matter to its answers.",
        )
    if all(one.outcome == "not_testable" for one in result.comparisons):
        return ("Nothing can be said about these groups, good or bad.",)
    if not differing:
        return (
            "What was compared is alike in the groups as far as these pictures can tell. Ranges in "
            "the table of everything tested say how large a difference could hide.",
        )
    what = {
        "filters": "A filter that is active more often in one group has found something that the "
        "group's pictures show more often. That may be the thing itself, or its surroundings, the "
        "light or the camera. The pictures tell which.",
        "attributes": "Labels that go along with a group invite a network to use the group in "
        "their place.",
        "concepts": "Things that go along with a group invite a network to use the group in their "
        "place.",
        "predictions": "Unequal answers are no proof of unequal treatment: the truth may differ "
        "between the groups. They say where to look, and the labels of the same groups say what "
        "to expect.",
        "networks": "",
    }
    return (what[result.compare],)
