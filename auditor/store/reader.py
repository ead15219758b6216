"""Reads a finished run directory: the report is a function of what comes from here alone.

Small documents are read at once and checked; tables, arrays and images when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load

from auditor.catalog import AnyResult, AuditSpec
from auditor.compose.yaml_file import read_yaml
from auditor.context import Rule
from auditor.errors import ArtifactError, SpecError
from auditor.plan.steps import Plan
from auditor.results.base import canonical_json
from auditor.results.finding import Finding, Findings
from auditor.results.run_record import RunRecord
from auditor.store.documents import damaged, read_document, read_file, read_text
from auditor.store.find import read_record
from auditor.store.layout import RunPaths

PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)
FINDINGS: TypeAdapter[Findings] = TypeAdapter(Findings)
RESULT: TypeAdapter[AnyResult] = TypeAdapter(AnyResult)
RULES: TypeAdapter[tuple[Rule, ...]] = TypeAdapter(tuple[Rule, ...])


@final
@dataclass(frozen=True)
class Run:
    """A run as its directory tells it.

    Attributes:
        paths: Where everything lies; `paths.root` is the run directory.
        record: When, where, from which inputs, how it ended, by which policy.
        spec: The composed spec.
        rules: Its rules, families and tables written out.
        source: The spec file, verbatim; the overrides stand in `record.provenance`.
        resolved: The composed spec as YAML.
        plan: The steps.
        plan_text: The steps in words.
        findings: Every check made, in the order of the spec's audits.
        results: Audit id -> result, for the audits whose status is `ok`.
        review: The review file that the run was judged with, None where there was none.
    """

    paths: RunPaths
    record: RunRecord
    spec: AuditSpec
    rules: tuple[Rule, ...]
    source: str
    resolved: str
    plan: Plan
    plan_text: str
    findings: tuple[Finding, ...]
    results: Mapping[str, AnyResult]
    review: bytes | None

    def array_names(self, audit: str) -> tuple[str, ...]:
        """Names of the array files of an audit."""
        return stems(self.paths.audit(audit).arrays, ".safetensors")

    def image_names(self, audit: str) -> tuple[str, ...]:
        """File names of the images of an audit."""
        return stems(self.paths.audit(audit).images, "")

    def table(self, audit: str, name: str) -> pa.Table:
        """One table.

        Raises:
            ArtifactError: it is missing or damaged.
        """
        path = self.paths.audit(audit).table(name)
        try:
            return pq.read_table(pa.BufferReader(read_file(path)))
        except pa.ArrowException as error:
            raise damaged(path, str(error)) from error

    def arrays(self, audit: str, name: str) -> dict[str, NDArray[Any]]:
        """The named arrays of one file.

        Raises:
            ArtifactError: it is missing or damaged.
        """
        path = self.paths.audit(audit).array(name)
        try:
            return dict(load(read_file(path)))
        except SafetensorError as error:
            raise damaged(path, str(error)) from error

    def image(self, audit: str, name: str) -> bytes:
        """One encoded image.

        Raises:
            ArtifactError: it is missing.
        """
        return read_file(self.paths.audit(audit).image(name))


def read_run(path: str | Path) -> Run:
    """Read a run directory.

    Raises:
        ArtifactError: it is none, the run has not ended, a file is damaged (it is named), or
            a newer version wrote it.
    """
    paths = RunPaths(Path(path))
    if not paths.record.is_file():
        raise ArtifactError(
            f"{path} is not a run directory",
            hint="A run directory holds run.json; `auditor list` shows all runs.",
        )
    record = read_record(paths.root)
    if record.status == "started":
        raise ArtifactError(
            f"the run {path} has not ended", hint="Run its spec again to continue it."
        )
    if record.failure is not None and not paths.findings.is_file():
        raise ArtifactError(
            f"the run {path} broke: {record.failure}",
            hint="Mend the cause and run its spec again to continue it.",
        )
    return Run(
        paths=paths,
        record=record,
        spec=read_spec(paths.resolved),
        rules=read_document(paths.rules, RULES),
        source=read_text(paths.source),
        resolved=read_text(paths.resolved),
        plan=read_document(paths.plan_json, PLAN),
        plan_text=read_text(paths.plan_text),
        findings=read_document(paths.findings, FINDINGS).findings,
        results={
            audit.id: read_document(paths.audit(audit.id).result, RESULT)
            for audit in record.audits
            if audit.status == "ok"
        },
        review=read_file(paths.review) if paths.review.is_file() else None,
    )


def read_spec(path: Path) -> AuditSpec:
    try:
        node = read_yaml(read_text(path), str(path))
        return AuditSpec.model_validate_json(canonical_json(node.plain()))
    except (SpecError, ValidationError) as error:
        raise damaged(path, str(error)) from error


def stems(folder: Path, suffix: str) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    return tuple(sorted(p.name.removesuffix(suffix) for p in folder.iterdir() if p.is_file()))
