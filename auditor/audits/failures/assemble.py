"""The audit's result from its table, and its outcome once the pictures are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.audits.failures.aggregate import aggregate, surfaces
from auditor.audits.failures.confirming import correct
from auditor.audits.failures.describe import accepted_leaves, rule_text, strongest
from auditor.audits.failures.findings import all_findings
from auditor.audits.failures.groups import make_groups, tasks
from auditor.audits.failures.needs import extractor_of
from auditor.audits.failures.pictures_result import choose, picture_files
from auditor.audits.failures.result import FailuresResult, FeatureResult, GroupResult
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.states import GrownState, PicturesState, TableState
from auditor.audits.failures.store import Health, feature_health
from auditor.audits.failures.study import study
from auditor.audits.failures.suggestions import MAX_IMAGES, suggestion
from auditor.context import Context
from auditor.results.outcome import Outcome


@dataclass(frozen=True, eq=False)
class Explained:
    """Every group studied and corrected.

    Attributes:
        groups: In the order of the spec's groupings.
        samples: Row, part, failed and deepest node of each group's images, int32 [n, 4].
    """

    groups: tuple[GroupResult, ...]
    samples: tuple[Tensor, ...]


def explain(spec: FailuresSpec, context: Context, table: TableState, health: Health) -> Explained:
    """Study one group after the other; only one group's features are copied at a time."""
    studied = [
        study(spec, table, health, group, seed=context.seed)
        for group in make_groups(spec, context, table)
    ]
    groups = correct([one.result for one in studied], alpha=spec.alpha)
    return Explained(groups, tuple(one.samples for one in studied))


def grown_state(spec: FailuresSpec, context: Context, table: TableState) -> GrownState:
    """Trees, tests and the choice of images: everything that needs the feature store."""
    health = feature_health(table.features)
    explained = explain(spec, context, table, health)
    result = result_of(spec, context, table, health, explained.groups)
    named = {
        group.id: samples
        for group, samples in zip(explained.groups, explained.samples, strict=True)
    }
    slices = strongest(result, spec.pictures.findings)
    chosen = choose(spec.pictures, table, named, slices, seed=context.seed)
    document = result.model_dump_json().encode()
    return GrownState(
        document=torch.frombuffer(bytearray(document), dtype=torch.uint8),
        rows=chosen.rows,
        feature=chosen.feature,
        activating=chosen.activating,
        failures=chosen.failures,
        successes=chosen.successes,
        samples=numbered(explained.samples),
        values=chosen.values,
    )


def numbered(samples: Sequence[Tensor]) -> Tensor:
    """All groups' samples with the group's position in front, int32 [M, 5]."""
    blocks = [
        torch.cat([torch.full((len(rows), 1), index, dtype=torch.int32), rows], 1)
        for index, rows in enumerate(samples)
    ]
    return torch.cat([torch.zeros(0, 5, dtype=torch.int32), *blocks])


def result_of(
    spec: FailuresSpec,
    context: Context,
    table: TableState,
    health: Health,
    groups: Sequence[GroupResult],
) -> FailuresResult:
    """The result without pictures."""
    extractor = extractor_of(context)
    titles = {"model": context.model_title, "extractor": extractor.title}
    known = torch.zeros(len(table.rows), dtype=torch.bool)
    for task in tasks(spec, context, table):
        known |= task.known
    return FailuresResult(
        split=spec.split,
        exploratory=spec.confirm is None,
        extractor=extractor.title,
        layer=extractor.layer,
        inspected={role: titles[role] for role in spec.inspect},
        num_images=len(table.rows),
        num_found=int((table.part == 0).sum()),
        num_unlabelled=int((~known).sum()),
        num_features=table.features.shape[1],
        num_constant=int(health.constant.sum()),
        num_nonfinite=int(health.nonfinite.sum()),
        criterion=spec.criterion,
        coverage=spec.valid.coverage,
        excess=spec.valid.excess,
        alpha=spec.alpha,
        num_tested=sum(leaf.p_value.value is not None for group in groups for leaf in group.leaves),
        groups=tuple(groups),
        features=feature_results(context, table, groups),
        aggregate=aggregate(groups, max_depth=spec.max_depth, seed=context.seed),
        surface=surfaces(groups, max_depth=spec.max_depth),
        pictures=(),
        attack=attack_in_words(spec, context),
    )


def feature_results(
    context: Context, table: TableState, groups: Sequence[GroupResult]
) -> tuple[FeatureResult, ...]:
    """Every feature that some tree uses, those that explain most groups first."""
    used = sorted({n.feature for group in groups for n in group.nodes if n.feature is not None})
    explains: dict[int, dict[str, None]] = {feature: {} for feature in used}
    for group in groups:
        for leaf in accepted_leaves(group):
            for step in leaf.path:
                explains[step.feature][group.id] = None
    growing = torch.nonzero(table.part == 0).flatten()[:MAX_IMAGES]
    labels = table.attributes[growing].numpy()
    names = extractor_of(context).names
    found = []
    for feature in used:
        values = table.features[:, feature]
        low, high = np.quantile(values.numpy(), [0.05, 0.95])
        found.append(
            FeatureResult(
                index=feature,
                name=names[feature] if names is not None else None,
                suggestion=suggestion(values[growing].numpy(), labels, context.attributes),
                low=float(low),
                high=float(high),
                groups=tuple(explains[feature]),
            )
        )
    return tuple(sorted(found, key=lambda one: (-len(one.groups), one.index)))


def attack_in_words(spec: FailuresSpec, context: Context) -> str | None:
    """`l2, eps 1, 60 steps of 0.0417`; None where no network is at hand or nothing is shown."""
    if extractor_of(context).network is None or not spec.pictures.findings:
        return None
    attack = spec.pictures.attack
    step_size = attack.step_size or 2.5 * attack.eps / attack.num_steps
    return f"l2, eps {attack.eps:g}, {attack.num_steps} steps of {step_size:.3g}"


def outcome(
    spec: FailuresSpec, context: Context, grown: GrownState, pictures: PicturesState | None
) -> Outcome:
    """The audit's result, findings, tables, arrays and images.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        grown: Trees and tests.
        pictures: What the chosen images looked like; None where none were asked for.
    """
    result = FailuresResult.model_validate_json(grown.document.numpy().tobytes())
    arrays: dict[str, dict[str, Any]] = {}
    images: dict[str, bytes] = {}
    if pictures is not None:
        slices = strongest(result, spec.pictures.findings)
        files = picture_files(grown, pictures, slices)
        result = result.model_copy(update={"pictures": files.results})
        images = dict(files.images)
        if files.maps is not None:
            arrays = {"pictures": {"maps": files.maps}}
    return Outcome(
        result=result,
        findings=all_findings(spec, context.audit, result),
        tables={
            "groups": group_table(result.groups),
            "leaves": leaf_table(result.groups),
            "samples": sample_table(result.groups, grown.samples),
        },
        arrays=arrays,
        images=images,
    )


def group_table(groups: Sequence[GroupResult]) -> dict[str, list[Any]]:
    """One row per group, as columns, for spreadsheets."""
    plain = ("id", "inspected", "attribute", "grouping", "value", "outcome", "reason")
    table: dict[str, list[Any]] = {name: [getattr(g, name) for g in groups] for name in plain}
    for name in ("found", "confirmed"):
        counts = [getattr(group, name) for group in groups]
        table[f"{name}_images"] = [one and one.size for one in counts]
        table[f"{name}_failures"] = [one and one.failures for one in counts]
    table["num_features"] = [group.num_features for group in groups]
    table["null_p_value"] = [group.null_p_value.value for group in groups]
    table["null_gain"] = [group.null_gain for group in groups]
    table["stability"] = [group.stability.value for group in groups]
    for depth in range(1, 1 + max((len(group.depths) for group in groups), default=0)):
        trees = [group.depths[depth - 1] if group.depths else None for group in groups]
        for name in ("average_leaf_error_rate", "gain", "normalised_gain", "found_gain"):
            table[f"{name}_{depth}"] = [tree and getattr(tree, name) for tree in trees]
    return table


def leaf_table(groups: Sequence[GroupResult]) -> dict[str, list[Any]]:
    """One row per tested leaf, as columns."""
    pairs = [(group, leaf) for group in groups for leaf in group.leaves]
    table: dict[str, list[Any]] = {"group": [group.id for group, _ in pairs]}
    for name in ("node", "depth", "importance_value", "valid", "confirmed"):
        table[name] = [getattr(leaf, name) for _, leaf in pairs]
    table["rule"] = [rule_text(leaf.path, {}) for _, leaf in pairs]
    table["feature"] = [leaf.path[-1].feature for _, leaf in pairs]
    for name in ("error_rate", "excess", "error_coverage"):
        for end in ("value", "low", "high"):
            column = name if end == "value" else f"{name}_{end}"
            table[column] = [getattr(getattr(leaf, name), end) for _, leaf in pairs]
    for name in ("p_value", "p_adjusted"):
        table[name] = [getattr(leaf, name).value for _, leaf in pairs]
    return table


def sample_table(groups: Sequence[GroupResult], samples: Tensor) -> dict[str, list[Any]]:
    """One row per image and tested group, as columns; `row` counts in the split from 0."""
    group, row, part, failed, node = (column.tolist() for column in samples.unbind(1))
    return {
        "group": [groups[index].id for index in group],
        "row": row,
        "part": ["confirming" if held else "growing" for held in part],
        "failed": [bool(one) for one in failed],
        "node": node,
    }
