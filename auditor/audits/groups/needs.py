"""What the comparison of groups asks for: one look at each split, and pictures of what differs.

table_<split>     what every image shows, and the group columns     (per image: bounded by images)
compared          T_u over all splits, groups, tests; which images show the differences
chosen_<split>    the rows of one split that are shown
pictures_<split>  the images, and where the filters are active in them
result            everything in words

For two networks on the same images:

levels_<side>_<split>   the largest activations of each filter      first: model, second: extractor
thresholds              T_u of both layers over all splits
regions_<side>_<split>  filters against annotated concepts
result                  which network detects which concept
"""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from auditor.audits.groups.spec import GroupsSpec
from auditor.context import Context
from auditor.errors import PlanError
from auditor.needs import Fold, Need, NetworkRole, Output, Solve, Source, Visit

VERSION = 1
"""Raised when the same inputs would give other numbers."""

PICTURED = 12
"""Comparisons that are shown with pictures at most, those with the largest differences first."""

LISTED_SIZE = 8
"""Short side of the grid of regions where only their names count."""

Side = Literal["first", "second"]
"""The model's layer, or the layer that it is compared with."""

SIDES: tuple[Side, ...] = ("first", "second")


def needs(audit: str, spec: GroupsSpec, context: Context) -> tuple[Need, ...]:
    """Folds, solves and visits of one audit.

    Args:
        audit: Id of the audit.
        spec: Its spec, with every default filled in.
        context: What the audit may know.

    Raises:
        PlanError: a layer is missing, or networks are compared and the extractor is none.
    """
    measured = {"compare", "splits", "inspect", "layer", "other_layer", "share"}
    read: JsonValue = {"version": VERSION, **spec.model_dump(mode="json", include=measured)}
    shared: JsonValue = {"version": VERSION, **spec.model_dump(mode="json", exclude={"title"})}
    if spec.compare == "networks":
        return network_needs(audit, spec, context, read, shared)
    outputs = tuple(filter(None, (compared_output(spec, context),)))
    tables = tuple(
        Fold(
            audit=audit,
            name=table_of(split),
            source=Source(split=split),
            outputs=outputs,
            params=read,
        )
        for split in spec.splits
    )
    names = tuple(table.name for table in tables)
    looks = picture_needs(audit, spec, context, shared) if spec.pictures.differences else ()
    visits = tuple(need.name for need in looks if isinstance(need, Visit))
    return (
        *tables,
        Solve(audit=audit, name="compared", inputs=names, params=shared),
        *looks,
        Solve(audit=audit, name="result", inputs=("compared", *visits), params=shared),
    )


def picture_needs(
    audit: str, spec: GroupsSpec, context: Context, params: JsonValue
) -> tuple[Need, ...]:
    """What shows the differences: for each split the rows, and a look at them."""
    filters = spec.compare == "filters"
    found: list[Need] = []
    for split in spec.splits:
        chosen = Solve(audit=audit, name=chosen_of(split), inputs=("compared",), params=params)
        visit = Visit(
            audit=audit,
            name=pictures_of(split),
            source=Source(split=split),
            network=spec.inspect if filters else None,
            layers=(layer_of(spec, context),) if filters else (),
            after=(chosen.name, "compared"),
            max_rows=PICTURED * spec.pictures.differences * spec.pictures.images * 2,
            params=params,
        )
        found += [chosen, visit]
    return tuple(found)


def network_needs(
    audit: str, spec: GroupsSpec, context: Context, read: JsonValue, params: JsonValue
) -> tuple[Need, ...]:
    """Two looks at each split by each of the two layers."""
    levels, regions = [], []
    for side in SIDES:
        maps = maps_output(side_role(side, context), side_layer(side, spec, context))
        for split in spec.splits:
            source = Source(split=split)
            levels.append(
                Fold(
                    audit=audit,
                    name=f"levels_{side}_{split}",
                    source=source,
                    outputs=(maps,),
                    params=read,
                )
            )
            regions.append(
                Fold(
                    audit=audit,
                    name=f"regions_{side}_{split}",
                    source=source,
                    outputs=(maps, masks_output(side_role(side, context), None)),
                    params=read,
                    after=("thresholds",),
                )
            )
    return (
        *levels,
        Solve(
            audit=audit,
            name="thresholds",
            inputs=tuple(fold.name for fold in levels),
            params=read,
        ),
        *regions,
        Solve(
            audit=audit,
            name="result",
            inputs=("thresholds", *(fold.name for fold in regions)),
            params=params,
        ),
    )


def compared_output(spec: GroupsSpec, context: Context) -> Output | None:
    """What the table of an image needs; labels and columns of predictions come by themselves."""
    match spec.compare:
        case "filters":
            return maps_output(spec.inspect, layer_of(spec, context))
        case "concepts":
            return masks_output(spec.inspect, LISTED_SIZE)
        case "predictions" if spec.inspect == "extractor" or context.is_network:
            return Output(kind="logits", network=spec.inspect)
        case _:
            return None


def maps_output(role: NetworkRole, layer: str) -> Output:
    """Where each filter is active [B, U, h, w]."""
    return Output(kind="activation", network=role, layer=layer)


def masks_output(role: NetworkRole, size: int | None) -> Output:
    """The annotated regions."""
    return Output(kind="masks", network=role, size=size)


def layer_of(spec: GroupsSpec, context: Context) -> str:
    """The layer whose filters are compared.

    Raises:
        PlanError: none is named.
    """
    own = context.extractor.layer if spec.inspect == "extractor" and context.extractor else None
    return named_layer(spec.layer or own, context.audit, "layer")


def side_role(side: Side, context: Context) -> NetworkRole:
    """The network of one side.

    Raises:
        PlanError: there is no second network.
    """
    if side == "first":
        return "model"
    if context.extractor is None or context.extractor.network is None:
        raise PlanError(
            f"audit {context.audit!r} compares two networks, but the spec has no second one",
            hint="name the other network as `extractor`",
        )
    return context.extractor.network


def side_layer(side: Side, spec: GroupsSpec, context: Context) -> str:
    """The layer of one side.

    Raises:
        PlanError: none is named.
    """
    if side == "first":
        return named_layer(spec.layer, context.audit, "layer")
    own = context.extractor.layer if context.extractor is not None else None
    return named_layer(spec.other_layer or own, context.audit, "other_layer")


def named_layer(layer: str | None, audit: str, key: str) -> str:
    if layer is None:
        raise PlanError(
            f"audit {audit!r} does not say which layer's filters are compared",
            hint=f"set `{key}: MODULE`; `auditor layers` lists them",
        )
    return layer


def table_of(split: str) -> str:
    """Name of the fold over a split."""
    return f"table_{split}"


def chosen_of(split: str) -> str:
    """Name of the solve that says which rows of a split are shown."""
    return f"chosen_{split}"


def pictures_of(split: str) -> str:
    """Name of the visit to a split."""
    return f"pictures_{split}"
