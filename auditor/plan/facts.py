"""What the passes may know beside the plan: gathered once, then frozen, so that passes are pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from auditor.catalog import AuditSpec, network_of
from auditor.compose.composed import Composed
from auditor.context import Context
from auditor.inventory.dataset import take_dataset
from auditor.inventory.features import FeatureTable, take_features
from auditor.inventory.model import take_model
from auditor.inventory.stock import DatasetInventory
from auditor.inventory.vocabulary import VocabularyInventory, take_vocabulary
from auditor.inventory.weights import WeightsInventory
from auditor.needs import NetworkRole
from auditor.plan.context import group_columns, make_context
from auditor.plan.history import History
from auditor.spec.extractor import FeaturesExtractor

ROLES: tuple[NetworkRole, ...] = ("model", "extractor")
"""Every role, in the order in which networks are fitted."""


@dataclass(frozen=True)
class Facts:
    """The inputs of the passes.

    Attributes:
        spec: The validated spec.
        dataset: Stock of its dataset.
        weights: Role of each network -> stock of the file that it comes from; None without one.
        features: Split -> stock of the features that were computed elsewhere; empty without them.
        vocabulary: Stock of the vocabulary's files; None without one.
        contexts: Audit id -> what the audit's computation may know.
        package: Name and version of this package: part of every identity.
        history: What earlier runs left; None where nobody looked.
    """

    spec: AuditSpec
    dataset: DatasetInventory
    weights: Mapping[NetworkRole, WeightsInventory | None]
    features: Mapping[str, FeatureTable]
    vocabulary: VocabularyInventory | None
    contexts: Mapping[str, Context]
    package: str
    history: History | None


def gather(composed: Composed, history: History | None) -> Facts:
    """Look at the inputs that the spec names. Nothing is decoded and no network is built.

    Raises:
        InputError: when a file is missing or is not what it is called.
    """
    spec = composed.spec
    dataset = take_stock(spec)
    networks = {role: network_of(spec, role) for role in ROLES}
    extractor = spec.extractor
    return Facts(
        spec=spec,
        dataset=dataset,
        weights={
            role: None if network is None else take_model(network)
            for role, network in networks.items()
        },
        features=take_features(extractor) if isinstance(extractor, FeaturesExtractor) else {},
        vocabulary=None if spec.vocabulary is None else take_vocabulary(spec.vocabulary),
        contexts={audit: make_context(composed, audit, dataset) for audit in spec.audits},
        package=f"auditor {version('auditor')}",
        history=history,
    )


def take_stock(spec: AuditSpec) -> DatasetInventory:
    """Stock of the dataset, with a look into every column whose values the spec relies on.

    Raises:
        InputError: when a file is missing or is not what it is called.
    """
    labels = {each.column for each in spec.attributes.values() if each.column is not None}
    groups = {column for audit in spec.audits.values() for column in group_columns(audit)}
    return take_dataset(spec.dataset, sorted(labels | groups))
