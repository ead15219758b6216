"""A spec that composed and validated, with everything a run must remember of how it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.catalog import AuditSpec
from auditor.context import Rule


@dataclass(frozen=True)
class Composed:
    """The input of the plan.

    Attributes:
        spec: The validated spec, every default filled in.
        digest: SHA-256 of the spec in canonical JSON, with the data root left out.
        path: The spec file as the user named it, or `packaged:<name>`.
        source: Its text, verbatim.
        overrides: The overrides, as typed.
        resolved: The composed spec as YAML, interpolations resolved, defaults filled in.
        rules: The rules, families and tables written out, in the order of the spec.
        clauses: Id of each clause map that the report names -> its text, verbatim.
        warnings: What a user should know although the spec is valid, such as empty `audits`.
    """

    spec: AuditSpec
    digest: str
    path: str
    source: str
    overrides: tuple[str, ...]
    resolved: str
    rules: tuple[Rule, ...]
    clauses: Mapping[str, str]
    warnings: tuple[str, ...]
