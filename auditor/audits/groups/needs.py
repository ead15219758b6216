"""What the comparison of groups asks for."""

from __future__ import annotations

from auditor.audits.groups.spec import GroupsSpec
from auditor.context import Context
from auditor.needs import Need


def needs(audit: str, spec: GroupsSpec, context: Context) -> tuple[Need, ...]:
    """Folds, solves and visits of one audit."""
    raise NotImplementedError
