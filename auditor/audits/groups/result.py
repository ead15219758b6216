"""What the comparison of groups leaves behind."""

from __future__ import annotations

from typing import Literal

from auditor.results.base import ResultModel
from auditor.results.code import Code


class GroupsResult(ResultModel):
    """Content of `result.json` of a groups audit."""

    schema_version: int = 1
    """Version of this layout."""
    kind: Literal["groups"] = "groups"
    """Kind of audit."""


CODES: tuple[Code, ...] = ()
