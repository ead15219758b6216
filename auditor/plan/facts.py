"""What the passes may know beside the plan: gathered once, then frozen, so that passes are pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from auditor.catalog import AuditSpec
from auditor.compose.composed import Composed
from auditor.context import Context
from auditor.inventory.dataset import take_dataset
from auditor.inventory.model import take_model
from auditor.inventory.stock import DatasetInventory
from auditor.inventory.weights import WeightsInventory
from auditor.plan.context import make_context
from auditor.plan.history import History


@dataclass(frozen=True)
class Facts:
    """The inputs of the passes.

    Attributes:
        spec: The validated spec.
        dataset: Stock of its dataset.
        weights: Stock of the file that its model comes from; None without one.
        contexts: Audit id -> what the audit's computation may know.
        package: Name and version of this package: part of every identity.
        history: What earlier runs left; None where nobody looked.
    """

    spec: AuditSpec
    dataset: DatasetInventory
    weights: WeightsInventory | None
    contexts: Mapping[str, Context]
    package: str
    history: History | None


def gather(composed: Composed, history: History | None) -> Facts:
    """Look at the inputs that the spec names. Nothing is decoded and no network is built.

    Raises:
        InputError: when a file is missing or is not what it is called.
    """
    spec = composed.spec
    label_columns = {each.column for each in spec.attributes.values() if each.column is not None}
    dataset = take_dataset(spec.dataset, sorted(label_columns))
    return Facts(
        spec=spec,
        dataset=dataset,
        weights=take_model(spec.model),
        contexts={audit: make_context(composed, audit, dataset) for audit in spec.audits},
        package=f"auditor {version('auditor')}",
        history=history,
    )
