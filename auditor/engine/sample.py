"""One image of the dataset and an open network, for looking at layers and costs without a run."""

from __future__ import annotations

from torch import Tensor, nn

from auditor.adapters.datasets.open import open_dataset
from auditor.adapters.datasets.protocol import Unreadable
from auditor.adapters.models.open import open_network, start_network
from auditor.adapters.models.preprocess import fit_geometry
from auditor.catalog import AuditSpec
from auditor.compose.crosscheck import num_outputs
from auditor.engine.network import preprocess_of
from auditor.errors import InputError, PlanError
from auditor.needs import View
from auditor.spec.model import TrainedModel

TRIED = 16
"""Rows per split that are tried to find a readable image."""


def sample_image(spec: AuditSpec) -> Tensor:
    """The first readable image, prepared but for normalisation, uint8 [3, h, w].

    Raises:
        InputError: none of the first images of any split can be read.
    """
    dataset = open_dataset(spec.dataset)
    for split in dataset.splits():
        for row in range(min(TRIED, len(dataset.ids(split)))):
            (image,) = dataset.read(split, [row], View())
            if not isinstance(image, Unreadable):
                return fit_geometry(image, preprocess_of(spec.model))
    raise InputError(
        "none of the first images of any split can be read",
        hint="check `dataset`; `auditor validate` does not open images",
    )


def network_before_run(spec: AuditSpec, *, allow_code: bool) -> nn.Module:
    """The network of a spec as far as it exists before a run, in evaluation mode on the CPU.

    A network that the plan will fit has its layers and its costs already, but not its weights.

    Raises:
        InputError: the model cannot be opened.
        PlanError: there is no network, or nothing to fit it on.
    """
    model = spec.model
    if not isinstance(model, TrainedModel):
        return open_network(model, allow_code=allow_code)
    num_targets = num_outputs(spec) or len(open_dataset(spec.dataset).classes or ())
    if not num_targets:
        raise PlanError(
            "the network gets one output per class, but the dataset names no classes",
            hint="list the class names in output order under `dataset.classes`",
        )
    return start_network(model, num_targets).eval()
