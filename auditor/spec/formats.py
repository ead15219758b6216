"""What a run can be written as. Plain names: the command line reads them before anything is loaded.

html, pdf      the report
sarif          what failed, at the spec lines of its rules, for code scanning
junit          one test per check, for a continuous integration server
csv, parquet   one row per check, for spreadsheets and notebooks
md             a summary for a pull request
model-card     a section of a model card, with metadata for a model hub
cyclonedx      the bill of materials: model, data, packages and the audit as evidence
json           record and findings in one document
"""

from __future__ import annotations

from typing import Literal, get_args

Export = Literal["sarif", "junit", "csv", "parquet", "md", "model-card", "cyclonedx", "json"]
"""Formats for programs and other tools; made from record, findings and review alone."""

Format = Literal[
    "html", "pdf", "sarif", "junit", "csv", "parquet", "md", "model-card", "cyclonedx", "json"
]

EXPORTS: tuple[Export, ...] = get_args(Export)
FORMATS: tuple[Format, ...] = get_args(Format)

FILE_NAMES: dict[Format, str] = {
    "html": "report.html",
    "pdf": "report.pdf",
    "sarif": "findings.sarif",
    "junit": "junit.xml",
    "csv": "findings.csv",
    "parquet": "findings.parquet",
    "md": "summary.md",
    "model-card": "model-card.md",
    "cyclonedx": "bom.cdx.json",
    "json": "report.json",
}
"""What each is called in the folder `report/` of a run."""

ENDINGS: dict[str, Format] = {
    ".html": "html",
    ".pdf": "pdf",
    ".sarif": "sarif",
    ".sarif.json": "sarif",
    ".xml": "junit",
    ".csv": "csv",
    ".parquet": "parquet",
    ".md": "md",
    ".cdx.json": "cyclonedx",
    ".json": "json",
}
"""How the name of a file asks for a format; the longest ending wins."""


def format_of(name: str) -> Format | None:
    """The format that a file name asks for, if its ending is known."""
    lower = name.lower()
    fitting = [ending for ending in ENDINGS if lower.endswith(ending)]
    return ENDINGS[max(fitting, key=len)] if fitting else None
