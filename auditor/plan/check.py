"""Do the inputs fit the spec? What needs no torch to be found out is found out here.

What the spec alone can tell was checked when it was composed; here the files have their say.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.catalog import AuditSpec
from auditor.errors import PlanError
from auditor.inventory.stock import ColumnInventory, DatasetInventory, SplitInventory
from auditor.near import suggest
from auditor.needs import Fold
from auditor.plan.expand import audit_needs
from auditor.plan.facts import Facts
from auditor.spec.attribute import AttributeSpec
from auditor.spec.model import PredictionsModel, TrainedModel


def check(facts: Facts) -> tuple[str, ...]:
    """What a reader of the plan should know of splits and label columns.

    Raises:
        PlanError: when a split, column or class that the spec names does not exist, or an audit
            needs a network and there is none. Every such problem is in the message.
    """
    splits = used_splits(facts)
    problems = [
        *missing_network(facts),
        *missing_splits(splits, facts.dataset),
        *missing_columns(facts.spec, facts.dataset),
        *missing_classes(facts.spec, facts.dataset),
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
    if isinstance(facts.spec.model, TrainedModel):
        found[facts.spec.model.split] = "model.split"
    for fold in folds(facts):
        found.setdefault(fold.source.split, f"audits.{fold.audit}")
    return found


def folds(facts: Facts) -> Iterator[Fold]:
    """Every fold that the audits of the spec ask for."""
    for audit, spec in facts.spec.audits.items():
        outputs = tuple(attribute.output for attribute in facts.contexts[audit].attributes)
        yield from (need for need in audit_needs(audit, spec, outputs) if isinstance(need, Fold))


def missing_network(facts: Facts) -> Iterator[str]:
    if isinstance(facts.spec.model, PredictionsModel):
        for audit in dict.fromkeys(fold.audit for fold in folds(facts) if fold.outputs):
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
