"""The report: for whom, in which formats, with which pictures."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from auditor.spec.base import SpecModel, Text
from auditor.spec.clauses import MAX_FRAMEWORKS
from auditor.spec.formats import Format


def is_file(entry: str) -> bool:
    """Whether an entry of `clauses` is a path rather than the name of a packaged map."""
    return entry.endswith(".yaml")


def framework_id(entry: str) -> str:
    """The id of a clause map: its name, which is its file's name without the suffix."""
    return PurePath(entry).stem if is_file(entry) else entry


def named(entry: str) -> str:
    """A clause map keeps its name in the run directory, so the name is a plain one."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", framework_id(entry)):
        raise ValueError(
            "not a clause map: give the name of a packaged one, or a path such as "
            "rules/house_rules.yaml (the file's name in lower-case letters, digits, `_` and `-`)"
        )
    return entry


ClauseMap = Annotated[str, StringConstraints(max_length=1000), AfterValidator(named)]
"""The name of a packaged clause map, or the path of a file."""


class ReportSpec(SpecModel):
    """What the rendered report looks like; nothing here is measured."""

    formats: tuple[Format, ...] = ("html", "pdf")
    """Files to render after a run: the report, and exports of it for other tools."""
    audience: Text = ""
    """Whom the report is written for; shown on the cover."""
    images: Literal["full", "blurred", "heatmap_only", "withheld"] = "full"
    """How example images are shown."""
    max_findings: int = Field(default=12, ge=1, le=1000)
    """Findings shown at length per audit; the table of everything tested is always whole."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "en"
    """Language tag of the document."""
    pdf_variant: Literal["pdf/ua-1", "pdf/a-3b"] = "pdf/ua-1"
    """What the PDF is made for: `pdf/ua-1` to be read by everybody, screen readers included;
    `pdf/a-3b` to be archived, its attachments declared. Both are tagged."""
    clauses: Annotated[tuple[ClauseMap, ...], Field(max_length=MAX_FRAMEWORKS)] = (
        "eu_ai_act",
        "nist_ai_rmf",
        "iso_42001",
    )
    """Clause maps to hold the run against: `eu_ai_act`, `nist_ai_rmf`, `iso_42001`, or the path of
    your own, such as `rules/house_rules.yaml`."""

    @model_validator(mode="after")
    def clause_maps_differ(self) -> Self:
        ids = [framework_id(entry) for entry in self.clauses]
        if twice := [name for name in ids if ids.count(name) > 1]:
            raise ValueError(f"two clause maps are called `{twice[0]}`")
        return self
