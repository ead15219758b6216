"""A build is red exactly where the run's exit code is not 0, and comments stay short enough."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml

from auditor.judge.policy import judge
from auditor.report.exports.export import export
from auditor.report.render import render
from auditor.report.reviewing import reviews_of
from auditor.results.comparison import State
from auditor.spec.formats import EXPORTS
from auditor.store.reader import read_run
from tests.unit.report.conftest import TITLES, write_run
from tests.unit.report_exports.conftest import finding, make_comparison, make_findings

CHECKS = st.lists(
    st.tuples(
        st.sampled_from(["pass", "warn", "fail", "inconclusive"]),
        st.sampled_from(["error", "warning", "note"]),
    ),
    max_size=8,
)
STATES: st.SearchStrategy[list[State] | None] = st.none() | st.lists(
    st.sampled_from(["new", "worse", "better", "unchanged", "not_comparable"]),
    min_size=8,
    max_size=8,
)


@given(CHECKS, st.sampled_from([None, "error", "warning", "note"]), STATES)
def test_a_build_is_red_exactly_where_the_exit_code_is_not_0(plain_run, checks, fail_on, states):
    findings = tuple(
        finding("NOT_LEARNT", verdict, f"a{number}", severity=severity)
        for number, (verdict, severity) in enumerate(checks)
    )
    comparison = None
    if states is not None:
        whole = make_comparison(make_findings())
        compared = tuple(
            made.model_copy(
                update={
                    "state": state,
                    "after": made.after.model_copy(
                        update={"id": one.id, "verdict": one.verdict, "severity": one.severity}
                    ),
                }
            )
            for one, made, state in zip(findings, whole.findings, states, strict=False)
        )
        comparison = whole.model_copy(update={"findings": compared})
    policy = plain_run.spec.policy.model_copy(update={"fail_on": fail_on})
    spec = plain_run.spec.model_copy(update={"policy": policy})
    run = replace(plain_run, findings=findings, comparison=comparison, spec=spec)
    judgement = judge(
        spec,
        run.record.audits,
        findings,
        num_rules=0,
        num_decided=0,
        reviews=reviews_of(run),
        known=comparison.known if comparison else frozenset(),
    )
    update = {"policy": judgement.outcomes, "exit_code": judgement.exit_code}
    judged = replace(run, record=run.record.model_copy(update=update))
    suites = list(JUnitXml.fromstring(export(judged, "junit")))
    red = [suite.failures + suite.errors > 0 for suite in suites]
    assert any(red) == (judgement.exit_code != 0)
    gate = next(outcome for outcome in judgement.outcomes if outcome.name == "fail_on")
    assert red[1] == (gate.verdict == "fail")


def test_an_audit_that_broke_is_an_error(plain_run):
    (audit,) = plain_run.record.audits
    broke = audit.model_copy(update={"status": "failed", "verdict": None, "reason": "no memory"})
    record = plain_run.record.model_copy(update={"audits": (broke,)})
    run = replace(plain_run, findings=(), results={}, record=record)
    _, suite = JUnitXml.fromstring(export(run, "junit"))
    (case,) = suite
    assert (suite.errors, case.result[0].message) == (1, "the audit broke: no memory")


def test_a_summary_of_a_thousand_long_findings_fits_a_comment(plain_run):
    claim = "The model confuses a_b and c*d & e, " * 40
    findings = tuple(
        finding("BROKEN_RULE", "fail" if n % 2 else "warn", f"a{n}", claim=claim)
        for n in range(1000)
    )
    body = export(replace(plain_run, findings=findings), "md").decode()
    assert len(body) < 65_536
    assert "485 more stand in the report." in body
    assert "460 more stand in the report." in body


@pytest.mark.parametrize("images", [None, "withheld"])
def test_exports_lie_beside_the_report_for_their_readers(plain_run, images):
    files = render(plain_run, formats=EXPORTS, images=images)
    names = {file.name for file in files}
    variant = "-withheld" if images else ""
    assert {f"findings{variant}.sarif", f"bom{variant}.cdx.json", f"junit{variant}.xml"} <= names
    told = {file.name for file in files if b"img_0193" in file.read_bytes()}
    assert bool(told) == (images is None)


def test_exports_for_others_name_no_picture(tmp_path):
    picture = "audits/relationships/images/0001.jpg"
    shown = finding("BROKEN_RULE", "fail", "hat", "beard", evidence=(picture,))
    few = {name: TITLES[name] for name in ("hat", "beard", "glasses")}
    run = read_run(write_run(tmp_path, titles=few, findings=[shown], num_examples=2))
    for mode, told in (("full", True), ("withheld", False)):
        files = render(run, formats=("json", "csv", "sarif"), images=mode)
        assert [b"0001.jpg" in file.read_bytes() for file in files] == [told] * 3
