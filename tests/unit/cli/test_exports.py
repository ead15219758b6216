"""Exports on the command line: by suffix, by name, in the spec, and kept up to date."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.compose.composed import Composed
from auditor.spec.formats import ENDINGS, FILE_NAMES, FORMATS, format_of
from auditor.store.find import all_runs

Auditor = Callable[..., Any]

SMALL = ("audit.yaml", "engine.device=cpu", "report.formats=[html,csv]")


@pytest.fixture(autouse=True)
def one_spec(composed: Composed) -> None:
    """`audit.yaml` in the current directory."""


def test_exports_come_by_suffix_by_name_and_from_the_spec(auditor: Auditor) -> None:
    done = auditor("run", *SMALL, "--format", "junit", "-o", "copies/bom.cdx.json")
    (run,) = all_runs(Path("reports"))
    assert done.code == 4, done.err
    assert f"csv: {run}/report/findings.csv" in done.out
    assert f"junit: {run}/report/junit.xml" in done.out
    assert "copy: copies/bom.cdx.json" in done.out
    assert json.loads(Path("copies/bom.cdx.json").read_text())["bomFormat"] == "CycloneDX"
    assert auditor("verify", "tiny").code == 0

    again = auditor("report", "tiny", "--format", "sarif", "-o", "summary.md", "--json")
    assert again.code == 0, again.err
    document = again.document()
    assert document["sarif"] == f"{run}/report/findings.sarif"
    # What was rendered before is rendered again, so that no file tells an older verdict.
    assert document["junit"] == f"{run}/report/junit.xml"
    assert Path("summary.md").read_text().startswith("## ")
    assert auditor("verify", "tiny").code == 0


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [(("--format", "sariff"), "sarif"), (("-o", "report.docx"), ".sarif"), (("-o", "x"), ".csv")],
)
def test_a_format_that_does_not_exist_is_named_before_anything_runs(
    auditor: Auditor, arguments: tuple[str, str], hint: str
) -> None:
    done = auditor("run", *SMALL, *arguments, "--json")
    assert done.code == 2
    assert hint in done.document()["error"]["hint"]
    assert not Path("reports").exists()


def test_every_ending_names_a_format_and_the_longest_wins() -> None:
    assert set(ENDINGS.values()) < set(FORMATS) == set(FILE_NAMES)
    assert format_of("a.b.CDX.JSON") == "cyclonedx"
    assert format_of("a.json") == "json"
    assert format_of("a.sarif.json") == "sarif"
    assert format_of("json") is None
    assert all(format_of(name) for name in FILE_NAMES.values())
