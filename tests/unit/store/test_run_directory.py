"""A run is written in one place, found by name, read back whole, and sealed last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from auditor.compose.composed import Composed
from auditor.errors import ArtifactError, ExecutionError
from auditor.plan.make import make_plan
from auditor.results.outcome import Outcome
from auditor.store.find import all_runs, find_run, find_unfinished, read_record
from auditor.store.layout import AuditPaths, plain_name, run_id
from auditor.store.reader import read_run
from auditor.store.tables import array_bytes, table_bytes
from auditor.store.writer import open_run, reopen_run

MakeRun = Callable[..., Path]


def test_a_run_is_read_back_as_it_was_written(
    make_run: MakeRun, composed: Composed, outcome: Outcome
) -> None:
    run = read_run(make_run())
    assert run.spec == composed.spec
    assert run.rules == composed.rules
    assert run.source == composed.source
    assert run.resolved == composed.resolved
    assert run.plan == make_plan(composed)
    assert run.findings == outcome.findings
    assert run.results == {"relationships": outcome.result}
    assert run.record.status == "ok"
    assert run.record.provenance.overrides == ("engine.device=cpu",)
    assert run.table("relationships", "cosines").to_pydict() == {
        "sample": ["a", "b"],
        "cosine": [0.5, None],
    }
    assert run.array_names("relationships") == ("matrix",)
    np.testing.assert_array_equal(run.arrays("relationships", "matrix")["mean"], np.eye(3))
    assert run.image_names("relationships") == ("0001.jpg",)
    assert run.image("relationships", "0001.jpg").startswith(b"\xff\xd8")


def test_every_file_lies_where_the_layout_says(make_run: MakeRun) -> None:
    run = make_run()
    files = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert files == {
        "run.json",
        "plan.json",
        "plan.txt",
        "findings.json",
        "manifest.json",
        "states/lock",
        "spec/source.yaml",
        "spec/overrides.yaml",
        "spec/resolved.yaml",
        "spec/rules.json",
        "spec/clauses/eu_ai_act.yaml",
        "spec/clauses/iso_42001.yaml",
        "spec/clauses/nist_ai_rmf.yaml",
        "evidence.json",
        "audits/relationships/result.json",
        "audits/relationships/tables/cosines.parquet",
        "audits/relationships/arrays/matrix.safetensors",
        "audits/relationships/images/0001.jpg",
    }


def test_the_name_of_a_run_is_its_time_and_digest() -> None:
    assert run_id(datetime(2026, 3, 1, 9, 5, tzinfo=UTC), "abcdef0123") == (
        "20260301T090500Z-abcdef01"
    )


def test_the_record_is_there_before_anything_else(composed: Composed, make_run: MakeRun) -> None:
    begun = read_record(make_run()).model_copy(update={"status": "started"})
    with open_run(composed, out=Path("reports")) as writer:
        (writer.paths.root / "spec").write_text("in the way of the second file")
        with pytest.raises(ExecutionError, match="spec"):
            writer.start(begun, composed, make_plan(composed))
        assert read_record(writer.paths.root).status == "started"


def test_equal_content_gives_equal_bytes(make_run: MakeRun) -> None:
    first, second = make_run(), make_run()
    assert first != second
    names = [p.relative_to(first) for p in (first / "audits").rglob("*") if p.is_file()]
    for name in [*names, Path("findings.json"), Path("plan.json"), Path("spec/resolved.yaml")]:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_an_unfinished_run_continues_and_a_finished_one_does_not(
    composed: Composed, make_run: MakeRun
) -> None:
    unfinished = make_run(sealed=False)
    with open_run(composed, out=Path("reports")) as writer:
        assert writer.paths.root == unfinished
        assert writer.earlier is not None
        assert writer.earlier.run_id == unfinished.name
    with reopen_run(unfinished) as writer:
        writer.seal()
    with open_run(composed, out=Path("reports")) as writer:
        assert writer.paths.root != unfinished
        assert writer.earlier is None


def test_fresh_starts_anew(composed: Composed, make_run: MakeRun) -> None:
    unfinished = make_run(sealed=False)
    with open_run(composed, out=Path("reports"), fresh=True) as writer:
        assert writer.paths.root != unfinished


def test_a_folder_left_by_a_kill_in_the_first_moment_is_continued(composed: Composed) -> None:
    empty = Path("reports/tiny") / run_id(datetime.now(UTC), composed.digest)
    empty.mkdir(parents=True)
    with open_run(composed, out=Path("reports")) as writer:
        assert writer.paths.root == empty
        assert writer.earlier is None


def test_another_spec_of_the_same_name_does_not_continue(
    composed: Composed, make_run: MakeRun
) -> None:
    make_run(sealed=False)
    assert find_unfinished(Path("reports"), "tiny", "f" * 64) is None


def test_a_digest_that_only_begins_alike_does_not_continue(
    composed: Composed, make_run: MakeRun
) -> None:
    make_run(sealed=False)
    alike = composed.digest[:8] + "0" * 56
    assert find_unfinished(Path("reports"), "tiny", alike) is None


def test_resuming_removes_what_an_earlier_attempt_left(
    composed: Composed, outcome: Outcome, make_run: MakeRun
) -> None:
    run = make_run(sealed=False)
    stale = run / "audits" / "gone" / "result.json"
    stale.parent.mkdir()
    stale.write_text("{}")
    half = run / "spec" / ".0123.partial"
    half.write_text("half")
    assert make_run(sealed=True, fresh=False) == run
    assert not stale.exists()
    assert not half.exists()


def test_two_writers_never_meet(composed: Composed, make_run: MakeRun) -> None:
    run = make_run(sealed=False)
    holder = f"process {os.getpid()} is writing"
    with reopen_run(run), pytest.raises(ExecutionError, match=holder):
        open_run(composed, out=Path("reports")).__enter__()


def test_the_lock_of_a_killed_process_is_free(composed: Composed, make_run: MakeRun) -> None:
    run = make_run(sealed=False)
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from auditor.store.lock import held_lock\n"
        f"with held_lock(Path({str(run / 'states' / 'lock')!r})):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with reopen_run(run):
        pass


def test_runs_are_found_by_directory_name_and_latest(make_run: MakeRun) -> None:
    first, second = make_run(), make_run()
    root = Path("reports")
    assert find_run(str(first), root) == first
    assert find_run("tiny", root) == second
    assert find_run("latest", root) == second
    assert all_runs(root) == (first, second)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tinny", "did you mean `tiny`"),
        ("audit.yaml", "is a file"),
        ("reports", "not a run directory"),
        ("../reports", "no run"),
    ],
)
def test_a_run_that_is_not_there_is_said_so(make_run: MakeRun, name: str, message: str) -> None:
    make_run()
    with pytest.raises(ArtifactError) as caught:
        find_run(name, Path("reports"))
    assert message in str(caught.value)


def test_latest_without_runs_says_how_to_make_one(here: Path) -> None:
    with pytest.raises(ArtifactError, match="no run"):
        find_run("latest", here / "nowhere")


def test_a_run_that_has_not_ended_is_not_read(composed: Composed, make_run: MakeRun) -> None:
    run = make_run(sealed=False)
    content = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**content, "status": "started"}))
    with pytest.raises(ArtifactError, match="has not ended"):
        read_run(run)


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "findings.json",
        "plan.json",
        "spec/resolved.yaml",
        "spec/rules.json",
        "audits/relationships/result.json",
    ],
)
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": NaN}', b"\xff\xfe", None])
def test_a_damaged_file_is_named(make_run: MakeRun, name: str, content: bytes | None) -> None:
    run = make_run()
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        read_run(run)
    assert Path(name).name in str(caught.value)


@pytest.mark.parametrize("name", ["run.json", "findings.json", "audits/relationships/result.json"])
def test_a_newer_layout_is_refused(make_run: MakeRun, name: str) -> None:
    run = make_run()
    content = json.loads((run / name).read_text())
    (run / name).write_text(json.dumps({**content, "schema_version": 2, "novel": 1}))
    with pytest.raises(ArtifactError, match="newer auditor"):
        read_run(run)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "a\0b"])
def test_no_name_leads_out_of_the_run(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="plain name"):
        plain_name(name)
    if name not in {".", ""}:
        with pytest.raises(ArtifactError):
            AuditPaths(tmp_path).image(name)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="absent values are None"):
        table_bytes({"cosine": [0.5, value]})
    with pytest.raises(ValueError, match="NaN"):
        array_bytes({"mean": np.array([0.5, value])})


def test_empty_tables_are_fine() -> None:
    assert table_bytes({"sample": [], "cosine": np.empty(0)})
