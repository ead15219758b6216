"""The Python API, used as in a notebook: from a spec to pyarrow tables, twice to the same bytes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import auditor
from auditor.store.verify import verify_run

SPEC = """\
version: 1
name: cells
dataset: {source: portraits, splits: {train: {count: 48}, test: {count: 24, start: 1000}}}
model: {source: builtin, name: portraits_net, num_outputs: 2}
attributes:
  smiling: {output: 0, column: smiling}
  hat: {output: 1, column: hat}
rules:
  both: {between: [smiling, hat], expect: unrelated}
audits:
  ties: {kind: relationships, layer: features.2, examples: 2}
engine: {num_threads: 1}
report: {formats: [html]}
"""

CELLS = """\
import auditor

composed = auditor.load_spec("audit.yaml", ["engine.device=cpu"])
plan = auditor.make_plan(composed)
run = auditor.read_run(auditor.execute(composed, plan))
written = auditor.render(run)
findings = run.findings_table()
pairs = run.tables("ties")["pairs"]
again = auditor.read_run(auditor.execute(composed, plan, auditor.RunOptions(out="other")))
change = auditor.diff_runs(run, again)
shown = [value._repr_html_() for value in (plan, run, run.findings, again.findings[0])]
"""


def content(run: Path) -> dict[str, bytes]:
    """Everything that was found, by file."""
    files = [run / "findings.json", *sorted((run / "audits").rglob("*"))]
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in files
        if path.is_file() and path.parent.name != "figures"
    }


def test_a_notebook_from_spec_to_tables(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUDITOR_CACHE", raising=False)
    Path("audit.yaml").write_text(SPEC)
    cells: dict[str, object] = {}
    exec(CELLS, cells)
    run, again, findings, pairs = (cells[name] for name in ("run", "again", "findings", "pairs"))
    assert isinstance(findings, pa.Table)
    assert isinstance(pairs, pa.Table)
    assert findings.num_rows == len(run.findings) > 0
    assert pairs.num_rows == 1
    assert cells["written"] == [run.paths.html]
    assert run.paths.root.parent == Path("reports/cells")
    assert verify_run(run.paths.root).intact
    assert cells["change"].exit_code in (0, 4), "nothing is new or worse"
    assert all(page.startswith("<div") and len(page) < 50_000 for page in cells["shown"])
    assert len(content(run.paths.root)) >= 5
    assert content(run.paths.root) == content(again.paths.root)
    # A run that was sealed may be rendered again, from its path too; an altered one may not.
    assert auditor.render(str(run.paths.root), formats=["html"], images="withheld")
    run.paths.findings.write_bytes(run.paths.findings.read_bytes() + b" ")
    with pytest.raises(auditor.ArtifactError, match=r"altered since it was sealed"):
        auditor.render(run)


def test_a_plan_of_another_spec_is_refused(here: Path) -> None:
    Path("audit.yaml").write_text(SPEC)
    plan = auditor.make_plan(auditor.load_spec("audit.yaml"))
    changed = auditor.load_spec("audit.yaml", ["audits.ties.layer=features.4"])
    with pytest.raises(ValueError, match="made from another spec"):
        auditor.execute(changed, plan)
    assert not Path("reports").exists()
