"""`auditor run`: what it leaves, what it prints last, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.cli.rendering import requested_format
from auditor.cli.verdict import verdict_sentence
from auditor.compose.composed import Composed
from auditor.errors import MissingDependencyError
from auditor.report import pdf
from auditor.store.find import all_runs, read_record

SMALL = ("audit.yaml", "engine.device=cpu", "report.formats=[html]")


@pytest.fixture(autouse=True)
def one_spec(composed: Composed) -> None:
    """`audit.yaml` in the current directory."""


def test_a_run_ends_with_plain_lines_and_an_exit_code(auditor: Callable[..., Any]) -> None:
    done = auditor("run", *SMALL, "-o", "copies/report.html")
    (run,) = all_runs(Path("reports"))
    assert done.code == 4, done.err
    lines = done.out.splitlines()
    assert lines[0] == f"run: {run}"
    assert lines[1] == f"html: {run}/report/report.html"
    assert lines[2] == "copy: copies/report.html"
    assert lines[3].startswith("verdict: inconclusive: 0 of 2 rules")
    assert len(lines) == 4
    assert Path("copies/report.html").read_bytes() == (run / "report/report.html").read_bytes()
    assert "warning: the review file reviews/tiny.yaml is not there yet" in done.err
    assert auditor("verify", "tiny").code == 0


def test_json_is_one_document_and_a_finished_run_is_left_alone(
    auditor: Callable[..., Any],
) -> None:
    first = auditor("run", *SMALL, "--json").document()
    second = auditor("run", *SMALL, "--json").document()
    assert first["run"] != second["run"]
    assert first["verdict"] == second["verdict"] == "inconclusive"
    assert first["exit_code"] == 4
    assert {outcome["name"] for outcome in first["policy"]} == {"ran", "fail_on", "min_decided"}
    for name in ("findings.json", "audits/relationships/result.json"):
        one, other = (Path(each["run"], name).read_bytes() for each in (first, second))
        assert one == other


def test_without_pango_the_page_is_left_and_one_line_says_how_to_get_the_rest(
    auditor: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise MissingDependencyError("the PDF needs Pango", hint="Install Pango.")

    monkeypatch.setattr(pdf, "load_weasyprint", missing)
    done = auditor("run", "audit.yaml", "engine.device=cpu")
    (run,) = all_runs(Path("reports"))
    assert done.code == 4
    assert done.out.splitlines()[0] == "pdf: not written: the PDF needs Pango. Install Pango."
    assert (run / "report" / "report.html").is_file()
    assert auditor("verify", "tiny").code == 0
    asked = auditor("run", "audit.yaml", "engine.device=cpu", "-o", "report.pdf")
    assert asked.code == 2  # a file that was asked for by name is not there
    assert not Path("report.pdf").exists()


def test_an_interrupted_run_is_continued_by_the_same_command(
    auditor: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("auditor.report.render.render", interrupted)
        done = auditor("run", *SMALL)
    assert done.code == 130
    assert "the same command resumes the run" in done.err
    (run,) = all_runs(Path("reports"))
    assert not (run / "manifest.json").exists()
    assert auditor("run", *SMALL).out.startswith(f"run: {run}\n")
    assert auditor("verify", "tiny").code == 0


def test_a_folder_in_the_way_is_an_error_in_words(auditor: Callable[..., Any]) -> None:
    Path("blocked").write_text("not a folder")
    done = auditor("run", *SMALL, "--out", "blocked", "--json")
    assert done.code == 3
    assert "blocked" in done.document()["error"]["message"]
    assert Path("blocked").read_text() == "not a folder"


def test_an_empty_spec_is_inconclusive(auditor: Callable[..., Any]) -> None:
    done = auditor("run", *SMALL, "~audits.relationships")
    assert done.code == 4, done.err
    assert "the spec has no audits" in done.out


def test_suffixes_name_formats() -> None:
    assert requested_format(Path("a/Report.PDF")) == "pdf"
    assert requested_format(Path("report.html")) == "html"


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("pass", "passed: every rule"),
        ("warn", "passed, with warnings: "),
        ("fail", "not a crash"),
        ("inconclusive", "silence is not taken for a pass"),
    ],
)
def test_every_verdict_has_its_sentence(
    make_run: Callable[..., Path], verdict: str, words: str
) -> None:
    record = read_record(make_run()).model_copy(update={"verdict": verdict})
    assert words in verdict_sentence(record)
