"""Where the results of a run come from: the machine, the software, the inputs, the revision.

Of the environment nothing is recorded but what is named here: no variable, no host, no user. Files
are named as `auditor.redaction` allows.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import Distribution, distribution, version
from pathlib import Path
from typing import NamedTuple, assert_never

from auditor.catalog import AuditSpec, network_of
from auditor.compose.composed import Composed
from auditor.compose.load import as_yaml
from auditor.compose.validation import validate
from auditor.context import Rule
from auditor.engine.device import describe
from auditor.engine.settle import torch_device
from auditor.inventory.features import FeatureTable
from auditor.inventory.model import take_model
from auditor.inventory.stock import DatasetInventory
from auditor.inventory.vocabulary import take_vocabulary
from auditor.plan.facts import ROLES
from auditor.plan.identity import Settled
from auditor.plan.steps import Plan
from auditor.redaction import (
    WHOLE,
    ShowPath,
    mask_secrets,
    portable_path,
    redact_argument,
    redact_command,
    redact_text,
    redact_tree,
    redact_value,
    texts,
)
from auditor.results.base import digest_of
from auditor.results.run_record import Host, InputRecord, Provenance, RunRecord
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

ADDED_ON_INSTALL = ("-info/INSTALLER", "-info/REQUESTED", "-info/direct_url.json")
"""Files that an installer writes beside those of the archive."""

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
        package_digests=installed_digests(),
        determinism=dict(determinism),
    )


def installed_digests() -> dict[str, str]:
    """Digest of what is installed of each package, the same wherever one archive is installed.

    Covers the files that the archive brought, by their digests in `RECORD` (the specification of
    installed projects); neither what an installer adds for itself nor compiled modules. A package
    that is edited in place has no such list.
    """
    found = {name: archive_files(distribution(name)) for name in PACKAGES}
    return {name: digest_of(files) for name, files in found.items() if files}


def archive_files(installed: Distribution) -> list[list[str]]:
    """Path and digest of every file that the archive of a package brought."""
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        return []
    # Read as it is: `Distribution.files` makes an object per file, and torch has ten thousand.
    rows = csv.reader((installed.read_text("RECORD") or "").splitlines())
    return sorted(
        [path, digest]
        for path, digest, _ in rows
        if digest and not path.startswith("../") and not path.endswith(ADDED_ON_INSTALL)
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


def portable(composed: Composed) -> Composed:
    """The spec as it is written down: what is run, without where it lies on this disk.

    Rules keep their file, line and column, because findings answer to them. The review file is
    named relative to the current folder wherever it lies: it is read again.
    """
    spec, show = composed.spec, path_names(composed.spec)
    content = spec.model_dump(mode="json")
    written = redact_tree(content, lambda text: redact_value(text, show))
    if spec.review is not None:
        written["review"] = os.path.relpath(spec.review)
    return replace(
        composed,
        overrides=tuple(redact_argument(override, show) for override in composed.overrides),
        resolved=composed.resolved if written == content else as_yaml(validate(written)),
        rules=tuple(located(rule, show) for rule in composed.rules),
    )


def located(rule: Rule, show: ShowPath) -> Rule:
    """The rule with its file as it is written down."""
    if rule.location is None:
        return rule
    file = redact_value(rule.location.file, show)
    return replace(rule, location=replace(rule.location, file=file))


def portable_record(record: RunRecord, spec: AuditSpec) -> RunRecord:
    """The record without paths of this disk, in its command and in what broke or was unreadable."""
    show = path_names(spec)
    known = texts(spec.model_dump(mode="json"))

    def said(text: str | None) -> str | None:
        return None if text is None else redact_text(text, show, known)

    came = record.provenance
    provenance = came.model_copy(
        update={
            "command": redact_command(came.command, show),
            "overrides": tuple(redact_argument(override, show) for override in came.overrides),
            "inputs": tuple(
                each.model_copy(update={"name": redact_value(each.name, show)})
                for each in came.inputs
            ),
        }
    )
    return record.model_copy(
        update={
            "title": mask_secrets(record.title),
            "failure": said(record.failure),
            "provenance": provenance,
            "audits": tuple(a.model_copy(update={"reason": said(a.reason)}) for a in record.audits),
            "quarantined": tuple(
                q.model_copy(update={"reason": said(q.reason)}) for q in record.quarantined
            ),
        }
    )


def path_names(spec: AuditSpec) -> ShowPath:
    """How paths of a spec are written: below the data root, as they lie in it."""
    classes, root = frozenset(spec.dataset.classes or ()), spec.data_root.rstrip("/")

    def show(path: str) -> str:
        if path in classes:  # such as `/a/abbey`: names of a scene data set
            return path
        if WHOLE.fullmatch(root) and path.startswith(f"{root}/"):
            return f"{portable_path(root)}{path.removeprefix(root)}"
        return portable_path(path)

    return show


def input_records(
    spec: AuditSpec, dataset: DatasetInventory, features: Mapping[str, FeatureTable]
) -> tuple[InputRecord, ...]:
    """Every split of the dataset, the files that networks come from, and tables of features."""
    found = [
        InputRecord(
            role=f"dataset {name}",
            name=without_root(dataset_name(spec.dataset, name), spec.data_root),
            digest=split.digest,
            without_predictions=split.without_predictions,
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
