"""What a user sees of the runs that are there: list, show, explain, verify, report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.cli.terminal import printable
from auditor.store.find import read_record
from auditor.wording import count, percent

MakeRun = Callable[..., Path]


Auditor = Callable[..., Any]


def test_list_shows_runs_newest_first(auditor: Auditor, make_run: MakeRun) -> None:
    first, second = make_run(), make_run(sealed=False)
    done = auditor("list", "--json")
    assert done.code == 0
    assert [run["run"] for run in done.document()["runs"]] == [str(second), str(first)]
    assert done.document()["runs"][0]["verdict"] == "fail"
    lines = auditor("list").out.splitlines()
    assert str(second) in lines[1]
    assert "fail" in lines[1]


def test_list_without_runs_says_what_to_do(auditor: Auditor) -> None:
    assert "auditor run SPEC" in auditor("list").out
    assert auditor("list", "--json").document() == {"ok": True, "runs": []}


def test_a_damaged_run_hides_no_other(auditor: Auditor, make_run: MakeRun) -> None:
    first, second = make_run(), make_run()
    (first / "run.json").write_text("{")
    runs = auditor("list", "--json").document()["runs"]
    assert [run["status"] for run in runs] == ["ok", "damaged"]
    assert runs[0]["run"] == str(second)


def test_show_tells_verdict_policy_findings_and_metrics(
    auditor: Auditor, make_run: MakeRun
) -> None:
    run = make_run()
    done = auditor("show", "tiny")
    assert done.code == 0
    assert f"run: {run}" in done.out
    assert "failed: 1 open finding of severity error: lipstick and smiling" in done.out
    assert "not a crash" in done.out
    assert "relationships/BROKEN_RULE:lipstick~smiling" in done.out
    assert "0.6 [0.55, 0.65]" in done.out
    assert "hat~smiling" not in done.out
    assert "1 more checks passed; --all shows them" in done.out
    assert "metrics of relationships: cosine" in done.out
    assert "hat~smiling" in auditor("show", "tiny", "--all").out


def test_show_as_json_holds_record_and_findings(auditor: Auditor, make_run: MakeRun) -> None:
    run = make_run()
    document = auditor("show", "latest", "--json").document()
    assert document["run"] == str(run)
    assert document["record"]["verdict"] == "fail"
    assert [finding["verdict"] for finding in document["findings"]] == ["fail", "pass"]


def test_a_run_from_a_stranger_cannot_write_to_the_terminal(
    auditor: Auditor, make_run: MakeRun
) -> None:
    run = make_run()
    content = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**content, "title": "\x1b[2Jgone"}))
    for command in ("list", "show"):
        assert "\x1b" not in auditor(command, *(["tiny"] if command == "show" else [])).out


def test_shares_and_thousands_keep_their_narrow_spaces() -> None:
    text = f"{percent(0.88)} of {count(12_000)}\N{NO-BREAK SPACE}images"
    assert printable(text) == text
    assert printable("\x1b\u202e\u200b") == "\ufffd" * 3, "no escape, no turned or hidden text"


def test_explain_describes_a_code(auditor: Auditor) -> None:
    done = auditor("explain", "broken-rule")
    assert done.code == 0
    assert "BROKEN_RULE" in done.out
    assert "What to do" in done.out
    assert auditor("explain", "NOT_LEARNT", "--json").document()["code"] == "NOT_LEARNT"


def test_explain_offers_the_near_code(auditor: Auditor) -> None:
    done = auditor("explain", "BROKEN_RULES")
    assert done.code == 2
    assert done.err.startswith("error: there is no code 'BROKEN_RULES'")
    assert "did you mean `BROKEN_RULE`?" in done.err
    assert "Traceback" not in done.err


def test_verify_tells_intact_altered_and_not_a_run(auditor: Auditor, make_run: MakeRun) -> None:
    run = make_run()
    done = auditor("verify", str(run))
    assert (done.code, "intact" in done.out) == (0, True)
    (run / "findings.json").write_text("{}")
    done = auditor("verify", "tiny")
    assert done.code == 1
    assert "changed: findings.json" in done.out
    document = auditor("verify", "tiny", "--json").document()
    assert (document["ok"], document["changed"]) == (False, ["findings.json"])
    assert auditor("verify", "nothing").code == 2


def test_paths_outside_the_current_directory_are_absolute(
    auditor: Auditor, make_run: MakeRun, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    moved = shutil.move(make_run(), elsewhere)
    assert auditor("verify", str(moved), "--json").document()["run"] == str(moved)


@pytest.mark.parametrize(
    "arguments",
    [("show", "nothing"), ("verify", "nothing"), ("report", "nothing"), ("explain", "nothing")],
)
def test_errors_are_one_block_and_with_json_one_document(
    auditor: Auditor, arguments: tuple[str, ...]
) -> None:
    done = auditor(*arguments, "--json")
    assert done.code == 2
    assert done.err.startswith("error: ")
    document = done.document()
    assert document["ok"] is False
    assert document["exit_code"] == 2
    assert "nothing" in document["error"]["message"]


def test_a_defect_keeps_its_traceback_and_asks_for_a_report(
    auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditor.catalog.CODES", None)
    done = auditor("explain", "BROKEN_RULE")
    assert done.code == 3  # never 1: CI would take a defect for a failed policy
    assert "Traceback" in done.err
    assert "Please report it" in done.err


def test_version(auditor: Auditor) -> None:
    assert auditor("--version").out == "auditor 0.1.0\n"


@pytest.mark.parametrize(
    "arguments",
    [("run",), ("show",), ("nonsense",), ("list", "--nonsense"), ("report", "x", "--images", "y")],
)
def test_wrong_usage_exits_with_2(auditor: Auditor, arguments: tuple[str, ...]) -> None:
    assert auditor(*arguments).code == 2
    document = auditor(*arguments, "--json").document()
    assert (document["ok"], document["exit_code"]) == (False, 2)


@pytest.mark.parametrize("name", ["report.docx", "report"])
def test_a_report_format_that_does_not_exist_is_refused_at_once(
    auditor: Auditor, name: str
) -> None:
    done = auditor("run", "audit.yaml", "-o", name)
    assert done.code == 2
    assert "The formats are .html, .pdf" in done.err


def test_an_audit_that_the_spec_lacks_is_refused(auditor: Auditor, composed: object) -> None:
    done = auditor("run", "audit.yaml", "--only", "relationship")
    assert done.code == 2
    assert "did you mean `relationships`" in done.err


def test_commands_that_read_a_run_need_no_torch(make_run: MakeRun, here: Path) -> None:
    run = make_run()
    poison = here / "poison"
    poison.mkdir()
    for name in ("torch", "torchvision"):
        (poison / f"{name}.py").write_text("raise ImportError('torch must not be loaded here')\n")
    repository = Path(__file__).parents[3]
    commands = [
        ["validate", "audit.yaml"],
        ["plan", "audit.yaml"],
        ["report", str(run)],
        ["list"],
        ["show", str(run)],
        ["verify", str(run)],
        ["explain", "BROKEN_RULE"],
    ]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from auditor.cli.main import app\n"
            f"for command in {commands!r}:\n"
            "    assert not app(command, standalone_mode=False), command\n",
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(poison), str(repository)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


REVIEW = """\
version: 1
findings:
  relationships/BROKEN_RULE:lipstick~smiling:
    decision: {decision}
    evidence_digest: {digest}
    reviewer: J. Doe
    date: 2026-03-01
    expires: 2026-12-31
"""


@pytest.fixture
def sign_off(here: Path, findings: tuple[Any, ...]) -> Callable[[str], None]:
    """Write the review file that the spec names."""

    def write(decision: str) -> None:
        digest = findings[0].evidence_digest
        (here / "reviews").mkdir(exist_ok=True)
        (here / "reviews" / "tiny.yaml").write_text(REVIEW.format(decision=decision, digest=digest))

    return write


def test_report_judges_again_and_remembers_the_seal_before(
    auditor: Auditor,
    make_run: MakeRun,
    sign_off: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1780000000")  # May 2026
    run = make_run()
    sealed = auditor("verify", str(run), "--json").document()["digest"]
    sign_off("accepted_risk")
    done = auditor("report", "tiny")
    assert done.code == 0, done.err
    assert f"html: {run}/report/report.html" in done.out
    assert "verdict: passed" in done.out
    assert (run / "report" / "report.html").is_file()
    assert read_record(run).verdict == "pass"
    assert read_record(run).exit_code == 0
    assert (run / "review.yaml").read_bytes() == Path("reviews/tiny.yaml").read_bytes()
    verified = auditor("verify", str(run), "--json").document()
    assert verified["ok"]
    assert verified["history"] == [sealed]


def test_a_decision_that_expired_opens_the_finding_again(
    auditor: Auditor,
    make_run: MakeRun,
    sign_off: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1900000000")  # 2030
    run = make_run()
    sign_off("accepted_risk")
    document = auditor("report", "tiny", "--json").document()
    assert document["verdict"] == "fail"
    assert "its review decision expired" in document["why"]
    assert read_record(run).exit_code == 1


def test_without_the_review_file_the_copy_in_the_run_counts(
    auditor: Auditor,
    make_run: MakeRun,
    sign_off: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1780000000")
    make_run()
    sign_off("false_alarm")
    assert auditor("report", "tiny", "--json").document()["verdict"] == "pass"
    Path("reviews/tiny.yaml").unlink()
    assert auditor("report", "tiny", "--json").document()["verdict"] == "pass"


def test_an_altered_run_gets_no_new_report(auditor: Auditor, make_run: MakeRun) -> None:
    run = make_run()
    content = json.loads((run / "findings.json").read_text())
    (run / "findings.json").write_text(json.dumps({**content, "findings": []}))
    manifest = (run / "manifest.json").read_bytes()
    done = auditor("report", str(run))
    assert done.code == 2
    assert "altered since it was sealed: findings.json" in done.err
    assert (run / "manifest.json").read_bytes() == manifest
