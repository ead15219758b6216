"""Reads a finished run directory: the report is a function of what comes from here alone.

Small documents are read at once and checked; tables, arrays and images when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
from auditor.notebook import block, paragraph, table
from auditor.plan.steps import Plan
from auditor.results.base import canonical_json
from auditor.results.comparison import Comparison
from auditor.results.finding import Checks, Finding, Findings, findings_table, worst_first
from auditor.results.run_record import RunRecord
from auditor.spec.report import framework_id
from auditor.store.documents import (
    damaged,
    first_problem,
    read_document,
    read_file,
    read_text,
    read_version,
)
from auditor.store.find import read_record
from auditor.store.layout import RunPaths
from auditor.store.manifest import covered_files
from auditor.store.tables import findings_as_table
from auditor.store.upgrade import UPGRADES, Upgrades, upgraded

PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)
FINDINGS: TypeAdapter[Findings] = TypeAdapter(Findings)
RESULT: TypeAdapter[AnyResult] = TypeAdapter(AnyResult)
RULES: TypeAdapter[tuple[Rule, ...]] = TypeAdapter(tuple[Rule, ...])
COMPARISON: TypeAdapter[Comparison] = TypeAdapter(Comparison)


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
        comparison: The run against its baseline, None where there was none.
        clauses: Id of each clause map that the report names -> its text.
        pictures: (audit, name in its result) -> file, for pictures that a report calls otherwise.
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
    comparison: Comparison | None = None
    clauses: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def findings_table(self) -> pa.Table:
        """The findings as one table: a row per finding, its numbers as a list of structs."""
        return findings_as_table(self.findings)

    def table_names(self, audit: str) -> tuple[str, ...]:
        """Names of the tables of an audit."""
        return stems(self.paths.audit(audit).tables, ".parquet")

    def tables(self, audit: str) -> dict[str, pa.Table]:
        """Every table of an audit by its name.

        Raises:
            ArtifactError: one is damaged.
        """
        return {name: self.table(audit, name) for name in self.table_names(audit)}

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
        content = read_file(path)
        try:
            table = pq.read_table(pa.BufferReader(content))
            # Text and names that are not UTF-8 would break whoever reads them.
            table.validate(full=True)
            _ = table.column_names
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise damaged(path, str(error)) from error
        return table

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
        name = self.pictures.get((audit, name), name)
        return read_file(self.paths.audit(audit).image(name))

    def _repr_html_(self) -> str:
        record = self.record
        ended = record.verdict or record.status
        open_ones = [finding for finding in worst_first(self.findings) if finding.verdict != "pass"]
        passed = len(self.findings) - len(open_ones)
        return block(
            f"{record.title or record.name}: {ended}",
            paragraph(f"run {record.run_id}, exit code {record.exit_code}"),
            table(
                "Policy",
                ("verdict", "rule", "target", "found"),
                [(rule.verdict, rule.name, rule.target, rule.value) for rule in record.policy],
            ),
            table(
                "Audits",
                ("verdict", "audit", "kind", "title", "findings"),
                [
                    (
                        audit.verdict or audit.status,
                        audit.id,
                        audit.kind,
                        audit.title,
                        str(sum(audit.num_findings.values())),
                    )
                    for audit in record.audits
                ],
            ),
            findings_table(f"Findings, without {passed} checks that passed", open_ones),
        )


def read_run(path: str | Path, *, upgrades: Upgrades = UPGRADES) -> Run:
    """Read a run directory, of this version or of an older one.

    Args:
        path: The run directory.
        upgrades: What leads from older layouts to this one.

    Raises:
        ArtifactError: it is none, the run has not ended, a file is damaged (it is named), a link
            leads out of it, or a version wrote it that cannot be read.
    """
    paths = RunPaths(Path(path))
    if not paths.record.is_file():
        raise ArtifactError(
            f"{path} is not a run directory",
            hint="A run directory holds run.json; `auditor list` shows all runs.",
        )
    record = read_record(paths.root, upgrades=upgrades)
    if record.status == "started":
        raise ArtifactError(
            f"the run {path} has not ended", hint="Run its spec again to continue it."
        )
    if record.failure is not None and not paths.findings.is_file():
        raise ArtifactError(
            f"the run {path} broke: {record.failure}",
            hint="Mend the cause and run its spec again to continue it.",
        )
    refuse_links(paths)
    plan = read_document(paths.plan_json, PLAN, upgrades=upgrades)
    findings = Checks(read_document(paths.findings, FINDINGS, upgrades=upgrades).findings)
    results = {
        audit.id: read_document(paths.audit(audit.id).result, RESULT, upgrades=upgrades)
        for audit in record.audits
        if audit.status == "ok"
    }
    compared = (
        read_document(paths.comparison, COMPARISON, upgrades=upgrades)
        if paths.comparison.is_file()
        else None
    )
    # YAML takes longest to read: whatever else is damaged has been refused by then.
    spec, rules = read_own_spec(paths, upgrades)
    return Run(
        paths=paths,
        record=record,
        spec=spec,
        rules=rules,
        source=read_text(paths.source),
        resolved=read_text(paths.resolved),
        plan=plan,
        plan_text=read_text(paths.plan_text),
        findings=findings,
        results=results,
        review=read_text(paths.review).encode() if paths.review.is_file() else None,
        comparison=compared,
        clauses=read_clauses(paths, spec),
    )


def read_clauses(paths: RunPaths, spec: AuditSpec) -> dict[str, str]:
    """The clause maps that were copied into the run when it started, in the order of the spec."""
    order = [framework_id(entry) for entry in spec.report.clauses]
    # Where a spec names a file by a path that no run may show, its name is not the spec's.
    found = sorted(
        (name.removesuffix(".yaml") for name in stems(paths.clauses, "") if name.endswith(".yaml")),
        key=lambda name: (order.index(name) if name in order else len(order), name),
    )
    return {name: read_text(paths.clause_map(name)) for name in found}


def refuse_links(paths: RunPaths) -> None:
    """A run directory holds its files itself: through a link, a report would show a stranger's
    choice of what else lies on this disk."""
    for name in covered_files(paths):
        if (paths.root / name).is_symlink():
            raise damaged(paths.root / name, "a link, and nothing outside a run is read")


def read_own_spec(
    paths: RunPaths, upgrades: Upgrades = UPGRADES
) -> tuple[AuditSpec, tuple[Rule, ...]]:
    """The spec of a run and its rules, as they are written down when the run starts.

    Raises:
        ArtifactError: a file is missing, damaged, or of a version that cannot be read.
    """
    # The files of spec/ state no version: they are written together with plan.json, and kept.
    version = read_version(paths.plan_json)
    rules = read_document(paths.rules, RULES, version=version, upgrades=upgrades)
    return read_spec(paths.resolved, version, upgrades), rules


def read_spec(path: Path, version: int, upgrades: Upgrades) -> AuditSpec:
    try:
        plain = read_yaml(read_text(path), str(path)).plain()
        body = upgraded(path.name, plain, version, upgrades)
        return AuditSpec.model_validate_json(canonical_json(body))
    except ValidationError as error:
        raise damaged(path, first_problem(error)) from error
    except SpecError as error:
        raise damaged(path, str(error)) from error


def stems(folder: Path, suffix: str) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    return tuple(sorted(p.name.removesuffix(suffix) for p in folder.iterdir() if p.is_file()))
