"""The networks of a run by role: opened when they are first needed, tried before they work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from auditor.adapters.models.head import check_logits
from auditor.adapters.models.open import open_network
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.filters.folds import refuse_flat as refuse_flat_filters
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.groups.folds import refuse_flat as refuse_flat_groups
from auditor.audits.groups.spec import GroupsSpec
from auditor.catalog import AuditSpec, network_of
from auditor.context import Context
from auditor.engine.network import (
    LENT,
    PlacedNetwork,
    first_answer,
    layers_of,
    outputs_of,
    place,
    refuse_missing_layers,
)
from auditor.engine.train import FittedNetwork
from auditor.errors import InputError
from auditor.measure.features import feature_maps
from auditor.measure.taps import borrowed, tap
from auditor.needs import Fold, NetworkRole
from auditor.plan.identity import Settled
from auditor.plan.steps import Scan, Step, Visit
from auditor.spec.model import ModelSpec


@final
@dataclass
class Networks:
    """The networks that some steps use.

    Attributes:
        spec: The spec.
        steps: The steps.
        contexts: Audit id to what its computation may know.
        allow_code: Whether networks may run code of their own.
        trained: Role to the network that a `Train` step fitted.
    """

    spec: AuditSpec
    steps: tuple[Step, ...]
    contexts: Mapping[str, Context]
    allow_code: bool
    trained: dict[NetworkRole, FittedNetwork] = field(default_factory=dict)
    _placed: dict[NetworkRole, PlacedNetwork] = field(default_factory=dict)
    _tried: set[NetworkRole] = field(default_factory=set)

    def placed(self, role: NetworkRole, settled: Settled) -> PlacedNetwork:
        """The network of a role where the run computes.

        Raises:
            InputError: it cannot be opened, or lacks a layer that some step looks at.
        """
        if role not in self._placed:
            model, fitted = model_of(self.spec, role), self.trained.get(role)
            trained = fitted.path if fitted is not None else None
            module = open_network(model, allow_code=self.allow_code, trained=trained)
            refuse_missing_layers(module, layers_of(self.steps, role))
            self._placed[role] = place(module, model, self.spec.engine, settled)
        return self._placed[role]

    def try_out(self, role: NetworkRole, sample: Tensor) -> None:
        """Send one image uint8 [3, h, w] through a placed network, once in a run.

        An archive or a Python file tells its outputs and its input only when it runs.

        Raises:
            InputError: it does not take images of this size, returns no logits although scores
                are wanted, has another number of outputs than there are classes, or a layer
                whose filters are looked at or that heat maps are to be made from has no places.
            PlanError: it lacks the output of an attribute.
        """
        if role in self._tried:
            return
        self._tried.add(role)
        output = passed(self._placed[role], sample, role)
        for fold in folds_of(self.steps):
            wanted = outputs_of(role, fold.outputs)
            if any(each.kind not in LENT for each in wanted):
                context = self.contexts[fold.audit]
                logits = check_logits(output, context.attributes)
                if isinstance(self.spec.audits[fold.audit], FailuresSpec):
                    refuse_other_classes(logits, context, role)
            self._refuse_flat(fold, role, sample)
        for step in self.steps:
            if isinstance(step, Visit) and step.network == role and step.layers:
                refuse_missing_places(self._placed[role], sample, step.layers)

    def _refuse_flat(self, fold: Fold, role: NetworkRole, sample: Tensor) -> None:
        """Raise where filters are looked at that have no places."""
        spec = self.spec.audits[fold.audit]
        if not isinstance(spec, FiltersSpec | GroupsSpec):
            return
        asked = outputs_of(role, fold.outputs)
        layers = [each.layer for each in asked if each.kind == "activation" and each.layer]
        if not layers:
            return
        network = self._placed[role]
        with borrowed(network.module):
            found = tap(network.module, network.prepare(sample.unsqueeze(0)), layers)
        for layer, activation in found.activations.items():
            if isinstance(spec, FiltersSpec):
                refuse_flat_filters(activation, layer, fold.audit)
            else:
                refuse_flat_groups(activation, layer)


def model_of(spec: AuditSpec, role: NetworkRole) -> ModelSpec:
    """The network of a role as the spec describes it; a column of predictions for a model.

    Raises:
        ValueError: the spec has no extractor of its own; planning made sure that it has.
    """
    found = spec.model if role == "model" else network_of(spec, role)
    if found is None:
        raise ValueError(f"the spec has no network in the role {role!r}")
    return found


def passed(network: PlacedNetwork, sample: Tensor, role: NetworkRole) -> object:
    """What a network makes of one image uint8 [3, h, w].

    Raises:
        InputError: it does not take images of this size.
    """
    return first_answer(network.module, network.prepare(sample.unsqueeze(0)), f"the {role}", role)


def refuse_missing_places(network: PlacedNetwork, sample: Tensor, layers: Sequence[str]) -> None:
    """Raise where no heat map can be made, before the work whose end would show it.

    Args:
        network: The network.
        sample: One image, uint8 [3, h, w].
        layers: The layer of the features and, where the spec names one, that of the heat maps.

    Raises:
        InputError: the second has no places, or does not feed the first.
    """
    layer, *shown = layers
    unit = torch.zeros(1, dtype=torch.int64)
    with borrowed(network.module):
        inputs = network.prepare(sample.unsqueeze(0))
        feature_maps(network.module, inputs, layer, unit, heatmap_layer=shown[0] if shown else None)


def refuse_other_classes(logits: Tensor, context: Context, role: NetworkRole) -> None:
    """Raise where a classifier's outputs are not the dataset's classes.

    Raises:
        InputError: with both numbers.
    """
    if context.head != "multi_class" or context.classes is None:
        return
    if logits.shape[1] != len(context.classes):
        raise InputError(
            f"the {role} has {logits.shape[1]} outputs, but the dataset has "
            f"{len(context.classes)} classes",
            hint="inspect a network that was fitted on these classes"
            if role == "model"
            else f"leave `extractor` out of `audits.{context.audit}.inspect`: its units can be "
            "features all the same",
        )


def folds_of(steps: Sequence[Step]) -> Iterator[Fold]:
    """Every fold of some steps."""
    for step in steps:
        if isinstance(step, Scan):
            yield from step.folds


def audits_with(steps: Sequence[Step], role: NetworkRole) -> tuple[str, ...]:
    """The audits that compute with the network of a role."""
    found = {fold.audit: None for fold in folds_of(steps) if outputs_of(role, fold.outputs)}
    found |= {
        step.audit: None for step in steps if isinstance(step, Visit) and step.network == role
    }
    return tuple(found)
