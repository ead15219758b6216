"""What a comparison of groups could not see."""

from __future__ import annotations

from auditor.audits.groups.result import GroupsResult, NetworksResult
from auditor.audits.groups.spec import Compared
from auditor.audits.groups.words import thing
from auditor.wording import count, counted, number, percent, spelt

SILENT: dict[Compared, str] = {
    "filters": "never active",
    "attributes": "labelled in no picture",
    "concepts": "annotated in no picture",
    "predictions": "never made",
    "networks": "annotated in no picture",
}
"""What may be said of things that no picture shows."""


def limits(result: GroupsResult) -> tuple[str, ...]:
    """Sentences about coverage, ceiling and method of one audit."""
    if result.networks is not None:
        return networks_limits(result, result.networks)
    found = [coverage(result)]
    if result.compare == "filters":
        found += filter_limits(result)
    if result.num_silent:
        are = "is" if result.num_silent == 1 else "are"
        found.append(
            f"{counted(result.num_silent, thing(result.compare))} {are} {SILENT[result.compare]} "
            "and could not be compared."
        )
    skipped = sum(one.outcome == "not_testable" for one in result.comparisons)
    if skipped:
        was = "was" if skipped == 1 else "were"
        found.append(
            f"{counted(skipped, 'comparison')} {was} not testable. Of such groups this report says "
            "nothing, good or bad."
        )
    both = max((one.num_both for one in result.comparisons), default=0)
    if both:
        found.append(
            f"Groups overlap: up to {counted(both, 'picture')} were in both groups of a comparison "
            "and left out of it. What is said holds for the others."
        )
    found += [
        f"A difference below {number(100 * result.min_difference, 0)} points is not reported, and "
        "in small groups even a larger one may go unseen: its range tells how large it could be.",
        "The differences shown are the largest of many, and the largest of many tend to look "
        "larger than they are.",
        "A difference is not harm by itself: groups may truly differ in what their pictures show. "
        "What is alike, in turn, need not be fair.",
    ]
    return tuple(found)


def coverage(result: GroupsResult) -> str:
    """How many pictures took part."""
    words = f"{counted(result.num_images, 'picture')} were looked at"
    if not result.num_unknown:
        return f"{words}."
    return (
        f"{words}. The group of {count(result.num_unknown)} of them is unknown; these took no part "
        "in any comparison."
    )


def filter_limits(result: GroupsResult) -> list[str]:
    """The ceiling, and what a threshold from all pictures means."""
    found = []
    if result.ceiling is not None and result.side is not None and result.share is not None:
        rows, columns = result.side
        found.append(
            f"A filter counts as active in the {percent(result.share, 1)} of all places with its "
            f"largest values. With maps of {rows} × {columns} places, no filter can be active in "
            f"more than {percent(result.ceiling, 1)} of all pictures. In a part of the pictures "
            "the share can be higher; dashed lines in the charts show how high, where bars come "
            "near. Layers with maps of other sizes have other ceilings, so differences between "
            "layers are not comparable."
        )
    if not result.exact:
        found.append(
            "The values from which on filters are active were taken from a random part of all "
            f"places: the share of active places is exact to {percent(result.rank_error, 2)}."
        )
    return found


def networks_limits(result: GroupsResult, networks: NetworksResult) -> tuple[str, ...]:
    """What a comparison of two networks leaves open."""
    found = [f"{counted(networks.num_annotated, 'picture')} with annotated regions took part."]
    if networks.num_rare:
        are = "is" if networks.num_rare == 1 else "are"
        found.append(
            f"{counted(networks.num_rare, 'concept')} {are} annotated in fewer than "
            f"{spelt(result.min_images)} pictures and could not be compared."
        )
    if networks.first.num_filters != networks.second.num_filters:
        found.append(
            f"The layers have {count(networks.first.num_filters)} and "
            f"{count(networks.second.num_filters)} filters. The best of more filters overlaps a "
            "little better by luck alone."
        )
    found += [
        "The best filter for a concept was chosen on the same pictures that its overlap was "
        "measured on, which flatters both networks alike.",
        "Only annotated concepts can be told. A network may know others, or spread one over "
        "several filters, none of which matches it alone.",
        "Maps of another size blur in another way: layers of one resolution compare best.",
    ]
    return tuple(found)
