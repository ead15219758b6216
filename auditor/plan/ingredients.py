"""Ingredients: what decides a step's output, by name, in plain JSON.

Paths never count, the content behind them does. Titles and other words count only where they end
up in the output, which is the result of an audit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from pydantic import JsonValue

from auditor.catalog import AuditSpec, network_of
from auditor.context import Context, Extractor
from auditor.needs import NetworkRole, Output, Solve, Source, Visit
from auditor.plan.facts import Facts
from auditor.spec.dataset import DatasetSpec, ManifestDataset
from auditor.spec.extractor import TrainedExtractor
from auditor.spec.model import (
    Architecture,
    BuiltinModel,
    ExportedModel,
    PredictionsModel,
    PythonModel,
    TorchScriptModel,
    TorchvisionModel,
    TrainedModel,
)

TRAINING_VERSION = 1
"""Raised when the same recipe and data would give another network."""

Ingredients = dict[str, JsonValue]

Trained = Mapping[NetworkRole, str]
"""Role of each network that the plan fits -> name of what decides its weights."""


def scan_ingredients(
    source: Source, outputs: Sequence[Output], trained: Trained, facts: Facts
) -> Ingredients:
    """What every fold over a source depends on, and what those with these outputs do beside."""
    engine = facts.spec.engine
    found: Ingredients = {
        "package": facts.package,
        "data": data_ingredients(source.split, facts),
        "rows": {
            **source.model_dump(mode="json"),
            "seed": engine.seed,
            "shard_size": engine.shard_size,
        },
    }
    if any(output.from_file for output in outputs):
        found["features"] = facts.features[source.split].digest
    seen = dict.fromkeys(output.network for output in outputs if output.kind == "masks")
    if seen:
        # Regions follow the image through the resize and crop of the network that looks at it.
        found["regions"] = {
            "reading": region_ingredients(facts.spec.dataset),
            **{role: preprocess_ingredients(facts.spec, role) for role in seen},
        }
    roles = dict.fromkeys(output.network for output in outputs if output.computed)
    return found | network_parts(tuple(roles), trained, facts)


def network_parts(roles: Sequence[NetworkRole], trained: Trained, facts: Facts) -> Ingredients:
    """What anything computed with these networks depends on: one ingredient per role."""
    found: Ingredients = {
        role: {
            "preprocess": preprocess_ingredients(facts.spec, role),
            **network_ingredients(role, trained, facts),
        }
        for role in roles
    }
    if roles:
        found["numerics"] = facts.spec.engine.model_dump(
            mode="json", include={"precision", "channels_last", "compile"}
        )
    return found


def visit_ingredients(visit: Visit, trained: Trained, facts: Facts) -> Ingredients:
    """What the pictures of a visit depend on, beside the solve that chose them."""
    return {
        "package": facts.package,
        "data": data_ingredients(visit.source.split, facts),
        "source": visit.source.model_dump(mode="json"),
        **network_parts((visit.network,) if visit.network else (), trained, facts),
        "layers": list(visit.layers),
        "params": visit.params,
        "context": numeric_context(facts.contexts[visit.audit], facts.spec),
        "max_rows": visit.max_rows,
        "visit": visit.name,
    }


def vocabulary_ingredients(solve: Solve, facts: Facts) -> Ingredients:
    """What a solve depends on where it gets the vocabulary: its words, vectors and entities."""
    spec = facts.spec.vocabulary
    if not solve.vocabulary or spec is None or facts.vocabulary is None:
        return {}
    kept = spec.model_dump(
        mode="json", include={"source", "max_words", "words_key", "vectors_key", "concepts"}
    )
    return {"vocabulary": {**kept, "digest": facts.vocabulary.digest}}


def train_ingredients(model: TrainedModel, role: NetworkRole, facts: Facts) -> Ingredients:
    """What a fitted network depends on, beside the kind of device."""
    return {
        "package": facts.package,
        "version": TRAINING_VERSION,
        "data": data_ingredients(model.split, facts),
        "split": model.split,
        "preprocess": preprocess_ingredients(facts.spec, role),
        "network": architecture_ingredients(model.network, role, facts),
        "replace_head": model.replace_head,
        "freeze_backbone": model.freeze_backbone,
        "recipe": model.recipe.model_dump(mode="json"),
        "targets": targets(model, facts.spec),
    }


def evaluation_ingredients(model: TrainedModel, facts: Facts) -> Ingredients:
    """What the accuracies that are measured after fitting depend on, beside the weights."""
    split = evaluated_split(model)
    return {} if split is None else {"evaluated": [split, data_ingredients(split, facts)]}


def evaluated_split(model: TrainedModel) -> str | None:
    """Split on which a fitted network's accuracy is measured; only extractors name one."""
    return model.evaluate if isinstance(model, TrainedExtractor) else None


def targets(model: TrainedModel, spec: AuditSpec) -> JsonValue:
    """What the network is fitted to: the class label, or the labels of every attribute."""
    if model.recipe.loss == "multi_class":
        return "label"
    return [label_ingredients(name, spec) for name in spec.attributes]


def label_ingredients(name: str, spec: AuditSpec) -> JsonValue:
    """Where the label of an attribute comes from and which output scores it."""
    return spec.attributes[name].model_dump(mode="json", exclude={"title"})


def data_ingredients(split: str, facts: Facts) -> JsonValue:
    """The rows of a split, and how their labels are read."""
    dataset = facts.spec.dataset
    reading = dataset.model_dump(
        mode="json", include={"source", "name", "classes", "columns", "categories"}
    )
    return {"digest": facts.dataset.splits[split].digest, **reading}


def region_ingredients(dataset: DatasetSpec) -> JsonValue:
    """How the regions of a dataset are read; its tables and masks count by their content."""
    paths = {"regions": {"labels", "boxes"}} if isinstance(dataset, ManifestDataset) else None
    return dataset.model_dump(mode="json", include={"regions", "crowds"}, exclude=paths)


def preprocess_ingredients(spec: AuditSpec, role: NetworkRole) -> JsonValue:
    """How an image becomes the network's input."""
    network = network_of(spec, role)
    if network is None or isinstance(network, PredictionsModel):
        return None
    return network.preprocess.model_dump(mode="json")


def network_ingredients(role: NetworkRole, trained: Trained, facts: Facts) -> Ingredients:
    """What maps the input to the outputs: architecture and weights."""
    network, weights = network_of(facts.spec, role), weights_digest(role, facts)
    match network:
        case BuiltinModel() | TorchvisionModel():
            return architecture_ingredients(network, role, facts)
        case PythonModel():
            return {"source": network.source, "function": network.function, "weights": weights}
        case TorchScriptModel() | ExportedModel():
            return {"source": network.source, "weights": weights}
        case TrainedModel():
            return {"source": network.source, "weights": trained[role]}
        case PredictionsModel() | None:
            return {}
        case _:
            assert_never(network)


def architecture_ingredients(network: Architecture, role: NetworkRole, facts: Facts) -> Ingredients:
    """Which network, and the weights that it starts from."""
    kept = {"source", "name", "num_outputs"}
    digest = weights_digest(role, facts)
    return {**network.model_dump(mode="json", include=kept), "weights": digest}


def weights_digest(role: NetworkRole, facts: Facts) -> str | None:
    """Digest of the one file of a network, where it has one."""
    weights = facts.weights[role]
    return weights.digest if weights is not None else None


def numeric_context(context: Context, spec: AuditSpec) -> JsonValue:
    """The part of a context that can move a number.

    Left out: the number of rows per split, which the digests of the data cover, and an attribute's
    position in the spec, which only says where its labels stand in a batch.
    """
    return {
        "attributes": [
            [attribute.name, attribute.output, label_ingredients(attribute.name, spec)]
            for attribute in context.attributes
        ],
        "rules": [[rule.a, rule.b, rule.expect] for rule in context.rules],
        "relations": [[each.name, each.mean, each.sd] for each in context.relations],
        "head": context.head,
        "seed": context.seed,
        "classes": list(context.classes) if context.classes is not None else None,
        "columns": {name: list(values) for name, values in context.columns.items()},
        "extractor": numeric_extractor(context.extractor),
        "is_network": context.is_network,
        "concepts": [[concept.name, concept.category] for concept in context.concepts],
    }


def numeric_extractor(extractor: Extractor | None) -> JsonValue:
    """Where features come from, as far as it can move a number."""
    if extractor is None:
        return None
    return [
        extractor.network,
        extractor.layer,
        extractor.pool,
        extractor.heatmap_layer,
        extractor.classifies,
    ]


def worded_context(context: Context) -> JsonValue:
    """The part of a context that only shows in sentences and findings.

    Left out: where a rule is written. A comment above it would change that.
    """
    extractor = context.extractor
    return {
        "titles": [attribute.title for attribute in context.attributes],
        "rules": [[rule.id, rule.severity, rule.why] for rule in context.rules],
        "relations": [each.title for each in context.relations],
        "model": context.model_title,
        "extractor": [extractor.title, list(extractor.names or ())] if extractor else None,
        "vocabulary": [words.title, words.made] if (words := context.words) else None,
    }
