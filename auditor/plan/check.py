"""Do the inputs fit the spec? What needs no torch to be found out is found out here.

What the spec alone can tell was checked when it was composed; here the files have their say.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.groups.spec import GroupsSpec
from auditor.catalog import AnyAudit, AuditSpec, network_of
from auditor.errors import PlanError
from auditor.inventory.features import FeatureTable
from auditor.inventory.stock import ColumnInventory, DatasetInventory, SplitInventory
from auditor.inventory.values import MAX_VALUES
from auditor.near import suggest
from auditor.needs import Fold, Visit
from auditor.plan.expand import all_needs, networks_of
from auditor.plan.facts import ROLES, Facts
from auditor.spec.attribute import AttributeSpec
from auditor.spec.dataset import ManifestDataset
from auditor.spec.extractor import FeaturesExtractor, TrainedExtractor
from auditor.spec.model import PredictionsModel, TrainedModel


def check(facts: Facts) -> tuple[str, ...]:
    """What a reader of the plan should know of splits and label columns.

    Raises:
        PlanError: when a split, column or class that the spec names does not exist, features do
            not fit the rows, or an audit needs a network and there is none. Every such problem is
            in the message.
    """
    splits = used_splits(facts)
    problems = [
        *missing_network(facts),
        *missing_splits(splits, facts.dataset),
        *missing_columns(facts.spec, facts.dataset),
        *missing_classes(facts.spec, facts.dataset),
        *unusable_features(facts),
        *unusable_groups(facts),
        *missing_values(facts),
        *missing_concepts(facts),
        *missing_labels(facts.spec, facts.dataset),
    ]
    if problems:
        raise PlanError("\n".join(problems))
    return tuple(
        warning
        for name in splits
        for warning in split_warnings(name, facts.dataset.splits[name], facts.spec)
    )


def used_splits(facts: Facts) -> dict[str, str]:
    """Split -> who reads it, in the order of the spec."""
    found: dict[str, str] = {}
    for role in ROLES:
        network = network_of(facts.spec, role)
        if isinstance(network, TrainedModel):
            found.setdefault(network.split, f"{role}.split")
        if isinstance(network, TrainedExtractor) and network.evaluate is not None:
            found.setdefault(network.evaluate, f"{role}.evaluate")
    for need in reading(facts):
        found.setdefault(need.source.split, f"audits.{need.audit}")
    return found


def reading(facts: Facts) -> Iterator[Fold | Visit]:
    """Every fold and visit that the audits of the spec ask for."""
    yield from (need for need in all_needs(facts) if isinstance(need, Fold | Visit))


def missing_network(facts: Facts) -> Iterator[str]:
    if isinstance(facts.spec.model, PredictionsModel):
        looking = [need.audit for need in reading(facts) if "model" in networks_of(need)]
        for audit in dict.fromkeys(looking):
            yield (
                f"audits.{audit} looks inside a network, but the model is a column of predictions. "
                "Name a network under `model`, or remove the audit."
            )


def missing_splits(splits: dict[str, str], dataset: DatasetInventory) -> Iterator[str]:
    for name, reader in splits.items():
        if name not in dataset.splits:
            near = suggest(name, dataset.splits, "split", most=3)
            yield f"{reader} reads the split {name!r}, which the dataset lacks; {near}"


def missing_columns(spec: AuditSpec, dataset: DatasetInventory) -> Iterator[str]:
    for name, attribute in spec.attributes.items():
        if attribute.column is not None and attribute.column not in dataset.columns:
            near = suggest(attribute.column, dataset.columns, "column", most=3)
            yield (
                f"attributes.{name}.column is {attribute.column!r}, which the dataset lacks; {near}"
            )


def missing_classes(spec: AuditSpec, dataset: DatasetInventory) -> Iterator[str]:
    for name, attribute in spec.attributes.items():
        if attribute.classes is not None and dataset.classes is None:
            yield (
                f"attributes.{name} derives its label from classes, but the dataset names none. "
                "List them in output order under `dataset.classes`."
            )
        for each in attribute.classes or ():
            if dataset.classes is not None and each not in dataset.classes:
                near = suggest(each, dataset.classes, "class", most=3)
                yield f"attributes.{name}.classes holds {each!r}, which is no class; {near}"


def unusable_features(facts: Facts) -> Iterator[str]:
    """Features from a file belong to a split row by row, and names to features one by one."""
    extractor = facts.spec.extractor
    if not isinstance(extractor, FeaturesExtractor):
        return
    for split, table in facts.features.items():
        yield from unfitting_table(split, table, extractor, facts.dataset)


def unfitting_table(
    split: str, table: FeatureTable, extractor: FeaturesExtractor, dataset: DatasetInventory
) -> Iterator[str]:
    """A file of features against its split and against the names in the spec."""
    if split not in dataset.splits:
        near = suggest(split, dataset.splits, "split", most=3)
        yield f"extractor.files names the split {split!r}, which the dataset lacks; {near}"
    elif table.num_rows != dataset.splits[split].num_rows:
        yield (
            f"extractor.files.{split} has {table.num_rows:,} rows, but the split {split!r} has "
            f"{dataset.splits[split].num_rows:,}. Features need one row per image, in the order of "
            "the dataset."
        )
    if extractor.names is not None and len(extractor.names) != table.num_features:
        yield (
            f"extractor.names has {len(extractor.names):,} names, but extractor.files.{split} has "
            f"{table.num_features:,} features. Name each of them, in the order of the columns."
        )


def unusable_groups(facts: Facts) -> Iterator[str]:
    """Columns by which images are grouped exist and have few values."""
    for audit, spec in facts.spec.audits.items():
        for where, column, splits in grouping(audit, spec):
            for split in splits:
                if split in facts.dataset.splits:
                    yield from unusable_group(where, column, split, facts.dataset)


def grouping(audit: str, spec: AnyAudit) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Where a column is named by whose values images are grouped, the column, and the splits."""
    if isinstance(spec, FailuresSpec):
        for index, column in enumerate(spec.columns):
            yield f"audits.{audit}.columns.{index} is {column!r}", column, (spec.split,)
    elif isinstance(spec, GroupsSpec):
        for index, column in enumerate(spec.by):
            yield f"audits.{audit}.by.{index} is {column!r}", column, spec.splits
        for group, conditions in spec.named.items():
            for column in conditions:
                where = f"audits.{audit}.named.{group} asks for the column {column!r}"
                yield where, column, spec.splits


def missing_values(facts: Facts) -> Iterator[str]:
    """The values that named groups ask for occur somewhere."""
    for audit, spec in facts.spec.audits.items():
        if isinstance(spec, GroupsSpec):
            known = facts.contexts[audit].columns
            for group, conditions in spec.named.items():
                for column, values in conditions.items():
                    for value in values:
                        if known.get(column) and value not in known[column]:
                            near = suggest(value, known[column], "value", most=3)
                            yield (
                                f"audits.{audit}.named.{group}.{column} holds {value!r}, which "
                                f"the column lacks; {near}"
                            )


def missing_concepts(facts: Facts) -> Iterator[str]:
    """Regions show something, and the concepts that the spec names are among it."""
    known = [concept.name for concept in facts.dataset.concepts]
    for audit, spec in facts.spec.audits.items():
        needs_regions = isinstance(spec, FiltersSpec) or (
            isinstance(spec, GroupsSpec) and spec.compare in ("concepts", "networks")
        )
        if needs_regions and not known:
            yield f"audits.{audit} needs annotated regions, and the dataset names no concept."
        if not isinstance(spec, FiltersSpec) or not known:
            continue
        for key, names in (("unwanted", spec.unwanted), ("expected", spec.expected)):
            for name in names:
                if name not in known:
                    near = suggest(name, known, "concept", most=3)
                    yield f"audits.{audit}.{key} holds {name!r}, which is no concept; {near}"


def unusable_group(where: str, column: str, split: str, dataset: DatasetInventory) -> Iterator[str]:
    if column not in dataset.columns:
        near = suggest(column, dataset.columns, "column", most=3)
        yield f"{where}, which the dataset lacks; {near}"
        return
    stock = dataset.splits[split].columns.get(column)
    if stock is None:
        yield f"{where}, which the split {split!r} lacks."
    elif stock.values is None:
        yield (
            f"{where}, which has {stock.num_distinct:,} different values in the split {split!r}; "
            f"images are grouped by at most {MAX_VALUES}."
        )
    elif not stock.values:
        yield f"{where}, which has no value in the split {split!r}."


def missing_labels(spec: AuditSpec, dataset: DatasetInventory) -> Iterator[str]:
    """What failures are counted from stands in the table: labels, and predictions if recorded."""
    failures = [name for name, audit in spec.audits.items() if isinstance(audit, FailuresSpec)]
    called = [name for name, audit in spec.audits.items() if compares_predictions(audit)]
    failures += called if isinstance(spec.model, PredictionsModel) else []
    if not isinstance(spec.dataset, ManifestDataset) or not failures:
        return
    columns, wanted = spec.dataset.columns, []
    if isinstance(spec.model, PredictionsModel):
        wanted.append(("prediction", columns.prediction))
    one_class = isinstance(spec.model, PredictionsModel) or spec.model.head == "multi_class"
    if one_class and set(failures) - set(called):
        wanted.append(("label", columns.label))
    for part, column in wanted:
        if column not in dataset.columns:
            near = suggest(column, dataset.columns, "column", most=3)
            yield (
                f"audits.{failures[0]} needs the {part} of every image, and the table has no "
                f"column {column!r}; {near}. Name it under `dataset.columns.{part}`."
            )


def compares_predictions(audit: AnyAudit) -> bool:
    """Whether an audit compares groups by what they are called."""
    return isinstance(audit, GroupsSpec) and audit.compare == "predictions"


def split_warnings(name: str, split: SplitInventory, spec: AuditSpec) -> Iterator[str]:
    """Warnings about one split that is read."""
    if not split.num_rows:
        yield f"the split {name!r} has no rows"
        return
    for attribute, declared in spec.attributes.items():
        if is_constant(declared, split):
            yield f"the label of attribute {attribute!r} is the same in every row of {name!r}"


def is_constant(attribute: AttributeSpec, split: SplitInventory) -> bool:
    """Whether a split is known to show an attribute everywhere or nowhere."""
    if attribute.classes is not None:
        if split.labels is None:
            return False
        present = [label in attribute.classes for label in split.labels]
        return all(present) or not any(present)
    column = split.columns.get(attribute.column or "")
    return column is not None and constant_column(column, attribute.positive_above)


def constant_column(column: ColumnInventory, above: float | None) -> bool:
    if column.num_distinct < 2:
        return True
    if above is None or column.low is None or column.high is None:
        return False
    return column.low > above or column.high <= above
