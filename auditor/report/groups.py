"""What the section of a comparison of groups shows, with the words that filters were named with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditor.audits.groups.result import GroupsResult
from auditor.audits.groups.section import GroupsSection, make_section
from auditor.audits.groups.spec import GroupsSpec
from auditor.errors import ArtifactError
from auditor.report.filters import unit_names
from auditor.store.reader import Run


def groups_section(run: Run, audit: str, spec: GroupsSpec, result: GroupsResult) -> GroupsSection:
    """The body of one section.

    Raises:
        ArtifactError: the active regions do not belong to the pictures.
    """
    return make_section(
        audit=audit,
        spec=spec,
        result=result,
        findings=[finding for finding in run.findings if finding.audit == audit],
        names=filter_names(run, spec, result),
        active=active_regions(run, audit, result),
        max_cases=run.spec.report.max_findings,
    )


def filter_names(run: Run, spec: GroupsSpec, result: GroupsResult) -> dict[int, str]:
    """Words of the filters, where the run has a filters audit of the same network and layer."""
    if result.compare != "filters" or result.layer is None:
        return {}
    named = unit_names(run, spec.inspect, result.layer)
    return {unit: text for unit, words in named.items() if (text := words.text())}


def active_regions(run: Run, audit: str, result: GroupsResult) -> NDArray[np.bool_]:
    """Where filters are active [Z, g, g'] in all pictures; Z = 0 where the run kept none.

    Raises:
        ArtifactError: some picture has no region.
    """
    ends = [
        p.active + len(p.first) + len(p.second) for p in result.pictures if p.active is not None
    ]
    if not ends:
        return np.zeros((0, 1, 1), np.bool_)
    found = run.arrays(audit, "pictures").get("active", np.zeros(0, np.bool_))
    if found.ndim != 3 or len(found) < max(ends) or 0 in found.shape:
        raise ArtifactError(
            f"the active regions of audit {audit} are of shape {found.shape}, its pictures need "
            f"{max(ends)} of them",
            hint="Run the audit again; its folder was changed after the run.",
        )
    return found.astype(np.bool_)
