"""Ingredients: what decides a step's output, by name, in plain JSON.

Paths never count, the content behind them does. Titles and other words count only where they end
up in the output, which is the result of an audit.
"""

from __future__ import annotations

from typing import assert_never

from pydantic import JsonValue

from auditor.catalog import AuditSpec
from auditor.context import Context
from auditor.needs import Source
from auditor.plan.facts import Facts
from auditor.spec.model import (
    Architecture,
    BuiltinModel,
    ExportedModel,
    ModelSpec,
    PredictionsModel,
    PythonModel,
    TorchScriptModel,
    TorchvisionModel,
    TrainedModel,
)

TRAINING_VERSION = 1
"""Raised when the same recipe and data would give another network."""

Ingredients = dict[str, JsonValue]


def scan_ingredients(
    source: Source, uses_network: bool, trained: str | None, facts: Facts
) -> Ingredients:
    """What every fold over a source depends on."""
    engine = facts.spec.engine
    found: Ingredients = {
        "package": facts.package,
        "data": data_ingredients(source.split, facts),
        "rows": {
            **source.model_dump(mode="json"),
            "seed": engine.seed,
            "shard_size": engine.shard_size,
        },
        "preprocess": preprocess_ingredients(facts.spec.model),
    }
    if uses_network:
        found["network"] = network_ingredients(facts.spec.model, trained, facts)
        found["numerics"] = engine.model_dump(
            mode="json", include={"precision", "channels_last", "compile"}
        )
    return found


def train_ingredients(model: TrainedModel, facts: Facts) -> Ingredients:
    """What a fitted network depends on, beside the kind of device."""
    return {
        "package": facts.package,
        "version": TRAINING_VERSION,
        "data": data_ingredients(model.split, facts),
        "split": model.split,
        "preprocess": preprocess_ingredients(model),
        "network": architecture_ingredients(model.network, facts),
        "replace_head": model.replace_head,
        "freeze_backbone": model.freeze_backbone,
        "recipe": model.recipe.model_dump(mode="json"),
        "targets": targets(model, facts.spec),
    }


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
    reading = facts.spec.dataset.model_dump(
        mode="json", include={"source", "name", "classes", "columns"}
    )
    return {"digest": facts.dataset.splits[split].digest, **reading}


def preprocess_ingredients(model: ModelSpec) -> JsonValue:
    """How an image becomes the network's input."""
    if isinstance(model, PredictionsModel):
        return None
    return model.preprocess.model_dump(mode="json")


def network_ingredients(model: ModelSpec, trained: str | None, facts: Facts) -> JsonValue:
    """What maps the input to the outputs: architecture and weights."""
    match model:
        case BuiltinModel() | TorchvisionModel():
            return architecture_ingredients(model, facts)
        case PythonModel():
            code = weights_digest(facts)
            return {"source": model.source, "function": model.function, "weights": code}
        case TorchScriptModel() | ExportedModel():
            return {"source": model.source, "weights": weights_digest(facts)}
        case TrainedModel():
            return {"source": model.source, "weights": trained}
        case PredictionsModel():
            return None
        case _:
            assert_never(model)


def architecture_ingredients(network: Architecture, facts: Facts) -> JsonValue:
    """Which network, and the weights that it starts from."""
    kept = {"source", "name", "num_outputs"}
    return {**network.model_dump(mode="json", include=kept), "weights": weights_digest(facts)}


def weights_digest(facts: Facts) -> str | None:
    """Digest of the one file of the model, where it has one."""
    return facts.weights.digest if facts.weights is not None else None


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
    }


def worded_context(context: Context) -> JsonValue:
    """The part of a context that only shows in sentences and findings.

    Left out: where a rule is written. A comment above it would change that.
    """
    return {
        "titles": [attribute.title for attribute in context.attributes],
        "rules": [[rule.id, rule.severity, rule.why] for rule in context.rules],
        "relations": [each.title for each in context.relations],
    }
