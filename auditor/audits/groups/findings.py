"""What was found, comparison by comparison, in sentences without statistics."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.audits.groups.result import (
    ComparisonResult,
    ConceptResult,
    DifferenceResult,
    GroupsResult,
    NetworksResult,
)
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.groups.words import Names, shares_claim, the, thing
from auditor.results.base import Verdict
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, make_finding
from auditor.wording import count, counted, number, plain, shortened, spelt


def all_findings(spec: GroupsSpec, audit: str, result: GroupsResult) -> tuple[Finding, ...]:
    """One finding per comparison, in the order of the result; one for two networks.

    Args:
        spec: The audit's spec.
        audit: Id of the audit.
        result: Everything measured.
    """
    if result.networks is not None:
        return (networks_finding(spec, audit, result, result.networks),)
    if not result.comparisons:
        return (nothing_finding(spec, audit),)
    return tuple(comparison_finding(spec, audit, result, one) for one in result.comparisons)


def comparison_finding(
    spec: GroupsSpec, audit: str, result: GroupsResult, one: ComparisonResult
) -> Finding:
    """The check of one comparison."""
    testable = one.outcome != "not_testable"
    verdicts: dict[str, Verdict] = {
        "different": "fail",
        "similar": "pass",
        "not_testable": "inconclusive",
    }
    largest = one.differences[0] if one.differences and testable else None
    return make_finding(
        audit=audit,
        code="GROUP_DIFFERENCE" if testable else "NOT_TESTABLE_COMPARISON",
        verdict=verdicts[one.outcome],
        severity=spec.weight,
        claim=comparison_claim(result, one, {}),
        subjects=(one.first,) if one.second is None else (one.first, one.second),
        estimates=estimates(one, largest),
        p_adjusted=largest.p_adjusted if largest is not None else None,
        actions=actions(result) if one.outcome == "different" else (),
        evidence=(f"audits/{audit}/result.json", *pictured(audit, result, one)),
    )


def comparison_claim(result: GroupsResult, one: ComparisonResult, names: Names) -> str:
    """One comparison in plain words.

    Args:
        result: The audit's result.
        one: The comparison.
        names: What filters were named with, where that is known.
    """
    match one.outcome:
        case "not_testable":
            sides = f"{the(one.first_images)} and {the(one.second_images)}"
            return f"{sides[0].upper()}{sides[1:]} could not be compared: {one.reason}."
        case "similar":
            least = number(100 * result.min_difference, 0)
            return (
                f"No {thing(result.compare)} differs surely by at least {least} points between "
                f"{the(one.first_images)} and {the(one.second_images)}."
            )
        case "different":
            told = [largest_claim(result, one, one.differences[0], names)]
            if one.num_different > 1:
                told.append(
                    f"It is the largest of {count(one.num_different)} such differences among "
                    f"{counted(one.num_tested, thing(result.compare))}."
                )
            return " ".join(told)


def largest_claim(
    result: GroupsResult, one: ComparisonResult, found: DifferenceResult, names: Names
) -> str:
    """One difference in one sentence."""
    return shares_claim(
        result.compare,
        found.title,
        (found.first.value, found.second.value),
        (one.first_images, one.second_images),
        names.get(found.item, "") if result.compare == "filters" else "",
    )


def estimates(one: ComparisonResult, largest: DifferenceResult | None) -> dict[str, Estimate]:
    """The numbers behind a comparison, by the names that limits of the policy use."""
    size = one.num_first + one.num_second
    if largest is None:
        absent = Estimate.absent(one.reason or "nothing was tested", num_samples=size)
        return {"difference": absent, "num_different": absent}
    return {
        "difference": largest.difference,
        "num_different": Estimate(value=float(one.num_different), num_samples=one.num_tested),
        "first_share": largest.first,
        "second_share": largest.second,
    }


def actions(result: GroupsResult) -> tuple[str, ...]:
    """What to do about a difference."""
    look = (
        "Look at the pictures of both groups, and say whether the difference is there in the world "
        "or comes from how the pictures were collected."
    )
    match result.compare:
        case "filters":
            return (
                look,
                "Compare what the model answers in both groups (compare: predictions): a filter "
                "that sees a group need not change an answer.",
            )
        case "predictions":
            return (
                "Compare the labels of both groups (compare: attributes): where they differ as "
                "much, the answers may be right.",
                look,
            )
        case _:
            return (
                look,
                "Where it comes from how pictures were collected, collect more of the group that "
                "lacks them, or weigh them by group when the model is fitted.",
            )


def pictured(audit: str, result: GroupsResult, one: ComparisonResult) -> tuple[str, ...]:
    """Files that show the largest difference."""
    for picture in result.pictures:
        if picture.comparison == one.id:
            names = dict.fromkeys((*picture.first, *picture.second))
            return tuple(f"audits/{audit}/images/{name}" for name in names)
    return ()


def nothing_finding(spec: GroupsSpec, audit: str) -> Finding:
    """No group at all: the columns hold no value."""
    reason = "no picture has a value in the columns that groups come from"
    return make_finding(
        audit=audit,
        code="NOT_TESTABLE_COMPARISON",
        verdict="inconclusive",
        severity=spec.weight,
        claim=f"Nothing could be compared: {reason}.",
        subjects=spec.by or spec.splits,
        estimates={"difference": Estimate.absent(reason)},
    )


def networks_finding(
    spec: GroupsSpec, audit: str, result: GroupsResult, networks: NetworksResult
) -> Finding:
    """Which network detects what."""
    testable = result.num_tested > 0
    differ = networks.num_different > 0
    verdict: Verdict = "fail" if differ else "pass" if testable else "inconclusive"
    largest = networks.concepts[0] if networks.concepts and testable else None
    absent = Estimate.absent("no concept is annotated in enough pictures")
    return make_finding(
        audit=audit,
        code="NETWORK_DIFFERENCE" if testable else "NOT_TESTABLE_COMPARISON",
        verdict=verdict,
        severity=spec.weight,
        claim=networks_claim(spec, result, networks),
        subjects=("model", "extractor"),
        estimates={
            "difference": largest.difference if largest is not None else absent,
            "num_different": Estimate(value=float(networks.num_different)) if testable else absent,
        },
        p_adjusted=largest.p_adjusted if largest is not None else None,
        actions=(
            "Decide which concepts should matter, and prefer the network that knows them.",
            "Look at the best filter of either network for the concept in the section about its "
            "filters.",
        )
        if differ
        else (),
        evidence=(f"audits/{audit}/result.json",),
    )


def networks_claim(spec: GroupsSpec, result: GroupsResult, networks: NetworksResult) -> str:
    """Two networks in plain words."""
    one, other = plain(networks.first.title), plain(networks.second.title)
    if not result.num_tested:
        return (
            f"Filters of {one} and {other} could not be compared: no concept is annotated in "
            f"{counted(spec.min_images, 'picture')}."
        )
    detected = (
        f"Of {counted(result.num_tested, 'concept')} looked at, filters of {one} detect "
        f"{amount(networks.first.detected)}, and those of {other} "
        f"{amount(networks.second.detected)}."
    )
    differing = [concept for concept in networks.concepts if concept.different]
    if not differing:
        return f"{detected} No concept is surely known to one of them alone."
    return f"{detected} {known_better(differing, one, other)}"


def amount(concepts: Sequence[str]) -> str:
    """`none`, `three`, `17`: how many."""
    return spelt(len(concepts)) if concepts else "none"


def known_better(differing: Sequence[ConceptResult], one: str, other: str) -> str:
    """`Known better to A: dog and cat; to B: car.`"""
    parts = []
    for title, sign in ((one, 1), (other, -1)):
        names = [plain(c.name) for c in differing if sign * (c.difference.value or 0.0) > 0]
        if names:
            parts.append(f"to {title}: {shortened(names, 4)}")
    return f"Known better {'; '.join(parts)}."
