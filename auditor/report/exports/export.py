"""From a run to a file for another tool: one function per format."""

from __future__ import annotations

from typing import assert_never

from auditor.report.exports.bom import bill_of_materials
from auditor.report.exports.document import document
from auditor.report.exports.junit import junit
from auditor.report.exports.model_card import model_card
from auditor.report.exports.sarif import sarif
from auditor.report.exports.summary import summary
from auditor.report.exports.table import comma_separated, parquet
from auditor.spec.formats import Export
from auditor.store.reader import Run


def export(run: Run, format: Export) -> bytes:  # noqa: A002  # the field's word for it
    """A run in a format for other tools. Equal runs give equal bytes.

    Raises:
        ArtifactError: the review file of the run is damaged.
    """
    match format:
        case "sarif":
            return sarif(run)
        case "junit":
            return junit(run)
        case "csv":
            return comma_separated(run)
        case "parquet":
            return parquet(run)
        case "md":
            return summary(run)
        case "model-card":
            return model_card(run)
        case "cyclonedx":
            return bill_of_materials(run)
        case "json":
            return document(run)
        case _:
            assert_never(format)
