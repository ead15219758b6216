"""Cross checks of filter audits and of comparisons of groups: what they look at exists."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.groups.spec import GroupsSpec
from auditor.catalog import AuditSpec, network_of
from auditor.compose.names import repeated, unknown
from auditor.compose.place import Path, Places
from auditor.errors import Problem
from auditor.needs import NetworkRole
from auditor.spec.dataset import (
    CocoDataset,
    IndexMasksDataset,
    ManifestDataset,
    PortraitsDataset,
)
from auditor.spec.extractor import FeaturesExtractor, InspectedExtractor
from auditor.spec.model import PredictionsModel
from auditor.spec.portraits import ATTRIBUTES, GROUPS, PARTS


def filter_audits(spec: AuditSpec) -> dict[str, FiltersSpec]:
    """The filter audits of a spec by id."""
    return {name: audit for name, audit in spec.audits.items() if isinstance(audit, FiltersSpec)}


def group_audits(spec: AuditSpec) -> dict[str, GroupsSpec]:
    """The comparisons of groups of a spec by id."""
    return {name: audit for name, audit in spec.audits.items() if isinstance(audit, GroupsSpec)}


def filters(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """There are filters to look at, and regions to learn their names from."""
    for name, audit in filter_audits(spec).items():
        path: Path = ("audits", name)
        yield from network(spec, path, "inspect", audit.inspect, places)
        yield from layer(spec, path, audit.inspect, audit.layer, places)
        if not has_regions(spec):
            yield no_regions(spec, path, "this audit", places)
        if isinstance(spec.dataset, PortraitsDataset):
            for key, concepts in (("unwanted", audit.unwanted), ("expected", audit.expected)):
                for index, concept in enumerate(concepts):
                    if concept not in PARTS:
                        where: Path = (*path, key, index)
                        yield unknown(places, where, "part", concept, PARTS)
        for key, values in (("unwanted", audit.unwanted), ("expected", audit.expected)):
            yield from repeated(places, (*path, key), values)
        both = [concept for concept in audit.unwanted if concept in audit.expected]
        if both:
            message = f"`{both[0]}` is both unwanted and expected"
            yield places.problem((*path, "expected"), message, hint="remove it from one list")


def groups(spec: AuditSpec, places: Places) -> Iterator[Problem]:
    """There are groups, and something to compare them by."""
    for name, audit in group_audits(spec).items():
        path: Path = ("audits", name)
        yield from compared(spec, audit, path, places)
        yield from group_columns(spec, audit, path, places)
        yield from repeated(places, (*path, "splits"), audit.splits)
        yield from repeated(places, (*path, "by"), audit.by)


def compared(spec: AuditSpec, audit: GroupsSpec, path: Path, places: Places) -> Iterator[Problem]:
    """What is compared is there."""
    where: Path = (*path, "compare")
    match audit.compare:
        case "filters":
            yield from network(spec, path, "inspect", audit.inspect, places)
            yield from layer(spec, path, audit.inspect, audit.layer, places)
        case "networks":
            yield from network(spec, path, "compare", "model", places)
            yield from network(spec, path, "compare", "extractor", places)
            yield from layer(spec, path, "model", audit.layer, places)
            yield from layer(spec, path, "extractor", audit.other_layer, places, key="other_layer")
            if isinstance(spec.extractor, InspectedExtractor):
                message = "the extractor is the model itself: there is nothing to compare it with"
                yield places.problem(where, message, hint="name another network as `extractor`")
        case "attributes":
            if not spec.attributes:
                message = "the spec has no attributes to compare"
                yield places.problem(where, message, hint="list them under `attributes`")
        case "predictions":
            if audit.inspect == "extractor":
                yield from network(spec, path, "inspect", "extractor", places)
            one_each = (
                not isinstance(spec.model, PredictionsModel) and spec.model.head == "multi_label"
            )
            if one_each and not spec.attributes:
                message = "the model scores one attribute per output, and the spec has none"
                yield places.problem(where, message, hint="list them under `attributes`")
        case "concepts":
            pass
    if audit.compare in ("concepts", "networks") and not has_regions(spec):
        yield no_regions(spec, where, f"`compare: {audit.compare}`", places)


def group_columns(
    spec: AuditSpec, audit: GroupsSpec, path: Path, places: Places
) -> Iterator[Problem]:
    """Portraits have the columns that groups come from; other datasets say so when planned."""
    if not isinstance(spec.dataset, PortraitsDataset):
        return
    known = (*GROUPS, *ATTRIBUTES)
    for index, column in enumerate(audit.by):
        if column not in known:
            where: Path = (*path, "by", index)
            yield unknown(places, where, "column", column, known)
    for group, conditions in audit.named.items():
        for column, values in conditions.items():
            where = (*path, "named", group, column)
            if column not in known:
                yield unknown(places, where, "column", column, known, key=True)
            for index, value in enumerate(values):
                if column in GROUPS and value not in GROUPS[column]:
                    yield unknown(places, (*where, index), "value", value, GROUPS[column])


def group_splits(spec: AuditSpec) -> Iterator[tuple[Path, str]]:
    """The splits that comparisons read, with their places."""
    for name, audit in group_audits(spec).items():
        for index, split in enumerate(audit.splits):
            yield ("audits", name, "splits", index), split


def network(
    spec: AuditSpec, path: Path, key: str, role: NetworkRole, places: Places
) -> Iterator[Problem]:
    """The network whose filters are looked at exists."""
    if role == "model" and isinstance(spec.model, PredictionsModel):
        message = "the model is a column of predictions, and has no filters"
        yield places.problem(path, message, hint="name a network under `model`", key=True)
    elif role == "extractor" and spec.extractor is None:
        message = "the spec has no `extractor` to look into"
        hint = "add `- extractor: NAME` to the defaults, or look into the model"
        yield places.problem((*path, key), message, hint=hint)
    elif role == "extractor" and network_of(spec, "extractor") is None:
        own = isinstance(spec.extractor, InspectedExtractor)
        message = (
            "the extractor is the model itself" if own else "features from a file have no maps"
        )
        yield places.problem((*path, key), message, hint="look into the model")


def layer(
    spec: AuditSpec,
    path: Path,
    role: NetworkRole,
    named: str | None,
    places: Places,
    *,
    key: str = "layer",
) -> Iterator[Problem]:
    """It is clear which layer is looked at; the extractor has one of its own."""
    own = role == "extractor" and not isinstance(spec.extractor, FeaturesExtractor)
    if named is None and not own:
        message = "it is not said which layer's filters are looked at"
        hint = f"set `{key}: MODULE`; `auditor layers` lists them"
        yield places.problem(path, message, hint=hint, key=True)


def has_regions(spec: AuditSpec) -> bool:
    """Whether the dataset can have annotated regions."""
    dataset = spec.dataset
    if isinstance(dataset, ManifestDataset):
        return dataset.regions is not None
    return isinstance(dataset, CocoDataset | IndexMasksDataset | PortraitsDataset)


def no_regions(spec: AuditSpec, path: Path, what: str, places: Places) -> Problem:
    """The problem that a dataset has no regions."""
    message = f"{what} needs annotated regions, and `dataset: {spec.dataset.source}` has none"
    hint = (
        "use `source: coco`, `index_masks` or `portraits`, or describe them under "
        "`dataset.regions` of a manifest"
    )
    return places.problem(path, message, hint=hint, key=True)
