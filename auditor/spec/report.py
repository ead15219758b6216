"""The report: for whom, in which formats, with which pictures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from auditor.spec.base import SpecModel, Text


class ReportSpec(SpecModel):
    """What the rendered report looks like; nothing here is measured."""

    formats: tuple[Literal["html", "pdf"], ...] = ("html", "pdf")
    """Files to render after a run."""
    audience: Text = ""
    """Whom the report is written for; shown on the cover."""
    images: Literal["full", "blurred", "heatmap_only", "withheld"] = "full"
    """How example images are shown."""
    max_findings: int = Field(default=12, ge=1, le=1000)
    """Findings shown at length per audit; the table of everything tested is always whole."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "en"
    """Language tag of the document."""
