"""The audit's outcome from its numbers: result, findings, tables, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.audits.groups.comparing import differences, ranked
from auditor.audits.groups.findings import all_findings
from auditor.audits.groups.grouping import (
    Comparison,
    Group,
    comparison_id,
    comparisons_of,
    groups_of,
)
from auditor.audits.groups.needs import layer_of
from auditor.audits.groups.networks import networks_result
from auditor.audits.groups.pictures import picture_files
from auditor.audits.groups.result import (
    ComparisonOutcome,
    ComparisonResult,
    DifferenceResult,
    GroupResult,
    GroupsResult,
)
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.groups.states import (
    ComparedState,
    OverlapState,
    PicturesState,
    ThresholdsState,
)
from auditor.audits.groups.words import OTHERS, item_title, thing
from auditor.context import Context
from auditor.measure.intervals import Interval, Term, combined, wilson
from auditor.measure.proportions import cohen_h
from auditor.results.estimate import Estimate
from auditor.results.outcome import Outcome
from auditor.wording import count, counted

LEVEL = 0.95
LISTED = 12
"""Differences per comparison that the result lists at least; the table has all."""


def outcome(
    spec: GroupsSpec,
    context: Context,
    compared: ComparedState,
    taken: Mapping[str, PicturesState],
) -> Outcome:
    """Result, findings, tables, arrays and images of a comparison of groups.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        compared: Every number.
        taken: Split -> what the chosen images looked like.
    """
    groups = groups_of(spec, context)
    sides = comparisons_of(spec, context, groups)
    order = ranked(compared.counts, compared.different, compared.p_values >= 0)
    comparisons = tuple(
        comparison_result(spec, context, compared, groups, one, index, order)
        for index, one in enumerate(sides)
    )
    files = picture_files(spec, compared, tuple(one.id for one in comparisons), taken)
    result = result_of(spec, context, compared, groups).model_copy(
        update={"comparisons": comparisons, "pictures": files.results}
    )
    arrays: dict[str, dict[str, Any]] = {}
    if files.active is not None:
        arrays["pictures"] = {"active": files.active}
    return Outcome(
        result=result,
        findings=all_findings(spec, context.audit, result),
        tables={
            "differences": difference_table(spec, context, compared, comparisons),
            "groups": {
                "id": [group.id for group in result.groups],
                "images": [group.images for group in result.groups],
                "size": [group.size for group in result.groups],
            },
        },
        arrays=arrays,
        images=dict(files.images),
    )


def networks_outcome(
    spec: GroupsSpec, context: Context, limits: ThresholdsState, sides: Sequence[OverlapState]
) -> Outcome:
    """Result, finding and table of two networks on the same images."""
    result, table = networks_result(spec, context, limits, sides)
    return Outcome(
        result=result,
        findings=all_findings(spec, context.audit, result),
        tables={"concepts": table},
    )


def result_of(
    spec: GroupsSpec, context: Context, compared: ComparedState, groups: Sequence[Group]
) -> GroupsResult:
    """The result without comparisons and pictures."""
    filters = spec.compare == "filters"
    height, width = compared.side.tolist()
    extractor = context.extractor.title if context.extractor is not None else ""
    return GroupsResult(
        compare=spec.compare,
        splits=spec.splits,
        inspected=context.model_title if spec.inspect == "model" else extractor,
        layer=layer_of(spec, context) if filters else None,
        num_images=int(compared.num_images),
        num_unknown=int(compared.num_unknown),
        num_items=len(compared.num_known),
        num_silent=int(silent(compared).sum()),
        share=spec.share if filters else None,
        side=(height, width) if filters else None,
        ceiling=min(1.0, spec.share * height * width) if filters else None,
        exact=bool(compared.exact),
        rank_error=float(compared.rank_error),
        min_images=spec.min_images,
        min_difference=spec.min_difference,
        alpha=spec.alpha,
        num_tested=int((compared.p_values >= 0).sum()),
        groups=tuple(
            GroupResult(id=group.id, images=group.images, size=size)
            for group, size in zip(groups, compared.group_sizes.tolist(), strict=True)
        ),
    )


def silent(compared: ComparedState) -> Tensor:
    """Things that no compared image shows, bool [I]."""
    shown = torch.zeros(len(compared.num_known), dtype=torch.int64)
    shown.index_add_(0, compared.counts[:, 1], compared.counts[:, 2] + compared.counts[:, 4])
    return shown == 0


def comparison_result(
    spec: GroupsSpec,
    context: Context,
    compared: ComparedState,
    groups: tuple[Group, ...],
    one: Comparison,
    index: int,
    order: Tensor,
) -> ComparisonResult:
    """One comparison with its largest differences.

    Args:
        spec: The audit's spec.
        context: What it may know of the rest.
        compared: Every number.
        groups: All groups.
        one: The comparison.
        index: Its position.
        order: All tests, the ones that count first, int64 [M].
    """
    ids = comparison_id(groups, one)
    num_first, num_second, num_both = compared.sizes[index].tolist()
    mine = order[compared.counts[order, 0] == index]
    tested = mine[compared.p_values[mine] >= 0]
    num_different = int(compared.different[mine].sum())
    images, titles = side_words(groups, one, num_both)
    reason = untestable(spec, images, (num_first, num_second), len(tested))
    if reason and num_both:
        reason += f"; {counted(num_both, 'picture')} in both groups took no part"
    told: ComparisonOutcome = "different" if num_different else "similar"
    listed = max(LISTED, spec.pictures.differences)
    ceilings = [side_ceiling(spec, compared, size) for size in (num_first, num_second)]
    return ComparisonResult(
        id="~".join(ids),
        first=ids[0],
        second=ids[1] if len(ids) > 1 else None,
        first_title=titles[0],
        second_title=titles[1],
        first_images=images[0],
        second_images=images[1],
        outcome="not_testable" if reason else told,
        reason=reason,
        num_first=num_first,
        num_second=num_second,
        num_both=num_both,
        first_ceiling=ceilings[0],
        second_ceiling=ceilings[1],
        num_tested=len(tested),
        num_different=num_different,
        differences=tuple(
            difference_result(spec, context, compared, position)
            for position in tested[:listed].tolist()
        ),
    )


def side_words(
    groups: tuple[Group, ...], one: Comparison, num_both: int
) -> tuple[tuple[str, str], tuple[str, str]]:
    """Both sides in sentences and in headings; a group that lost images to the other is `alone`."""
    first = groups[one.first]
    if one.second is None:
        return (first.images, OTHERS), (first.title, OTHERS)
    second, alone = groups[one.second], " alone" if num_both else ""
    return (
        (first.images + alone, second.images + alone),
        (first.title + alone, second.title + alone),
    )


def untestable(
    spec: GroupsSpec, images: tuple[str, str], sizes: tuple[int, int], num_tested: int
) -> str | None:
    """Why a comparison cannot be tested; None where it can."""
    for words, size in zip(images, sizes, strict=True):
        if size < spec.min_images:
            return f"{there_are(words, size)}, and {spec.min_images} are needed"
    if not num_tested:
        return f"no {thing(spec.compare)} is there in some of the pictures and not in others"
    return None


def there_are(words: str, size: int) -> str:
    """`there is only 1 picture whose skin is deep`, `there are no other pictures`."""
    match size:
        case 0:
            return f"there are no {words}"
        case 1:
            return f"there is only 1 {words.replace('pictures', 'picture', 1)}"
        case _:
            return f"there are only {count(size)} {words}"


def side_ceiling(spec: GroupsSpec, compared: ComparedState, size: int) -> float | None:
    """Largest share of a side's images that can have a place above T_u.

    Of all N images' places a share is above, each in one image: at most share · h · w · N images.
    A side of n images could hold all of these, so its bound is that number over n.
    """
    if spec.compare != "filters" or not size:
        return None
    num_places = int(compared.side.prod())
    return min(1.0, spec.share * num_places * int(compared.num_images) / size)


def difference_result(
    spec: GroupsSpec, context: Context, compared: ComparedState, position: int
) -> DifferenceResult:
    """One tested difference."""
    _, item, first, first_size, second, second_size = compared.counts[position].tolist()
    one, other = wilson(first, first_size), wilson(second, second_size)
    total = first_size + second_size
    return DifferenceResult(
        item=item,
        title=item_title(spec, context, item),
        first=estimate(one, "wilson", first_size),
        second=estimate(other, "wilson", second_size),
        difference=estimate(combined([Term(1, one), Term(-1, other)]), "newcombe", total),
        effect=float(cohen_h(one.value, other.value)),
        p_value=Estimate(value=float(compared.p_values[position]), num_samples=total),
        p_adjusted=Estimate(value=float(compared.p_adjusted[position]), num_samples=total),
        different=bool(compared.different[position]),
    )


def estimate(interval: Interval, method: str, num_samples: int) -> Estimate:
    """An interval as a result."""
    return Estimate(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        level=LEVEL,
        method=method,
        num_samples=num_samples,
    )


def difference_table(
    spec: GroupsSpec,
    context: Context,
    compared: ComparedState,
    comparisons: Sequence[ComparisonResult],
) -> dict[str, Sequence[Any]]:
    """One row per comparison and thing, as columns; empty cells where nothing was tested."""
    counts = compared.counts
    titles = [item_title(spec, context, i) for i in range(len(compared.num_known))]
    sizes = counts[:, [3, 5]].double().clamp_min(1.0)
    shares = (counts[:, [2, 4]].double() / sizes).numpy()
    filled = (counts[:, [3, 5]] > 0).all(1).numpy()
    table: dict[str, Sequence[Any]] = {
        "comparison": [comparisons[i].id for i in counts[:, 0].tolist()],
        "item": counts[:, 1].tolist(),
        "title": [titles[i] for i in counts[:, 1].tolist()],
    }
    for index, name in enumerate(("first", "first_size", "second", "second_size"), start=2):
        table[name] = counts[:, index].tolist()
    table["difference"] = blanked(differences(counts).numpy(), filled)
    table["effect"] = blanked(cohen_h(shares[:, 0], shares[:, 1]), filled)
    tested = (compared.p_values >= 0).numpy()
    table["p_value"] = blanked(compared.p_values.numpy(), tested)
    table["p_adjusted"] = blanked(compared.p_adjusted.numpy(), tested)
    table["different"] = compared.different.tolist()
    return table


def blanked(values: np.ndarray[Any, Any], kept: np.ndarray[Any, Any]) -> list[float | None]:
    """Values, None where there is none."""
    return [float(value) if keep else None for value, keep in zip(values, kept, strict=True)]
