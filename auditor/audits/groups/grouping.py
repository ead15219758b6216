"""Which images are compared with which: from the spec alone, in words and as conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from math import comb, prod

from auditor.audits.groups.spec import GroupsSpec
from auditor.context import Context
from auditor.errors import PlanError
from auditor.wording import listing, plain

MOST_COMPARISONS = 1000
"""More pairs of groups than this are no comparison that anybody reads."""


@dataclass(frozen=True)
class Group:
    """Images that share something.

    Attributes:
        id: Stable name, such as `skin=deep`, `skin=deep+age=old`, `split=test` or a name.
        images: The images in words, such as `pictures whose skin is deep`.
        title: The same for a heading, such as `skin deep`.
        split: Position of the split that the group is; None where columns decide.
        conditions: Column -> values, all of which an image has to meet.
    """

    id: str
    images: str
    title: str
    split: int | None = None
    conditions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Two sides.

    Attributes:
        first: Position of the group.
        second: Position of the other group; None for all other images.
    """

    first: int
    second: int | None


def groups_of(spec: GroupsSpec, context: Context) -> tuple[Group, ...]:
    """The groups, in the order of the spec and of the columns' values."""
    if spec.named:
        return tuple(named_group(name, found) for name, found in spec.named.items())
    if spec.by:
        return tuple(combined_groups(spec, context))
    return tuple(
        Group(
            id=f"split={name}",
            images=f"pictures of the split “{plain(name)}”",
            title=f"split {plain(name)}",
            split=index,
        )
        for index, name in enumerate(spec.splits)
    )


def named_group(name: str, conditions: Mapping[str, tuple[str, ...]]) -> Group:
    """A group of the spec, whose name has underscores for spaces."""
    title = name.replace("_", " ")
    return Group(name, f"pictures of the group “{title}”", title, conditions=conditions)


def combined_groups(spec: GroupsSpec, context: Context) -> Iterator[Group]:
    """One group per combination of the columns' values; 1 before 0 in columns of these alone.

    Raises:
        PlanError: there are too many combinations.
    """
    values = [context.columns.get(name, ()) for name in spec.by]
    if prod(map(len, values)) > MOST_COMPARISONS:
        raise too_many(context.audit, prod(map(len, values)), "groups")
    marks = [is_mark(found) for found in values]
    ordered = [found[::-1] if mark else found for found, mark in zip(values, marks, strict=True)]
    for combination in product(*ordered):
        parts = tuple(zip(spec.by, combination, marks, strict=True))
        yield Group(
            id="+".join(f"{name}={value}" for name, value, _ in parts),
            images=described(parts),
            title=", ".join(headed(*part) for part in parts),
            conditions={name: (value,) for name, value, _ in parts},
        )


def is_mark(values: tuple[str, ...]) -> bool:
    """Whether a column says of each image that it has something, or has not."""
    return set(values) == {"0", "1"}


def headed(name: str, value: str, mark: bool) -> str:
    """`skin deep`, `with “hat”`: one condition in a heading."""
    if mark:
        return f"{'with' if value == '1' else 'without'} “{plain(name)}”"
    return f"{plain(name)} {plain(value)}"


def described(parts: Sequence[tuple[str, str, bool]]) -> str:
    """`pictures with “hat” whose skin is deep`: the conditions of one group in a sentence."""
    words = ["pictures"]
    marks = [headed(*part) for part in parts if part[2]]
    if marks:
        words.append(listing(marks))
    values = [f"{plain(name)} is {plain(value)}" for name, value, mark in parts if not mark]
    if values:
        words.append(f"whose {listing(values)}")
    return " ".join(words)


def comparisons_of(
    spec: GroupsSpec, context: Context, groups: tuple[Group, ...]
) -> tuple[Comparison, ...]:
    """Which sides are compared.

    Two groups that share out all images are compared once, not each with the other as the rest.

    Raises:
        PlanError: there are too many pairs.
    """
    together = len(groups) == 2 and not spec.named
    if len(groups) > 1 and (spec.against == "each_other" or together):
        if comb(len(groups), 2) > MOST_COMPARISONS:
            raise too_many(context.audit, comb(len(groups), 2), "pairs of groups")
        return tuple(Comparison(a, b) for a, b in combinations(range(len(groups)), 2))
    return tuple(Comparison(index, None) for index in range(len(groups)))


def columns_used(groups: tuple[Group, ...]) -> tuple[str, ...]:
    """Columns that decide about groups: an image without a value in one of them is left out."""
    return tuple(dict.fromkeys(name for group in groups for name in group.conditions))


def comparison_id(groups: tuple[Group, ...], comparison: Comparison) -> tuple[str, ...]:
    """Ids of the groups compared; one where the other side is the rest."""
    first = groups[comparison.first].id
    return (first,) if comparison.second is None else (first, groups[comparison.second].id)


def too_many(audit: str, number: int, what: str) -> PlanError:
    return PlanError(
        f"audit {audit!r} would compare {number:,} {what}, at most {MOST_COMPARISONS:,} are",
        hint="take fewer columns under `by`, or name the groups that matter under `named`",
    )
