"""What each audit's computation may know of the spec beside its own part."""

from __future__ import annotations

from typing import assert_never

from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.catalog import AnyAudit, AuditSpec, network_of
from auditor.compose.composed import Composed
from auditor.context import Attribute, Context, Extractor, Relation, Words
from auditor.inventory.features import take_features
from auditor.inventory.stock import DatasetInventory
from auditor.spec.attribute import AttributeSpec
from auditor.spec.extractor import FeaturesExtractor, InspectedExtractor
from auditor.spec.model import PredictionsModel
from auditor.spec.rule import RELATIONS
from auditor.spec.vocabulary import EverydayVocabulary


def make_context(composed: Composed, audit: str, dataset: DatasetInventory) -> Context:
    """The context of one audit.

    Args:
        composed: The composed spec.
        audit: Id of the audit.
        dataset: Stock of its dataset, with a look into the audit's group columns (see
            `plan.facts.take_stock`).

    Raises:
        InputError: when features come from a file that is missing or damaged.
    """
    spec = composed.spec
    chosen = spec.audits[audit]
    match chosen:
        case RelationshipsSpec():
            return relationships_context(composed, audit, chosen, dataset)
        case FailuresSpec():
            return failures_context(spec, audit, chosen, dataset)
        case FiltersSpec():
            return filters_context(spec, audit, chosen, dataset)
        case GroupsSpec():
            return groups_context(spec, audit, chosen, dataset)
        case _:
            assert_never(chosen)


def relationships_context(
    composed: Composed, audit: str, chosen: RelationshipsSpec, dataset: DatasetInventory
) -> Context:
    """Attributes, the rules about them, and every relation; nothing of an extractor."""
    spec = composed.spec
    names = audited_attributes(spec, chosen)
    return Context(
        audit=audit,
        attributes=attributes(spec, names),
        rules=tuple(rule for rule in composed.rules if {rule.a, rule.b} <= set(names)),
        relations=relations(spec),
        head=head(spec),
        num_available=num_available(dataset),
        seed=spec.engine.seed,
    )


def failures_context(
    spec: AuditSpec, audit: str, chosen: FailuresSpec, dataset: DatasetInventory
) -> Context:
    """Classes, groups, and where features come from; rules about pairs are nothing to it."""
    split = dataset.splits.get(chosen.split)
    stock = {name: split.columns.get(name) for name in chosen.columns} if split else {}
    return Context(
        audit=audit,
        attributes=attributes(spec, audited_attributes(spec, chosen)),
        rules=(),
        relations=(),
        head=head(spec),
        num_available=num_available(dataset),
        seed=spec.engine.seed,
        classes=dataset.classes,
        columns={name: (found.values or ()) if found else () for name, found in stock.items()},
        extractor=extractor_of(spec, chosen.split),
        is_network=not isinstance(spec.model, PredictionsModel),
        model_title=spec.model.title or "the model",
    )


def filters_context(
    spec: AuditSpec, audit: str, chosen: FiltersSpec, dataset: DatasetInventory
) -> Context:
    """What regions show, and in which words; attributes are nothing to it."""
    return Context(
        audit=audit,
        attributes=(),
        rules=(),
        relations=(),
        head=head(spec),
        num_available=num_available(dataset),
        seed=spec.engine.seed,
        extractor=extractor_of(spec, chosen.split),
        is_network=not isinstance(spec.model, PredictionsModel),
        model_title=spec.model.title or "the model",
        concepts=dataset.concepts,
        words=words(spec),
    )


def groups_context(
    spec: AuditSpec, audit: str, chosen: GroupsSpec, dataset: DatasetInventory
) -> Context:
    """Groups and what is compared: attributes, classes, concepts."""
    return Context(
        audit=audit,
        attributes=attributes(spec, audited_attributes(spec, chosen)),
        rules=(),
        relations=(),
        head=head(spec),
        num_available=num_available(dataset),
        seed=spec.engine.seed,
        classes=dataset.classes,
        columns={name: values_of(name, chosen.splits, dataset) for name in group_columns(chosen)},
        extractor=extractor_of(spec, chosen.splits[0]),
        is_network=not isinstance(spec.model, PredictionsModel),
        model_title=spec.model.title or "the model",
        concepts=dataset.concepts,
    )


def values_of(column: str, splits: tuple[str, ...], dataset: DatasetInventory) -> tuple[str, ...]:
    """Values of a column in some splits, sorted."""
    found: set[str] = set()
    for name in splits:
        split = dataset.splits.get(name)
        stock = split.columns.get(column) if split is not None else None
        found.update(stock.values or () if stock is not None else ())
    return tuple(sorted(found))


def words(spec: AuditSpec) -> Words | None:
    """The vocabulary, as far as the spec tells."""
    vocabulary = spec.vocabulary
    if vocabulary is None:
        return None
    made = isinstance(vocabulary, EverydayVocabulary)
    title = vocabulary.title or ("the everyday vocabulary" if made else "the vocabulary")
    return Words(title=title, made=made, concepts=vocabulary.concepts)


def extractor_of(spec: AuditSpec, split: str) -> Extractor | None:
    """Where features come from; None where the spec names no extractor."""
    extractor = spec.extractor
    if extractor is None:
        return None
    if isinstance(extractor, FeaturesExtractor):
        return Extractor(
            title=extractor.title or "the features",
            network=None,
            layer=None,
            pool=None,
            heatmap_layer=None,
            names=feature_names(extractor, split),
            classifies=False,
        )
    inspected = isinstance(extractor, InspectedExtractor)
    return Extractor(
        title=extractor.title or ("the model itself" if inspected else "the extractor"),
        network="model" if inspected else "extractor",
        layer=extractor.layer,
        pool=extractor.pool,
        heatmap_layer=extractor.heatmap_layer,
        names=None,
        classifies=network_of(spec, "extractor") is not None,
    )


def feature_names(extractor: FeaturesExtractor, split: str) -> tuple[str, ...] | None:
    """What each feature shows: as the spec says, else as the columns of the split's file do."""
    if extractor.names is not None:
        return extractor.names
    tables = take_features(extractor)
    return tables[split].names if split in tables else None


def audited_attributes(spec: AuditSpec, audit: AnyAudit) -> tuple[str, ...]:
    """Names of the attributes that an audit looks at, in its order."""
    match audit:
        case RelationshipsSpec() | FailuresSpec():
            return audit.attributes if audit.attributes is not None else tuple(spec.attributes)
        case GroupsSpec():
            return tuple(spec.attributes)
        case FiltersSpec():
            return ()
        case _:
            assert_never(audit)


def group_columns(audit: AnyAudit) -> tuple[str, ...]:
    """Columns of the dataset by whose values an audit groups images."""
    match audit:
        case RelationshipsSpec() | FiltersSpec():
            return ()
        case FailuresSpec():
            return audit.columns
        case GroupsSpec():
            named = (column for group in audit.named.values() for column in group)
            return tuple(dict.fromkeys((*audit.by, *named)))
        case _:
            assert_never(audit)


def attributes(spec: AuditSpec, names: tuple[str, ...]) -> tuple[Attribute, ...]:
    """Some attributes of the spec as a computation sees them."""
    order = {name: index for index, name in enumerate(spec.attributes)}
    return tuple(
        Attribute(
            name=name,
            title=spec.attributes[name].title or name,
            output=output_index(spec.attributes[name], spec.dataset.classes),
            index=order[name],
        )
        for name in names
    )


def output_index(attribute: AttributeSpec, classes: tuple[str, ...] | None) -> int:
    """Index of the logit that scores an attribute; composing made sure that the class exists."""
    if isinstance(attribute.output, int):
        return attribute.output
    return (classes or ()).index(attribute.output)


def head(spec: AuditSpec) -> str:
    """How logits become predictions; a column of predictions names classes."""
    return "multi_class" if isinstance(spec.model, PredictionsModel) else spec.model.head


def num_available(dataset: DatasetInventory) -> dict[str, int]:
    """Rows of each split."""
    return {name: split.num_rows for name, split in dataset.splits.items()}


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
