"""What every audit of the catalog must do. A new audit adds one example spec and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, get_args

import pytest

from auditor.catalog import CODES, AnyAudit
from auditor.compose.composed import Composed
from auditor.compose.load import load_spec
from auditor.engine.execute import RunOptions, execute
from auditor.engine.progress import Silent
from auditor.plan.make import make_plan
from auditor.plan.steps import Scan, Solve
from auditor.report.render import render
from auditor.resources import templates_dir
from auditor.store.reader import Run, read_run

BASE = """\
version: 1
name: conformance
dataset: {source: portraits, splits: {train: {count: 96}, test: {count: 96, start: 100000}}}
model: {source: builtin, name: portraits_net, num_outputs: 5}
extractor: {source: builtin, name: portraits_net, num_outputs: 5, layer: classifier.1}
attributes:
  smiling: {output: 0, column: smiling}
  lipstick: {output: 1, column: lipstick}
  hat: {output: 2, column: hat}
  beard: {output: 3, column: beard}
  flower: {output: 4, column: flower}
rules:
  every: {among: [smiling, lipstick, hat, beard, flower], expect: unrelated, why: Independent.}
vocabulary: {source: everyday}
engine: {device: cpu, shard_size: 32, batch_size: 16, num_threads: 1}
audits:
"""

EXAMPLES = {
    "failures": "{kind: failures, min_group: 8, min_failures: 2, permutations: 9, resamples: 5, "
    "valid: {coverage: 0, excess: 0}, alpha: 0.49, pictures: {images: 2, failures: 2}}",
    "filters": "{kind: filters, layer: features.4, dissection: {min_images: 4}, explainer: "
    "{epochs: 3, folds: 2}, naming: {images: 3, draws: 99, evaluated: 8}, "
    "expected: [hat], unwanted: [glasses], cards: {filters: 2, images: 2}}",
    "groups": "{kind: groups, by: [skin], layer: features.4, min_images: 8, min_difference: 0, "
    "alpha: 0.49, pictures: {differences: 2, images: 2}}",
    "relationships": "{kind: relationships, layer: features.4, examples: 4, min_images: 16}",
}
"""Kind of audit -> a small spec of it that runs in seconds."""

KINDS = sorted(EXAMPLES)


def catalogued_kinds() -> set[str]:
    """Every kind that the catalog's union holds."""
    members = get_args(get_args(AnyAudit)[0])
    return {get_args(member.model_fields["kind"].annotation)[0] for member in members}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("conformance")


@cache
def composed(folder: Path, kind: str, *overrides: str, copies: int = 1) -> Composed:
    """The example of a kind, once or several times under different ids."""
    path = folder / f"{kind}-{copies}.yaml"
    path.write_text(BASE + "".join(f"  audit{k}: {EXAMPLES[kind]}\n" for k in range(copies)))
    return load_spec(path, overrides)


@cache
def finished(folder: Path, kind: str, *overrides: str, again: int = 0) -> Run:
    """A run of the example."""
    spec = composed(folder, kind, *overrides)
    options = RunOptions(
        out=folder / f"out{again}",
        cache_dir=folder / "cache",
        fresh=True,
        only=(),
        allow_code=False,
        command="auditor run",
        progress=Silent(),
    )
    return read_run(execute(spec, make_plan(spec), options))


def numbers(value: Any) -> Iterator[float]:
    """Every number inside a JSON value, in order."""
    if isinstance(value, dict):
        for item in value.values():
            yield from numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def result_text(run: Run, audit: str = "audit0") -> str:
    return (run.paths.root / "audits" / audit / "result.json").read_text()


def refuse_constant(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")


def test_every_kind_has_an_example() -> None:
    assert set(KINDS) == catalogued_kinds()


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_has_the_five_files_and_a_template(kind: str) -> None:
    package = Path(__file__).parents[2] / "auditor" / "audits" / kind
    for name in ("spec", "needs", "result", "compute", "figures"):
        assert (package / f"{name}.py").is_file()
    assert (templates_dir() / "sections" / f"{kind}.html.jinja").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_every_fold_is_scanned_and_the_audit_ends_in_one_result(folder: Path, kind: str) -> None:
    plan = make_plan(composed(folder, kind))
    folds = [fold.name for step in plan.steps if isinstance(step, Scan) for fold in step.folds]
    solves = [step.name for step in plan.steps if isinstance(step, Solve)]
    assert len(folds) == len(set(folds))
    assert solves.count("result") == 1
    assert solves[-1] == "result"


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_audit_of_the_same_kind_reads_no_image_again(folder: Path, kind: str) -> None:
    def scans(copies: int) -> int:
        plan = make_plan(composed(folder, kind, copies=copies))
        return sum(isinstance(step, Scan) for step in plan.steps)

    assert scans(2) == scans(1)


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_strict_json_and_read_back(folder: Path, kind: str) -> None:
    run = finished(folder, kind)
    assert run.record.status == "ok"
    text = result_text(run)
    parsed = json.loads(text, parse_constant=refuse_constant)
    assert all(math.isfinite(number) for number in numbers(parsed))
    assert type(run.results["audit0"]).model_validate_json(text) == run.results["audit0"]


@pytest.mark.parametrize("kind", KINDS)
def test_findings_speak_for_themselves(folder: Path, kind: str) -> None:
    run = finished(folder, kind)
    described = {code.code for code in CODES}
    assert run.findings, "an audit says what it checked, also where all is well"
    assert len({finding.id for finding in run.findings}) == len(run.findings)
    for finding in run.findings:
        assert finding.id == f"audit0/{finding.code}:{'~'.join(finding.subjects)}"
        assert finding.code in described
        assert finding.claim.endswith(".")
        assert finding.verdict != "fail" or finding.actions
        for path in finding.evidence:
            assert (run.paths.root / path).is_file()
        for estimate in finding.estimates.values():
            assert estimate.value is not None or estimate.reason


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_spec_gives_the_same_bytes(folder: Path, kind: str) -> None:
    first, second = finished(folder, kind), finished(folder, kind, again=1)
    assert result_text(first) == result_text(second)
    read = [(run.paths.root / "findings.json").read_bytes() for run in (first, second)]
    assert read[0] == read[1]


@pytest.mark.parametrize("kind", KINDS)
def test_shards_do_not_change_a_full_result(folder: Path, kind: str) -> None:
    # A single shard leaves a sequential fold no earlier place to stop than many, if none stops.
    whole = finished(folder, kind, "engine.shard_size=96")
    parts = finished(folder, kind, "engine.shard_size=48")
    first, second = (list(numbers(json.loads(result_text(run)))) for run in (whole, parts))
    assert first == pytest.approx(second, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_shows_each_finding_that_did_not_pass(folder: Path, kind: str) -> None:
    run = finished(folder, kind)
    (html,) = render(run, formats=("html",))
    page = html.read_text()
    assert run.spec.audits["audit0"].title in page
    for finding in run.findings:
        if finding.verdict in ("fail", "warn"):
            assert escape(finding.claim, quote=False) in page.replace("&#39;", "'")
