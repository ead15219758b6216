"""What becomes of a finding between two runs, in closed form and as properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.catalog import CODES, AuditSpec
from auditor.context import Rule
from auditor.judge.compare import compare_runs
from auditor.judge.question import Side
from auditor.results.base import canonical_json
from auditor.results.comparison import ComparedFinding, Comparison
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, make_finding
from auditor.results.run_record import (
    AuditRecord,
    Host,
    InputRecord,
    Interval,
    Provenance,
    RunRecord,
    TrainingRecord,
)

SPEC: dict[str, Any] = {
    "version": 1,
    "name": "small",
    "dataset": {"source": "portraits"},
    "model": {"source": "builtin", "name": "portraits_net", "num_outputs": 3},
    "extractor": {
        "source": "builtin",
        "name": "portraits_net",
        "num_outputs": 3,
        "layer": "classifier.2",
    },
    "attributes": {
        name: {"output": k, "column": name} for k, name in enumerate(("hat", "smiling", "beard"))
    },
    "rules": {"all": {"among": ["hat", "smiling", "beard"], "expect": "unrelated"}},
    "audits": {
        "ties": {"kind": "relationships", "layer": "features.0"},
        "slices": {"kind": "failures"},
        "filters": {"kind": "filters", "layer": "features.0", "unwanted": ["hat"]},
        "skins": {"kind": "groups", "by": ["skin"], "layer": "features.0"},
        "answers": {"kind": "groups", "by": ["skin"], "compare": "predictions"},
    },
}
DATA = (
    InputRecord(role="dataset train", name="portraits", digest="a" * 64),
    InputRecord(role="dataset test", name="portraits", digest="b" * 64),
)
PAIR = ("hat", "smiling")


def spec(**changes: Any) -> AuditSpec:
    return AuditSpec.model_validate_json(canonical_json(SPEC | changes))


def with_audit(audit: str, **changes: Any) -> AuditSpec:
    audits = SPEC["audits"]
    return spec(audits=audits | {audit: audits[audit] | changes})


def trained(digest: str, network: str = "model") -> TrainingRecord:
    return TrainingRecord(
        network=network, name="portraits_net", digest=digest * 64, device="cpu", num_epochs=1
    )


def side(
    *findings: Finding,
    given: AuditSpec | None = None,
    inputs: Sequence[InputRecord] = DATA,
    training: Sequence[TrainingRecord] = (),
    failed: frozenset[str] = frozenset(),
    expect: str = "unrelated",
) -> Side:
    """A run with some findings."""
    given = given or spec()
    names = tuple(given.attributes)
    audits = tuple(
        AuditRecord(
            id=name, kind=audit.kind, title=name, status="failed" if name in failed else "ok"
        )
        for name, audit in given.audits.items()
    )
    record = RunRecord(
        run_id="run",
        name="small",
        title="Small",
        status="ok",
        times=Interval(started="2026-03-01T12:00:00Z"),
        host=Host(platform="Linux", python="3.11", device="CPU", num_threads=1, packages={}),
        provenance=Provenance(
            spec_digest="0" * 64,
            plan_digest="0" * 64,
            auditor_version="0.1.0",
            command="auditor run",
            inputs=tuple(inputs),
            training=tuple(training),
        ),
        audits=audits,
    )
    rules = tuple(
        Rule("all", a, b, expect, "error", "", None) for a in names for b in names if a < b
    )
    return Side(spec=given, rules=rules, record=record, findings=tuple(findings))


def estimate(low: float, high: float) -> Estimate:
    return Estimate(value=(low + high) / 2, low=low, high=high, level=0.95)


def finding(
    verdict: str,
    low: float = 0.0,
    high: float = 0.0,
    *,
    audit: str = "ties",
    code: str = "BROKEN_RULE",
    metric: str | None = "deviation",
    subjects: tuple[str, ...] = PAIR,
    severity: str = "error",
) -> Finding:
    return make_finding(
        audit=audit,
        code=code,
        verdict=verdict,
        severity=severity,
        claim=f"{code} {verdict}",
        subjects=subjects,
        estimates={} if metric is None else {metric: estimate(low, high)},
    )


def only(comparison: Comparison) -> ComparedFinding:
    (one,) = comparison.findings
    return one


OVERLAP = "but the intervals overlap"


@pytest.mark.parametrize(
    ("before", "after", "state", "note"),
    [
        (("fail", 0.3, 0.4), ("fail", 0.5, 0.6), "worse", ""),
        (("fail", 0.5, 0.6), ("fail", 0.3, 0.4), "better", ""),
        (("fail", 0.3, 0.5), ("fail", 0.4, 0.6), "unchanged", ""),
        (("pass", 0.0, 0.1), ("fail", 0.3, 0.4), "new", ""),
        (("fail", 0.3, 0.4), ("pass", 0.0, 0.1), "fixed", ""),
        (("pass", 0.1, 0.3), ("fail", 0.2, 0.4), "unchanged", OVERLAP),
        (("fail", 0.2, 0.4), ("pass", 0.1, 0.3), "unchanged", OVERLAP),
        (("warn", 0.3, 0.4), ("fail", 0.3, 0.4), "unchanged", OVERLAP),
        (("pass", 0.0, 0.1), ("pass", 0.15, 0.2), "unchanged", "surely worse"),
        (("pass", 0.0, 0.1), ("pass", 0.05, 0.2), "unchanged", ""),
        (("inconclusive", 0.1, 0.3), ("fail", 0.2, 0.4), "new", "could not be decided before"),
        (("fail", 0.2, 0.4), ("inconclusive", 0.1, 0.3), "unchanged", OVERLAP),
        (("fail", 0.2, 0.4), ("inconclusive", 0.0, 0.1), "not_comparable", "second run"),
        (("pass", 0.0, 0.1), ("inconclusive", 0.2, 0.3), "not_comparable", "second run"),
        (("inconclusive", 0.2, 0.3), ("pass", 0.0, 0.1), "not_comparable", "first run"),
        (("inconclusive", 0.0, 0.1), ("inconclusive", 0.2, 0.3), "unchanged", ""),
    ],
)
def test_intervals_decide_what_became_of_a_check(before, after, state, note) -> None:
    found = only(compare_runs(side(finding(*before)), side(finding(*after))))
    assert found.state == state
    assert note in found.note
    assert bool(note) == bool(found.note)
    assert (found.reason == "undecided") == (state == "not_comparable")
    wrong = {"fail", "warn"} & {before[0], after[0]}
    changed = state not in ("unchanged", "not_comparable")
    assert found.listed == (changed or bool(wrong and note and state == "unchanged"))


def test_touching_intervals_overlap() -> None:
    runs = side(finding("fail", 0.2, 0.3)), side(finding("fail", 0.3, 0.4))
    assert only(compare_runs(*runs)).state == "unchanged"


@pytest.mark.parametrize(
    ("code", "audit", "metric", "subjects", "better", "worse"),
    [
        ("NOT_LEARNT", "ties", "balanced_accuracy", ("hat",), (0.6, 0.64), (0.5, 0.55)),
        ("GROUP_DIFFERENCE", "answers", "difference", ("skin=a",), (-0.2, -0.1), (-0.5, -0.4)),
        ("GROUP_DIFFERENCE", "answers", "difference", ("skin=a",), (-0.2, 0.3), (0.4, 0.5)),
        ("BLIND_SPOT", "ties", "cosine", PAIR, (-0.19, -0.1), (-0.05, 0.02)),
        ("DEAD_FILTERS", "filters", "dead_share", ("features.0",), (0.1, 0.2), (0.3, 0.4)),
        ("FAILING_SLICE", "slices", "excess", ("label=cat",), (0.1, 0.2), (0.3, 0.4)),
    ],
)
def test_each_metric_has_its_own_bad_end(code, audit, metric, subjects, better, worse) -> None:
    def run(interval: tuple[float, float]) -> Side:
        one = {"code": code, "audit": audit, "metric": metric, "subjects": subjects}
        return side(finding("fail", *interval, **one))

    assert only(compare_runs(run(better), run(worse))).state == "worse"
    assert only(compare_runs(run(worse), run(better))).state == "better"


def test_the_worse_of_two_drops_decides() -> None:
    def run(first: float, second: float) -> Side:
        drops = {
            "drop": estimate(first - 0.01, first + 0.01),
            "drop_of_other_combination": estimate(second - 0.01, second + 0.01),
        }
        mode = finding("fail", code="FAILURE_MODE", metric=None)
        return side(mode.model_copy(update={"estimates": drops}))

    found = only(compare_runs(run(0.1, 0.3), run(0.3, 0.1)))
    assert (found.state, found.metric) == ("unchanged", "drop")
    assert only(compare_runs(run(0.1, 0.2), run(0.3, 0.1))).state == "worse"


def test_a_slice_is_held_against_the_group_without_one() -> None:
    one = {"audit": "slices", "metric": "excess", "subjects": ("label=cat",)}
    quiet = side(finding("pass", -0.02, 0.08, code="NO_SLICE", **one))
    loud = side(finding("fail", 0.2, 0.3, code="FAILING_SLICE", **one))
    near = side(finding("fail", 0.05, 0.15, code="FAILING_SLICE", **one))
    assert only(compare_runs(quiet, loud)).state == "new"
    assert only(compare_runs(loud, quiet)).state == "fixed"
    assert only(compare_runs(loud, quiet)).code == "FAILING_SLICE"
    assert only(compare_runs(quiet, near)).state == "unchanged"


def test_without_intervals_the_verdict_alone_counts() -> None:
    def run(verdict: str) -> Side:
        return side(finding(verdict, metric=None))

    states = {
        (a, b): only(compare_runs(run(a), run(b))).state for a in ("pass", "fail") for b in STATES
    }
    assert states["pass", "fail"] == "new"
    assert states["fail", "pass"] == "fixed"
    assert states["fail", "fail"] == states["pass", "pass"] == "unchanged"
    assert only(compare_runs(run("warn"), run("fail"))).state == "worse"


STATES = ("pass", "fail")


def test_what_follows_from_a_rule_goes_and_comes_with_it() -> None:
    mode = finding("fail", 0.1, 0.2, code="FAILURE_MODE", metric="drop")
    broken, held = finding("fail", 0.5, 0.6), finding("pass", 0.0, 0.1)
    almost, undecided = finding("pass", 0.4, 0.55), finding("inconclusive", metric=None)

    def state(before: Side, after: Side) -> str:
        found = compare_runs(before, after).findings
        return next(one.state for one in found if one.code == "FAILURE_MODE")

    with_mode = side(broken, mode)
    assert state(with_mode, side(held)) == "fixed"
    assert state(side(held), with_mode) == "new"
    assert state(with_mode, side(almost)) == "unchanged"
    assert state(side(almost), with_mode) == "unchanged"
    assert state(with_mode, side(undecided)) == "not_comparable"
    assert state(side(undecided), with_mode) == "new"
    assert state(with_mode, side(broken)) == "fixed"


def refused(before: Side, after: Side) -> tuple[str, str]:
    """State and reason of the only finding, the same both ways."""
    there, back = only(compare_runs(before, after)), only(compare_runs(after, before))
    assert (there.state, there.reason) == (back.state, back.reason)
    return there.state, there.reason or ""


def test_other_data_is_not_compared_and_another_training_split_is_no_matter() -> None:
    train, test = DATA
    one = finding("fail", 0.2, 0.3, audit="slices", code="FAILING_SLICE", metric="excess")
    other_test = (train, test.model_copy(update={"digest": "c" * 64}))
    other_train = (train.model_copy(update={"digest": "c" * 64}), test)
    assert refused(side(one), side(one, inputs=other_test)) == ("not_comparable", "other data")
    assert refused(side(one), side(one, inputs=other_train)) == ("unchanged", "")


def test_recorded_predictions_of_another_model_are_no_other_data() -> None:
    one = finding("fail", 0.2, 0.3, audit="slices", code="FAILING_SLICE", metric="excess")
    tables = [
        tuple(
            i.model_copy(update={"digest": name * 64, "without_predictions": "d" * 64})
            for i in DATA
        )
        for name in ("e", "f")
    ]
    model = {"model": {"source": "predictions"}}
    runs = [side(one, given=spec(**model), inputs=table) for table in tables]
    comparison = compare_runs(*runs)
    assert only(comparison).state == "unchanged"
    assert [each.what for each in comparison.differences] == ["model"]


@pytest.mark.parametrize(
    ("given", "expect", "word"),
    [
        (with_audit("ties", cut=0.3), "unrelated", "cut was 0.2 and is 0.3"),
        (with_audit("ties", layer="features.2"), "unrelated", "layer was features.0"),
        (with_audit("ties", attributes=["smiling", "beard"]), "unrelated", "labels.hat"),
        (None, "probably_positive", "rule.expect was unrelated and is probably_positive"),
    ],
)
def test_other_parameters_are_named(given: AuditSpec | None, expect: str, word: str) -> None:
    one = finding("fail", 0.5, 0.6)
    after = side(one, given=given, expect=expect)
    assert refused(side(one), after) == ("not_comparable", "other parameters")
    assert word in only(compare_runs(side(one), after)).note


def test_a_rule_or_an_audit_that_is_taken_away_fixes_nothing() -> None:
    one = finding("fail", 0.5, 0.6)
    without_rule = replace(side(), rules=())
    assert refused(side(one), without_rule) == ("not_comparable", "other parameters")
    without_audit = side(given=spec(audits={"slices": {"kind": "failures"}}))
    assert refused(side(one), without_audit) == ("not_comparable", "other parameters")
    broke = side(failed=frozenset({"ties"}))
    assert refused(side(one), broke) == ("not_comparable", "did not run")


def test_what_is_only_shown_or_sampled_is_no_other_parameter() -> None:
    one = finding("fail", 0.5, 0.6)
    for changes in (
        {"title": "Ties", "examples": 0, "top": [3]},
        {"sampling": {"method": "full"}, "bootstrap": 100},
        {"attributes": ["hat", "smiling"]},
    ):
        assert refused(side(one), side(one, given=with_audit("ties", **changes)))[0] == "unchanged"


@pytest.mark.parametrize(
    ("audit", "code", "metric", "subjects", "comparable"),
    [
        ("ties", "BROKEN_RULE", "deviation", PAIR, True),
        ("slices", "FAILING_SLICE", "excess", ("label=cat",), True),
        ("filters", "UNWANTED_CONCEPT", "held_out_iou", ("hat",), True),
        ("answers", "GROUP_DIFFERENCE", "difference", ("skin=a",), True),
        ("filters", "NAMED_FILTERS", "named_share", ("features.0",), False),
        ("filters", "DEAD_FILTERS", "dead_share", ("features.0",), False),
        ("skins", "GROUP_DIFFERENCE", "difference", ("skin=a",), False),
    ],
)
def test_another_model_is_another_one_only_for_its_units(
    audit, code, metric, subjects, comparable
) -> None:
    one = finding("fail", 0.2, 0.3, audit=audit, code=code, metric=metric, subjects=subjects)
    both = [side(one, training=(trained(name), trained("9", "extractor"))) for name in "12"]
    expected = ("unchanged", "") if comparable else ("not_comparable", "other model")
    assert refused(*both) == expected


def test_features_of_another_network_explain_other_failures() -> None:
    one = finding("fail", 0.2, 0.3, audit="slices", code="FAILING_SLICE", metric="excess")
    both = [side(one, training=(trained(name, "extractor"),)) for name in "12"]
    assert refused(*both) == ("not_comparable", "other model")
    own = spec(extractor={"source": "model", "layer": "classifier.2"})
    both = [side(one, given=own, training=(trained(name),)) for name in "12"]
    assert refused(*both) == ("unchanged", "")


def test_exit_codes_and_what_the_gate_may_pass_over() -> None:
    def both(before: Finding | None, after: Finding) -> Comparison:
        return compare_runs(side(*([before] if before else [])), side(after))

    fail = finding("fail", 0.5, 0.6)
    assert both(fail, fail).known == {fail.id}
    assert both(finding("fail", 0.7, 0.8), fail).known == {fail.id}
    for before in (finding("fail", 0.3, 0.4), finding("pass", 0.0, 0.1), None):
        comparison = both(before, fail)
        assert (comparison.known, comparison.exit_code) == (frozenset(), 1)
    assert both(fail, fail).exit_code == 0
    elsewhere = compare_runs(side(fail), side(fail, given=with_audit("ties", cut=0.3)))
    assert (elsewhere.exit_code, elsewhere.known) == (4, frozenset())
    assert compare_runs(side(), side()).exit_code == 4


def test_codes_hang_together() -> None:
    known = {code.code: code for code in CODES}
    for code in CODES:
        assert code.follows is None or code.follows in known
        same = [other for other in CODES if other.check == code.check and other.metrics]
        assert len({other.worse for other in same}) == 1


def findings_strategy() -> st.SearchStrategy[Finding]:
    ends = st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(sorted)
    kinds = st.sampled_from(
        [
            ("ties", "BROKEN_RULE", "deviation"),
            ("ties", "NOT_LEARNT", "balanced_accuracy"),
            ("slices", "FAILING_SLICE", "excess"),
            ("slices", "NO_SLICE", None),
            ("answers", "GROUP_DIFFERENCE", "difference"),
        ]
    )
    verdicts = st.sampled_from(["pass", "warn", "fail", "inconclusive"])
    severities = st.sampled_from(["note", "warning", "error"])
    subjects = st.sampled_from([("hat",), ("smiling",), PAIR])
    return st.builds(
        lambda end, kind, verdict, severity, about: finding(
            verdict,
            *end,
            audit=kind[0],
            code=kind[1],
            metric=kind[2],
            subjects=about,
            severity=severity,
        ),
        ends, kinds, verdicts, severities, subjects,
    )  # fmt: skip


RUNS = st.lists(
    findings_strategy(),
    max_size=6,
    unique_by=lambda f: (f.audit, f.subjects, f.code.replace("NO_SLICE", "FAILING_SLICE")),
)


@settings(max_examples=40, deadline=None)
@given(RUNS)
def test_a_run_is_unchanged_against_itself(found: list[Finding]) -> None:
    comparison = compare_runs(side(*found), side(*found))
    assert {one.state for one in comparison.findings} <= {"unchanged"}
    assert not any(one.listed for one in comparison.findings)
    assert comparison.known == {f.id for f in found if f.verdict in ("fail", "warn")}
    assert comparison.differences == ()


MIRRORED = {"new": "fixed", "fixed": "new", "worse": "better", "better": "worse"}


@settings(max_examples=60, deadline=None)
@given(RUNS, RUNS)
def test_states_are_mirrored_when_the_sides_swap(
    before: list[Finding], after: list[Finding]
) -> None:
    there = compare_runs(side(*before), side(*after)).findings
    back = {
        (f.audit, f.check, f.subjects): f
        for f in compare_runs(side(*after), side(*before)).findings
    }
    for one in there:
        other = back[one.audit, one.check, one.subjects]
        assert (one.before, one.after) == (other.after, other.before)
        verdicts = {each.verdict for each in (one.before, one.after) if each is not None}
        if "inconclusive" in verdicts:
            # What can no longer be decided is not fixed, though it is new when it fails again.
            assert "fixed" not in (one.state, other.state)
        else:
            assert other.state == MIRRORED.get(one.state, one.state)
