"""What was found, group by group, in sentences without statistics."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.audits.failures.actions import situation, suggest_actions
from auditor.audits.failures.aggregate import depth_of, tree_leaves
from auditor.audits.failures.confirming import share
from auditor.audits.failures.describe import (
    INSPECTED,
    display_names,
    leaf_claim,
    shown_leaf,
)
from auditor.audits.failures.growing import LEVEL
from auditor.audits.failures.result import (
    FailuresResult,
    GroupResult,
    LeafResult,
    PictureResult,
)
from auditor.audits.failures.spec import FailuresSpec
from auditor.measure.intervals import normal
from auditor.measure.rates import gain_error
from auditor.results.base import Verdict
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, make_finding


def all_findings(spec: FailuresSpec, audit: str, result: FailuresResult) -> tuple[Finding, ...]:
    """One finding per group, in the order of the result.

    Args:
        spec: The audit's spec.
        audit: Id of the audit.
        result: Everything measured.
    """
    names = display_names(result.features)
    pictures = {picture.group: picture for picture in result.pictures}
    return tuple(
        group_finding(spec, audit, group, names, pictures.get(group.id)) for group in result.groups
    )


def group_finding(
    spec: FailuresSpec,
    audit: str,
    group: GroupResult,
    names: Mapping[int, str],
    picture: PictureResult | None,
) -> Finding:
    """The check of one group."""
    leaf = shown_leaf(group)
    if leaf is not None:
        return slice_finding(spec, audit, group, leaf, names, picture)
    testable = group.outcome != "not_testable"
    untested: Verdict = "warn" if always_fails(group) else "inconclusive"
    return make_finding(
        audit=audit,
        code="NO_SLICE" if testable else "NOT_TESTABLE_GROUP",
        verdict="pass" if testable else untested,
        severity=spec.severity,
        claim=quiet_claim(group),
        subjects=(group.id,),
        estimates={**group_estimates(group), **suspected_excess(group)},
        evidence=(result_file(audit),),
    )


def suspected_excess(group: GroupResult) -> dict[str, Estimate]:
    """How much more often the network fails in the most promising part of a group without slice.

    Chosen as the part of a slice is, where the tree was grown, and measured on the other images:
    a run that finds a slice there can be held against one that does not.
    """
    simple = [leaf for leaf in group.leaves if leaf.depth == 1]
    suspected = next(iter([*simple, *group.leaves]), None)
    return {"excess": suspected.excess} if suspected is not None else {}


def always_fails(group: GroupResult) -> bool:
    """Whether the group has images and the network gets every one of them wrong."""
    parts = [part for part in (group.found, group.confirmed) if part is not None]
    return sum(part.size for part in parts) > 0 and all(
        part.failures == part.size for part in parts
    )


def slice_finding(
    spec: FailuresSpec,
    audit: str,
    group: GroupResult,
    leaf: LeafResult,
    names: Mapping[int, str],
    picture: PictureResult | None,
) -> Finding:
    """A group with a slice: confirmed, or only seen where nothing was held back."""
    actions = suggest_actions(situation(group, leaf, names), None)
    return make_finding(
        audit=audit,
        code="FAILING_SLICE",
        verdict="warn" if group.outcome == "exploratory" else "fail",
        severity=spec.severity,
        claim=slice_claim(group, leaf, names),
        subjects=(group.id,),
        estimates=slice_estimates(group, leaf),
        p_adjusted=leaf.p_adjusted,
        actions=tuple(f"{action.what} {action.reason}" for action in actions),
        evidence=(result_file(audit), *picture_files(audit, picture)),
    )


def slice_claim(group: GroupResult, leaf: LeafResult, names: Mapping[int, str]) -> str:
    """The slice in one sentence, and what else the reader must know about it."""
    sentences = [leaf_claim(group, leaf, names)]
    if group.outcome == "exploratory":
        sentences.append(
            "Exploratory: this was read off the same images that it was found on; nothing was held "
            "back to confirm it, so part of it may be chance."
        )
    return " ".join(sentences)


def quiet_claim(group: GroupResult) -> str:
    """A group without a slice, in one sentence."""
    who = INSPECTED[group.inspected]
    match group.outcome:
        case "not_testable" if always_fails(group):
            return (
                f"On the {group.images} {who} fails every time, so there is no success to tell "
                "the failures from."
            )
        case "not_testable":
            return f"Failures on the {group.images} could not be explained: {group.reason}."
        case "no_failures":
            return f"There is nothing to explain: {who} makes no mistake on the {group.images}."
        case "exploratory":
            return (
                f"No feature marks a part of the {group.images} on which {who} fails clearly more "
                "often."
            )
        case _:
            return (
                f"No feature marks a part of the {group.images} on which {who} fails clearly more "
                "often, on images held back to check."
            )


def group_estimates(group: GroupResult) -> dict[str, Estimate]:
    """Numbers of a group as a whole.

    A group that was not tested names its error rate alone: a limit of the policy must not fail on
    what the audit itself calls untestable.
    """
    counts = group.confirmed or group.found
    found = {"base_error_rate": share(counts.failures, counts.size, "the group has no image")}
    if group.depths:
        found["null_p_value"] = group.null_p_value
        found["stability"] = group.stability
        found["aler_gain"] = gain_estimate(group, group.depths[-1].depth)
    elif group.outcome == "no_failures":
        found["aler_gain"] = Estimate(
            value=0.0, method="nothing fails, so nothing gathers", num_samples=counts.size
        )
    return found


def gain_estimate(group: GroupResult, depth: int) -> Estimate:
    """ALER - BER of the group's tree of one depth, on the images that slices are confirmed on."""
    nodes = {node.index: node.confirmed or node.found for node in group.nodes}
    counts = [nodes[index] for index in tree_leaves(group, depth)]
    sizes, failures = [each.size for each in counts], [each.failures for each in counts]
    gain, error = depth_of(group, depth).gain, gain_error(sizes, failures)
    if gain is None or error is None:
        return Estimate.absent("no failure to measure it on", num_samples=sum(sizes))
    around = normal(gain, error, level=LEVEL)
    return Estimate(
        value=gain,
        low=min(gain, max(0.0, around.low)),
        high=around.high,
        level=LEVEL,
        method=f"ALER - BER of the tree of depth {depth}, delta method",
        num_samples=sum(sizes),
    )


def slice_estimates(group: GroupResult, leaf: LeafResult) -> dict[str, Estimate]:
    """Numbers behind a slice."""
    last = leaf.path[-1]
    size = (group.confirmed or group.found).size
    return {
        "error_rate": leaf.error_rate,
        **group_estimates(group),
        "error_coverage": leaf.error_coverage,
        "excess": leaf.excess,
        "aler_gain": gain_estimate(group, leaf.depth),
        "importance_value": plain_estimate(leaf.importance_value, "EC times ER", size),
        "feature": Estimate(value=float(last.feature), method="number of the feature"),
        "threshold": Estimate(value=last.threshold, method="midpoint of two images"),
    }


def plain_estimate(value: float | None, method: str, num_samples: int) -> Estimate:
    """A number without an interval."""
    if value is None:
        return Estimate.absent("no scored image to measure it on", num_samples=num_samples)
    return Estimate(value=value, method=method, num_samples=num_samples)


def picture_files(audit: str, picture: PictureResult | None) -> tuple[str, ...]:
    """Files of a slice's pictures, relative to the run directory, each once."""
    if picture is None:
        return ()
    files = (*picture.activating, *picture.attacked, *picture.failures, *picture.successes)
    return tuple(f"audits/{audit}/images/{name}" for name in dict.fromkeys(files))


def result_file(audit: str) -> str:
    """The file of the run directory that holds every number."""
    return f"audits/{audit}/result.json"
