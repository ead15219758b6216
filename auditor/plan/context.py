"""What each audit's computation may know of the spec beside its own part."""

from __future__ import annotations

from typing import assert_never

from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.catalog import AnyAudit, AuditSpec
from auditor.compose.composed import Composed
from auditor.context import Attribute, Context, Relation
from auditor.inventory.stock import DatasetInventory
from auditor.spec.attribute import AttributeSpec
from auditor.spec.model import PredictionsModel
from auditor.spec.rule import RELATIONS


def make_context(composed: Composed, audit: str, dataset: DatasetInventory) -> Context:
    """The context of one audit."""
    spec = composed.spec
    names = audited_attributes(spec, spec.audits[audit])
    order = {name: index for index, name in enumerate(spec.attributes)}
    return Context(
        audit=audit,
        attributes=tuple(
            Attribute(
                name=name,
                title=spec.attributes[name].title or name,
                output=output_index(spec.attributes[name], spec.dataset.classes),
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
    """Names of the attributes that an audit looks at, in its order."""
    match audit:
        case RelationshipsSpec():
            return audit.attributes if audit.attributes is not None else tuple(spec.attributes)
        case _:
            assert_never(audit)


def output_index(attribute: AttributeSpec, classes: tuple[str, ...] | None) -> int:
    """Index of the logit that scores an attribute; composing made sure that the class exists."""
    if isinstance(attribute.output, int):
        return attribute.output
    return (classes or ()).index(attribute.output)


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
