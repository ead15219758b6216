"""Where the results of a run come from: the machine, the software, the inputs, the revision."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, assert_never

from auditor.catalog import AuditSpec, network_of
from auditor.compose.composed import Composed
from auditor.engine.device import describe
from auditor.engine.settle import torch_device
from auditor.inventory.features import FeatureTable
from auditor.inventory.model import take_model
from auditor.inventory.stock import DatasetInventory
from auditor.inventory.vocabulary import take_vocabulary
from auditor.plan.facts import ROLES
from auditor.plan.identity import Settled
from auditor.plan.steps import Plan
from auditor.results.base import digest_of
from auditor.results.run_record import Host, InputRecord, Provenance
from auditor.spec.dataset import (
    CocoDataset,
    DatasetSpec,
    ImageFolderDataset,
    IndexMasksDataset,
    ManifestDataset,
    PortraitsDataset,
    TorchvisionDataset,
)
from auditor.spec.model import (
    BuiltinModel,
    ExportedModel,
    ModelSpec,
    PredictionsModel,
    PythonModel,
    TorchScriptModel,
    TorchvisionModel,
    TrainedModel,
)
from auditor.spec.vocabulary import (
    EverydayVocabulary,
    NpzVocabulary,
    SafetensorsVocabulary,
    SentenceVocabulary,
    TextVocabulary,
    VocabularySpec,
)

PACKAGES = (
    "auditor",
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "pillow",
    "pyarrow",
    "safetensors",
    "matplotlib",
    "weasyprint",
)
"""Packages whose version can change a number or a page."""

GIT = ("git", "-c", "core.fsmonitor=false", "--no-optional-locks")
"""Reading a work tree must start no program that its configuration names."""


class Revision(NamedTuple):
    """State of the work tree that holds the spec; None where there is none."""

    commit: str | None
    dirty: bool | None


def host(settled: Settled, determinism: Mapping[str, str]) -> Host:
    """The machine and its software."""
    return Host(
        platform=platform.platform(),
        python=platform.python_version(),
        device=describe(torch_device(settled)),
        num_threads=settled.num_threads,
        packages={name: version(name) for name in PACKAGES},
        determinism=dict(determinism),
    )


def provenance(composed: Composed, plan: Plan, *, command: str, allowed_code: bool) -> Provenance:
    """What is known before any input was looked at."""
    revision = revision_of(Path(composed.path).parent)
    return Provenance(
        spec_digest=composed.digest,
        plan_digest=digest_of(plan.model_dump(mode="json")),
        auditor_version=version("auditor"),
        revision=revision.commit,
        dirty=revision.dirty,
        command=command,
        overrides=composed.overrides,
        allowed_code=allowed_code,
    )


def input_records(
    spec: AuditSpec, dataset: DatasetInventory, features: Mapping[str, FeatureTable]
) -> tuple[InputRecord, ...]:
    """Every split of the dataset, the files that networks come from, and tables of features."""
    found = [
        InputRecord(
            role=f"dataset {name}",
            name=without_root(dataset_name(spec.dataset, name), spec.data_root),
            digest=split.digest,
            num_bytes=split.num_bytes,
            num_rows=split.num_rows,
        )
        for name, split in dataset.splits.items()
    ]
    for role in ROLES:
        network = network_of(spec, role)
        weights = take_model(network) if network is not None else None
        file = model_file(network) if network is not None else None
        if weights is not None and file is not None:
            found.append(
                InputRecord(
                    role=f"{role} weights",
                    name=without_root(file, spec.data_root),
                    digest=weights.digest,
                    num_bytes=weights.num_bytes,
                )
            )
    if spec.vocabulary is not None:
        words = take_vocabulary(spec.vocabulary)
        found.append(
            InputRecord(
                role="vocabulary",
                name=without_root(vocabulary_name(spec.vocabulary), spec.data_root),
                digest=words.digest,
                num_bytes=words.num_bytes,
            )
        )
    return (
        *found,
        *(
            InputRecord(
                role=f"features {split}",
                name=without_root(str(table.path), spec.data_root),
                digest=table.digest,
                num_bytes=table.num_bytes,
                num_rows=table.num_rows,
            )
            for split, table in features.items()
        ),
    )


def vocabulary_name(spec: VocabularySpec) -> str:
    """Path of a vocabulary as the spec has it."""
    match spec:
        case TextVocabulary() | NpzVocabulary() | SafetensorsVocabulary():
            return spec.path
        case SentenceVocabulary():
            return spec.folder
        case EverydayVocabulary():
            return spec.source
        case _:
            assert_never(spec)


def dataset_name(spec: DatasetSpec, split: str) -> str:
    """Path of a split as the spec has it, or the name of a dataset without one."""
    match spec:
        case ManifestDataset():
            return spec.files[split] if spec.files is not None else str(spec.path)
        case ImageFolderDataset() | TorchvisionDataset() | IndexMasksDataset():
            return spec.root
        case CocoDataset():
            return spec.splits[split].annotations
        case PortraitsDataset():
            return f"portraits, seed {spec.seed}"
        case _:
            assert_never(spec)


def model_file(spec: ModelSpec) -> str | None:
    """The file that a model comes from, as the spec has it."""
    match spec:
        case BuiltinModel() | TorchvisionModel():
            return spec.weights
        case TrainedModel():
            return spec.network.weights
        case TorchScriptModel() | ExportedModel():
            return spec.path
        case PythonModel():
            return spec.file
        case PredictionsModel():
            return None
        case _:
            assert_never(spec)


def without_root(path: str, root: str) -> str:
    """A path without the folder that the data happen to lie in."""
    return path.removeprefix(f"{root.rstrip('/')}/")


def revision_of(folder: Path) -> Revision:
    """Commit of the git work tree that a folder lies in."""
    commit = asked(folder, "rev-parse", "HEAD")
    if commit is None:
        return Revision(None, None)
    changes = asked(folder, "status", "--porcelain", "--untracked-files=no")
    return Revision(commit, None if changes is None else bool(changes))


def asked(folder: Path, *question: str) -> str | None:
    """What git says; None where there is no git, or no work tree."""
    try:
        answer = subprocess.run(
            [*GIT, "-C", str(folder), *question],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
