"""From an audit's result to what its section shows: one case per kind of audit."""

from __future__ import annotations

from typing import assert_never

import numpy as np

from auditor.audits.failures.result import FailuresResult
from auditor.audits.failures.section import FailuresSection
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.filters.result import FiltersResult
from auditor.audits.filters.section import FiltersSection
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.groups.result import GroupsResult
from auditor.audits.groups.section import GroupsSection
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.relationships.cases import Examples
from auditor.audits.relationships.result import RelationshipsResult
from auditor.audits.relationships.section import RelationshipsSection, make_section
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.errors import ArtifactError
from auditor.report.failures import failures_section
from auditor.report.filters import filters_section, unit_names
from auditor.report.groups import groups_section
from auditor.store.reader import Run

Body = RelationshipsSection | FailuresSection | FiltersSection | GroupsSection
"""What the section of an audit shows, by its kind."""


def make_body(run: Run, audit: str) -> Body:
    """What the section of one audit shows.

    Raises:
        ArtifactError: tables or arrays of the audit are damaged, or its result is of another
            kind than its spec.
    """
    spec, result = run.spec.audits[audit], run.results[audit]
    match result:
        case RelationshipsResult():
            if isinstance(spec, RelationshipsSpec):
                return relationships_section(run, audit, spec, result)
        case FailuresResult():
            if isinstance(spec, FailuresSpec):
                return failures_section(run, audit, spec, result)
        case FiltersResult():
            if isinstance(spec, FiltersSpec):
                return filters_section(run, audit, spec, result)
        case GroupsResult():
            if isinstance(spec, GroupsSpec):
                return groups_section(run, audit, spec, result)
        case _:
            assert_never(result)
    raise ArtifactError(
        f"the result of audit {audit} is of kind {result.kind}, its spec of kind {spec.kind}",
        hint="Run the audit again; its folder was changed after the run.",
    )


def relationships_section(
    run: Run, audit: str, spec: RelationshipsSpec, result: RelationshipsResult
) -> RelationshipsSection:
    """The body of one section.

    Raises:
        ArtifactError: images, maps and attributes do not belong together.
    """
    return make_section(
        audit=audit,
        spec=spec,
        result=result,
        findings=[finding for finding in run.findings if finding.audit == audit],
        rules=run.rules,
        examples=relationships_examples(run, audit, result),
        max_cases=run.spec.report.max_findings,
        filters={
            unit: text
            for unit, said in unit_names(run, "model", result.layer).items()
            if (text := said.label())
        },
    )


def relationships_examples(run: Run, audit: str, result: RelationshipsResult) -> Examples:
    """Example images with their heat maps; none where the run kept none.

    Raises:
        ArtifactError: images, maps and attributes do not belong together.
    """
    if "examples" not in run.array_names(audit):
        return Examples()
    arrays, images = run.arrays(audit, "examples"), run.image_names(audit)
    maps, present = arrays["maps"], arrays["present"]
    expected = (len(images), len(result.attributes))
    if maps.ndim != 4 or maps.shape[:2] != expected or present.shape != expected:
        raise ArtifactError(
            f"the heat maps of audit {audit} are of shape {maps.shape}, its examples and "
            f"attributes are {expected}",
            hint="Run the audit again; its folder was changed after the run.",
        )
    channels = arrays.get("channels", np.zeros((0, 0)))
    return Examples(images=images, maps=maps, present=present, channels=channels)
