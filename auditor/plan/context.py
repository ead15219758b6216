"""What each audit's computation may know of the spec beside its own part."""

from __future__ import annotations

from typing import assert_never

from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.catalog import AnyAudit, AuditSpec
from auditor.compose.composed import Composed
from auditor.context import Attribute, Context, Relation
from auditor.errors import PlanError
from auditor.inventory.nearest import did_you_mean
from auditor.inventory.stock import DatasetInventory
from auditor.spec.model import (
    BuiltinModel,
    ModelSpec,
    PredictionsModel,
    TorchvisionModel,
    TrainedModel,
)
from auditor.spec.rule import RELATIONS


def make_context(composed: Composed, audit: str, dataset: DatasetInventory) -> Context:
    """The context of one audit.

    Raises:
        PlanError: when an attribute does not exist, or names an output that the model or the
            dataset does not have.
    """
    spec = composed.spec
    names = audited_attributes(spec, spec.audits[audit])
    order = {name: index for index, name in enumerate(spec.attributes)}
    return Context(
        audit=audit,
        attributes=tuple(
            Attribute(
                name=name,
                title=spec.attributes[name].title or name,
                output=output_index(name, spec, dataset),
                index=order[name],
            )
            for name in names
        ),
        rules=tuple(rule for rule in composed.rules if {rule.a, rule.b} <= set(names)),
        relations=relations(spec),
        head="multi_label" if isinstance(spec.model, PredictionsModel) else spec.model.head,
        num_available={name: split.num_rows for name, split in dataset.splits.items()},
        seed=spec.engine.seed,
    )


def audited_attributes(spec: AuditSpec, audit: AnyAudit) -> tuple[str, ...]:
    """Names of the attributes that an audit looks at, in its order.

    Raises:
        PlanError: when one of them is not an attribute of the spec.
    """
    match audit:
        case RelationshipsSpec():
            names = audit.attributes if audit.attributes is not None else tuple(spec.attributes)
        case _:
            assert_never(audit)
    for name in names:
        if name not in spec.attributes:
            raise PlanError(
                f"an audit looks at the attribute {name!r}, which the spec does not declare",
                hint=did_you_mean(name, spec.attributes, noun="attributes"),
            )
    return names


def output_index(name: str, spec: AuditSpec, dataset: DatasetInventory) -> int:
    """Index of the logit that scores an attribute.

    Raises:
        PlanError: when the attribute names a class that the dataset lacks, or an output beyond
            the model's last.
    """
    output = spec.attributes[name].output
    if isinstance(output, str):
        if dataset.classes is None:
            raise PlanError(
                f"attributes.{name}.output is the class {output!r}, but the dataset names none",
                hint="List the class names in output order under `dataset.classes`.",
            )
        if output not in dataset.classes:
            raise PlanError(
                f"attributes.{name}.output is {output!r}, which is no class of the dataset",
                hint=did_you_mean(output, dataset.classes, noun="classes"),
            )
        output = dataset.classes.index(output)
    last = num_outputs(spec.model, spec, dataset)
    if output < 0 or (last is not None and output >= last):
        raise PlanError(
            f"attributes.{name}.output is {output}, but the model's outputs are "
            f"0 to {last - 1 if last is not None else '…'}"
        )
    return output


def num_outputs(model: ModelSpec, spec: AuditSpec, dataset: DatasetInventory) -> int | None:
    """Number of the model's outputs; None where only the model itself can say."""
    if isinstance(model, TrainedModel):
        if model.replace_head is None:
            return model.network.num_outputs
        if model.recipe.loss == "multi_class":
            return len(dataset.classes) if dataset.classes is not None else None
        return len(spec.attributes)
    if isinstance(model, BuiltinModel | TorchvisionModel):
        return model.num_outputs
    return None


def relations(spec: AuditSpec) -> tuple[Relation, ...]:
    """The five built-in relations, then the declared ones; a declaration may fix a built-in's."""
    declared = {
        name: Relation(name, relation.title or readable(name), relation.mean, relation.sd)
        for name, relation in spec.relations.items()
    }
    builtin = {name: Relation(name, readable(name)) for name in RELATIONS}
    return tuple((builtin | declared).values())


def readable(identifier: str) -> str:
    """An identifier as a reader would say it."""
    return identifier.replace("_", " ")
