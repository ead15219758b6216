"""`auditor review` writes a file to fill in, and follows what people fill in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.compose.composed import Composed
from auditor.results.finding import Finding, findings_digest
from auditor.results.outcome import Outcome
from auditor.store.find import read_record
from auditor.store.writer import open_run, reopen_run
from tests.unit.conftest import fill, finding

MakeRun = Callable[..., Path]
Auditor = Callable[..., Any]

FILE = Path("reviews/tiny.yaml")
BROKEN = "relationships/BROKEN_RULE:lipstick~smiling"


@pytest.fixture(autouse=True)
def in_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1780000000")  # May 2026


@pytest.fixture
def composed(here: Path, composed: Composed) -> Composed:
    """The tiny spec, with reports in HTML alone: a PDF adds nothing here and costs seconds."""
    from auditor.compose.load import load_spec

    return load_spec("audit.yaml", ["engine.device=cpu", "report.formats=[html]"])


def decide(**values: str) -> None:
    """Fill in the first entry, as a person would with an editor."""
    text = FILE.read_text()
    for name, value in values.items():
        text = text.replace(f"    {name}:\n", f"    {name}: {value}\n", 1)
    FILE.write_text(text)


def test_a_review_from_the_first_file_to_a_run_with_other_evidence(
    auditor: Auditor, make_run: MakeRun, composed: Composed, outcome: Outcome
) -> None:
    run = make_run()
    done = auditor("review", "tiny")
    assert done.code == 0, done.err
    assert "review: reviews/tiny.yaml (1 new, 1 to decide)" in done.out
    assert "sign-off: not signed yet" in done.out
    assert "verdict: failed" in done.out
    assert (run / "review.yaml").read_bytes() == FILE.read_bytes()
    assert auditor("verify", str(run)).code == 0

    decide(decision="accepted_risk", reviewer="J. Doe", date="2026-05-01", expires="2026-12-31")
    theirs = FILE.read_text() + "# a last word\n"
    FILE.write_text(theirs)
    document = auditor("review", "tiny", "--json").document()
    assert (document["verdict"], document["exit_code"]) == ("pass", 0)
    assert (document["added"], document["undecided"]) == ([], [])
    assert document["standing"] == {"closed": 1}
    assert FILE.read_text() == theirs, "nothing new: not a byte changes"

    changed = (finding("fail", ("lipstick", "smiling"), value=0.4), *outcome.findings[1:])
    with open_run(composed, out=Path("reports"), fresh=True) as writer:
        fill(writer, composed, Outcome(result=outcome.result, findings=changed))
    with reopen_run(writer.paths.root) as again:
        again.seal()
    done = auditor("review", str(writer.paths.root))
    change = "cosine was 0.6 [0.55, 0.65], is 0.4 [0.35, 0.45]"
    assert f"stale: {BROKEN}: {change}" in done.out
    assert "open again because the evidence changed since its review" in done.out
    assert read_record(writer.paths.root).exit_code == 1
    assert change in (writer.paths.root / "report" / "report.html").read_text()
    assert without_own_lines(FILE.read_text()) == without_own_lines(theirs)


def without_own_lines(text: str) -> list[str]:
    """The file without what `auditor review` keeps up to date: nobody has signed here."""
    own = ("#.", "findings_digest:")
    return [line for line in text.splitlines() if not line.strip().startswith(own)]


def test_a_run_is_signed_in_the_file(
    auditor: Auditor, make_run: MakeRun, findings: tuple[Finding, ...]
) -> None:
    make_run()
    auditor("review", "tiny")
    text = FILE.read_text()
    for name, value in {"name": "A. Person", "role": "Head of risk", "date": "2026-05-02"}.items():
        text = text.replace(f"  {name}:\n", f"  {name}: {value}\n", 1)
    assert findings_digest(findings) in text
    FILE.write_text(text)
    assert auditor("review", "tiny", "--json").document()["signoff"] == "signed"


def test_without_the_file_the_decisions_that_the_run_kept_come_back(
    auditor: Auditor, make_run: MakeRun
) -> None:
    make_run()
    auditor("review", "tiny")
    decide(decision="false_alarm", reviewer="J. Doe", date="2026-05-01")
    text = FILE.read_text()
    auditor("review", "tiny")
    FILE.unlink()
    assert auditor("review", "tiny").code == 0
    assert FILE.read_text() == text


def test_a_file_that_is_no_review_is_left_alone(auditor: Auditor, make_run: MakeRun) -> None:
    run = make_run()
    FILE.parent.mkdir()
    FILE.write_text("version: 1\nfindings: [oh, no]\n")
    before = (run / "manifest.json").read_bytes()
    done = auditor("review", "tiny")
    assert done.code == 2
    assert "reviews/tiny.yaml:2:11" in done.err
    assert FILE.read_text() == "version: 1\nfindings: [oh, no]\n"
    assert (run / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("path", ["../stranger.yaml", "{tmp}/stranger.yaml", "reviews"])
def test_a_stranger_s_run_makes_no_file_elsewhere(
    auditor: Auditor, make_run: MakeRun, tmp_path: Path, path: str
) -> None:
    run = make_run(sealed=False)
    FILE.parent.mkdir(exist_ok=True)
    named = path.format(tmp=tmp_path.parent)
    resolved = run / "spec" / "resolved.yaml"
    resolved.write_text(resolved.read_text().replace("reviews/tiny.yaml", named))
    done = auditor("review", str(run))
    assert done.code == 2
    assert "not made outside this folder" in done.err
    assert not (tmp_path.parent / "stranger.yaml").exists()
