"""One group studied: testable or not, its tree, its leaves; all of the store it needs at once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from auditor.audits.failures.confirming import (
    Part,
    Scored,
    candidates,
    depth_result,
    leaf_result,
    node_counts,
)
from auditor.audits.failures.groups import Group
from auditor.audits.failures.growing import Tree, group_seed, grow, place
from auditor.audits.failures.result import Counts, GroupOutcome, GroupResult, NodeResult
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.states import TableState
from auditor.audits.failures.store import Health, group_features
from auditor.measure.threads import threads_for
from auditor.results.estimate import Estimate
from auditor.wording import counted


class Studied(NamedTuple):
    """What is known of one group before the correction.

    Attributes:
        result: The group, its leaves' adjusted p-values still absent.
        samples: Row, part, failed and deepest node of each image of a tested group, int32 [n, 4].
    """

    result: GroupResult
    samples: Tensor


class Parts(NamedTuple):
    """Positions in the table and failures of a group's images on one part.

    Attributes:
        positions: int64 [n].
        failed: bool [n].
    """

    positions: Tensor
    failed: Tensor

    @property
    def counts(self) -> Counts:
        """How many, and how many of them fail."""
        return Counts(size=len(self.failed), failures=int(self.failed.sum()))


class Stopped(NamedTuple):
    """What came of a group, and why."""

    outcome: GroupOutcome
    reason: str


Purposes = tuple[tuple[Counts, str], ...]
"""Counts of each part, with what its images are for."""


def study(
    spec: FailuresSpec, table: TableState, health: Health, group: Group, *, seed: int
) -> Studied:
    """Grow and score the tree of one group, if it is testable.

    Args:
        spec: The audit's spec.
        table: Everything known of every image.
        health: Which features are constant or not finite over all images.
        group: The group.
        seed: Seed of the audit.
    """
    part = table.part[group.members]
    found = part_of(group, part == 0)
    confirming = part_of(group, part == 1) if spec.confirm is not None else None
    stopped = why_not(spec, health, purposes(found, confirming))
    if stopped is not None:
        return Studied(bare_result(group, found, confirming, stopped), no_samples())
    features = group_features(table.features, found.positions, health.nonfinite)
    with threads_for(features.numel()):
        tree = grow(spec, features, found.failed, seed=group_seed(seed, group.id))
    del features
    if not tree.num_features:
        stopped = Stopped("not_testable", "no feature changes between its images")
        return Studied(bare_result(group, found, confirming, stopped), no_samples())
    return tested(spec, table, group, tree, found, confirming)


def part_of(group: Group, mask: Tensor) -> Parts:
    """A group's images on one part."""
    return Parts(group.members[mask], group.failed[mask])


def purposes(found: Parts, confirming: Parts | None) -> Purposes:
    """Counts of both parts with what they are for."""
    growing = (found.counts, "grow trees on")
    if confirming is None:
        return (growing,)
    return (growing, (confirming.counts, "confirm leaves on"))


def why_not(spec: FailuresSpec, health: Health, counts: Purposes) -> Stopped | None:
    """Why no tree is grown; None where one is.

    A group without failures is no failure of the audit, as long as it has images enough.
    """
    if few := too_few_images(spec, counts):
        return Stopped("not_testable", few)
    if not any(part.failures for part, _ in counts):
        return Stopped("no_failures", "the group has no failures")
    if few := too_few_failures(spec, counts):
        return Stopped("not_testable", few)
    if not health.num_usable:
        reason = "the extractor gives no feature that is finite and changes between images"
        return Stopped("not_testable", reason)
    return None


def too_few_images(spec: FailuresSpec, counts: Purposes) -> str | None:
    """Which part has too few images, in words."""
    for part, purpose in counts:
        if part.size < spec.min_group:
            return (
                f"it has {counted(part.size, 'image')} to {purpose}, and at least "
                f"{spec.min_group} are needed"
            )
    return None


def too_few_failures(spec: FailuresSpec, counts: Purposes) -> str | None:
    """Which part has too few failures or successes, in words."""
    for part, purpose in counts:
        kinds = (
            (part.failures, "failure", "failures"),
            (part.size - part.failures, "success", "successes"),
        )
        for number, one, many in kinds:
            if number < spec.min_failures:
                among = counted(part.size, "image")
                return (
                    f"it has {counted(number, one, many)} among the {among} to {purpose}, and at "
                    f"least {spec.min_failures} are needed"
                )
    return None


def bare_result(
    group: Group, found: Parts, confirming: Parts | None, stopped: Stopped
) -> GroupResult:
    """A group without a tree."""
    return GroupResult(
        id=group.id,
        inspected=group.inspected,
        attribute=group.attribute,
        grouping=group.grouping,
        value=group.value,
        images=group.images,
        wrong=group.wrong,
        outcome=stopped.outcome,
        reason=stopped.reason,
        found=found.counts,
        confirmed=confirming.counts if confirming else None,
        null_p_value=Estimate.absent(stopped.reason),
        stability=Estimate.absent(stopped.reason),
    )


def tested(
    spec: FailuresSpec,
    table: TableState,
    group: Group,
    tree: Tree,
    found: Parts,
    confirming: Parts | None,
) -> Studied:
    """A group with its tree, scored on both parts."""
    grown = placed(spec, table, tree, found)
    held = placed(spec, table, tree, confirming) if confirming else None
    found_counts = node_counts(tree.nodes, grown)
    held_counts = node_counts(tree.nodes, held) if held else None
    scored = Scored(tree.nodes, found_counts, held_counts or found_counts, held_counts is None)
    settled = Stopped("exploratory" if scored.exploratory else "no_slice", "not measured yet")
    result = bare_result(group, found, confirming, settled).model_copy(
        update={
            "reason": None,
            "num_features": tree.num_features,
            "nodes": node_results(tree, found_counts, held_counts),
            "depths": tuple(
                depth_result(spec, scored, depth) for depth in range(1, spec.max_depth + 1)
            ),
            "leaves": tuple(leaf_result(spec, scored, index) for index in candidates(scored)),
            "null_p_value": tree.null_p_value,
            "null_gain": tree.null_gain,
            "stability": tree.stability,
            "rivals": tree.rivals,
        }
    )
    samples = [sample_rows(table, found, grown)]
    if confirming is not None and held is not None:
        samples.append(sample_rows(table, confirming, held))
    return Studied(result, torch.cat(samples))


def placed(spec: FailuresSpec, table: TableState, tree: Tree, parts: Parts) -> Part:
    """Where the tree puts the images of one part."""
    nodes = place(tree.nodes, table.features, parts.positions, spec.max_depth)
    return Part(parts.failed, nodes)


def node_results(
    tree: Tree, found: dict[int, Counts], held: dict[int, Counts] | None
) -> tuple[NodeResult, ...]:
    """The tree for the result."""
    return tuple(
        NodeResult(
            index=node.index,
            feature=node.feature,
            threshold=node.threshold,
            gain=node.gain,
            found=found[node.index],
            confirmed=held[node.index] if held is not None else None,
        )
        for node in tree.nodes
    )


def sample_rows(table: TableState, parts: Parts, part: Part) -> Tensor:
    """Row, part, failed and deepest node of each image, int32 [n, 4]."""
    columns = (
        table.rows[parts.positions],
        table.part[parts.positions],
        part.failed,
        part.placed[-1],
    )
    return torch.stack([column.to(torch.int32) for column in columns], 1)


def no_samples() -> Tensor:
    """No image, int32 [0, 4]."""
    return torch.zeros(0, 4, dtype=torch.int32)
