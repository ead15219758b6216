"""Run directories of earlier versions stay readable: the one kept here, and a made-up older one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import ArtifactError
from auditor.store.reader import read_run
from auditor.store.upgrade import SCHEMA_VERSION, UPGRADES, oldest
from auditor.store.verify import verify_run

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
KEPT = sorted(path.parent for path in ARTIFACTS.glob("*/*/run.json"))

Call = Callable[..., Any]


def test_a_directory_of_every_layout_is_kept() -> None:
    layouts = {path.parent.name for path in KEPT}
    assert layouts == {f"layout{k}" for k in range(oldest(UPGRADES), SCHEMA_VERSION + 1)}


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.parent.name)
def test_a_kept_directory_is_intact_small_and_says_nothing_of_a_machine(kept: Path) -> None:
    assert verify_run(kept).intact
    files = [path for path in kept.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 300_000
    record = read_run(kept).record
    assert (record.host.platform, record.provenance.revision) == ("Linux x86_64", None)


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.parent.name)
def test_everything_in_a_kept_directory_is_read(kept: Path) -> None:
    run = read_run(kept)
    assert {audit.kind for audit in run.record.audits} == {
        "relationships",
        "failures",
        "filters",
        "groups",
    }
    assert run.findings
    for audit in run.record.audits:
        assert audit.id in run.results
        assert all(table.column_names for table in run.tables(audit.id).values())
        assert all(run.arrays(audit.id, name) for name in run.array_names(audit.id))
        assert all(run.image(audit.id, name) for name in run.image_names(audit.id))


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.parent.name)
def test_a_kept_directory_is_shown_and_its_report_made_again(auditor: Call, kept: Path) -> None:
    copy = shutil.copytree(kept, Path(kept.name))
    shown = auditor("show", str(copy), "--json")
    assert (shown.code, len(shown.document()["findings"])) == (0, len(read_run(kept).findings))
    done = auditor("report", str(copy), "--json")
    assert done.code == 0, done.err
    assert read_run(kept).record.title in (copy / "report" / "report.html").read_text()
    assert auditor("verify", str(copy)).code == 0


# Layout 0 never was. There a finding's verdict was called `result` and its claim stood in a list,
# rules called both sides `pair`, the record kept its times side by side, and the report of a spec
# was called `output`.


def finding_from_0(finding: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in finding.items() if name not in ("result", "texts")}
    return {**rest, "verdict": finding["result"], "claim": finding["texts"][0]}


def findings_from_0(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "findings": [finding_from_0(finding) for finding in body["findings"]]}


def record_from_0(body: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in body.items() if name not in ("started", "ended")}
    return {**rest, "times": {"started": body["started"], "ended": body["ended"]}}


def rules_from_0(body: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **{k: v for k, v in rule.items() if k != "pair"},
            "a": rule["pair"][0],
            "b": rule["pair"][1],
        }
        for rule in body
    ]


def spec_from_0(body: dict[str, Any]) -> dict[str, Any]:
    return {**{k: v for k, v in body.items() if k != "output"}, "report": body["output"]}


FROM_0 = {
    0: {
        "findings.json": findings_from_0,
        "run.json": record_from_0,
        "rules.json": rules_from_0,
        "resolved.yaml": spec_from_0,
    }
}


def rewrite(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


@pytest.fixture
def of_layout_0(tmp_path: Path) -> Path:
    """The kept directory as layout 0 would have written it."""
    run = shutil.copytree(KEPT[-1], tmp_path / KEPT[-1].name)
    for path in run.rglob("*.json"):
        rewrite(
            path, lambda body: {**body, "schema_version": 0} if isinstance(body, dict) else body
        )
    rewrite(
        run / "findings.json",
        lambda body: {
            **body,
            "findings": [
                {
                    **{k: v for k, v in finding.items() if k not in ("verdict", "claim")},
                    "result": finding["verdict"],
                    "texts": [finding["claim"]],
                }
                for finding in body["findings"]
            ],
        },
    )
    rewrite(
        run / "run.json",
        lambda body: {**{k: v for k, v in body.items() if k != "times"}, **body["times"]},
    )
    rewrite(
        run / "spec" / "rules.json",
        lambda body: [
            {**{k: v for k, v in rule.items() if k not in "ab"}, "pair": [rule["a"], rule["b"]]}
            for rule in body
        ],
    )
    resolved = run / "spec" / "resolved.yaml"
    resolved.write_text(resolved.read_text().replace("\nreport:", "\noutput:"))
    return run


def test_an_older_layout_is_read_through_its_upgrades(of_layout_0: Path) -> None:
    before = {path: path.read_bytes() for path in of_layout_0.rglob("*") if path.is_file()}
    old, new = read_run(of_layout_0, upgrades=FROM_0), read_run(KEPT[-1])
    assert old.findings == new.findings
    assert old.record == new.record
    assert old.rules == new.rules
    assert old.spec == new.spec
    assert old.results == new.results
    assert {path: path.read_bytes() for path in before} == before, "reading writes nothing"


def test_an_older_layout_without_upgrades_is_refused_in_words(of_layout_0: Path) -> None:
    with pytest.raises(ArtifactError, match=r"layout version 0; this auditor reads from 1 on"):
        read_run(of_layout_0)


def test_a_damaged_document_of_an_older_layout_is_named(of_layout_0: Path) -> None:
    rewrite(of_layout_0 / "findings.json", lambda body: {**body, "findings": [{"id": "x"}]})
    with pytest.raises(ArtifactError, match=r"findings\.json is damaged: not what version 0 wrote"):
        read_run(of_layout_0, upgrades=FROM_0)


def test_a_newer_layout_is_refused_in_words(tmp_path: Path) -> None:
    run = shutil.copytree(KEPT[-1], tmp_path / "run")
    rewrite(run / "plan.json", lambda body: {**body, "schema_version": SCHEMA_VERSION + 1})
    with pytest.raises(ArtifactError, match=r"plan\.json has layout version 2.* reads up to 1"):
        read_run(run)
