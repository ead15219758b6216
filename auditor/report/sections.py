"""From an audit's result to what its section shows: one case per kind of audit."""

from __future__ import annotations

from typing import assert_never

from auditor.audits.relationships.cases import Examples
from auditor.audits.relationships.result import RelationshipsResult
from auditor.audits.relationships.section import RelationshipsSection, make_section
from auditor.errors import ArtifactError
from auditor.store.reader import Run


def make_body(run: Run, audit: str) -> RelationshipsSection:
    """What the section of one audit shows.

    Raises:
        ArtifactError: tables or arrays of the audit are damaged.
    """
    spec, result = run.spec.audits[audit], run.results[audit]
    findings = [finding for finding in run.findings if finding.audit == audit]
    match result:
        case RelationshipsResult():
            return make_section(
                audit=audit,
                spec=spec,
                result=result,
                findings=findings,
                rules=run.rules,
                examples=relationships_examples(run, audit, result),
                max_cases=run.spec.report.max_findings,
            )
        case _:
            assert_never(result)


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
    return Examples(images=images, maps=maps, present=present)
