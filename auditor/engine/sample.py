"""One image of the dataset and an open network, for looking at layers and costs without a run."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from auditor.adapters.datasets.open import open_dataset
from auditor.adapters.datasets.protocol import Unreadable
from auditor.adapters.models.open import open_network, start_network
from auditor.adapters.models.preprocess import fit_geometry
from auditor.catalog import AuditSpec
from auditor.engine.network import preprocess_of
from auditor.engine.networks import model_of
from auditor.errors import InputError, PlanError
from auditor.needs import NetworkRole, View
from auditor.spec.model import TrainedModel

TRIED = 16
"""Rows per split that are tried to find a readable image."""


def sample_images(
    spec: AuditSpec, roles: Sequence[NetworkRole] = ("model",)
) -> dict[NetworkRole, Tensor]:
    """The first readable image as the networks get it but for normalisation, uint8 [3, h, w] each.

    Raises:
        InputError: none of the first images of any split can be read.
    """
    dataset = open_dataset(spec.dataset)
    for split in dataset.splits():
        for row in range(min(TRIED, len(dataset.ids(split)))):
            (image,) = dataset.read(split, [row], View())
            if not isinstance(image, Unreadable):
                return {
                    role: fit_geometry(image, preprocess_of(model_of(spec, role))) for role in roles
                }
    raise InputError(
        "none of the first images of any split can be read",
        hint="check `dataset`; `auditor validate` does not open images",
    )


def network_before_run(
    spec: AuditSpec, role: NetworkRole = "model", *, allow_code: bool
) -> nn.Module:
    """The network of a role as far as it exists before a run, in evaluation mode on the CPU.

    A network that the plan will fit has its layers and its costs already, but not its weights.

    Raises:
        InputError: the network cannot be opened.
        PlanError: there is no network, or nothing to fit it on.
    """
    model = model_of(spec, role)
    if not isinstance(model, TrainedModel):
        return open_network(model, allow_code=allow_code)
    num_targets = targets_of(model, spec)
    if not num_targets:
        raise PlanError(
            "the network gets one output per class, but the dataset names no classes",
            hint="list the class names in output order under `dataset.classes`",
        )
    return start_network(model, num_targets).eval()


def targets_of(model: TrainedModel, spec: AuditSpec) -> int:
    """How many targets a network is fitted to; 0 where only the dataset could tell."""
    if model.replace_head is None:
        return model.network.num_outputs
    if model.recipe.loss == "multi_label":
        return len(spec.attributes)
    return len(spec.dataset.classes or open_dataset(spec.dataset).classes or ())
