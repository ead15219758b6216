"""The policy never passes in silence, and says in words what it held against what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import norm

from auditor.catalog import AuditSpec
from auditor.judge.evidence import evidence_words
from auditor.judge.policy import Judgement, audit_verdict, judge, worst_exit_code, worst_verdict
from auditor.judge.power import power_of
from auditor.judge.review import Decision, Reviews
from auditor.results.base import Status, Verdict
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, findings_digest, make_finding
from auditor.results.run_record import AuditRecord
from auditor.spec.policy import LimitSpec, PolicySpec, PowerSpec
from auditor.spec.rule import Severity

TODAY = date(2026, 3, 1)
NOBODY = Reviews(on=TODAY)
SEVERITIES: tuple[Severity, ...] = ("note", "warning", "error")


def finding(
    verdict: Verdict = "fail",
    *,
    audit: str = "relationships",
    severity: Severity = "error",
    subjects: tuple[str, ...] = ("hat", "smiling"),
    z: Estimate | None = None,
) -> Finding:
    return make_finding(
        audit=audit,
        code="BROKEN_RULE",
        verdict=verdict,
        severity=severity,
        claim="A claim.",
        subjects=subjects,
        estimates={"robust_z": z} if z else {},
    )


def record(audit: str = "relationships", status: Status = "ok") -> AuditRecord:
    return AuditRecord(id=audit, kind="relationships", title=audit, status=status)


def judged(
    policy: PolicySpec,
    findings: Sequence[Finding] = (),
    audits: Sequence[AuditRecord] = (record(),),
    *,
    num_rules: int = 10,
    num_decided: int = 10,
    reviews: Reviews = NOBODY,
    known: frozenset[str] = frozenset(),
) -> Judgement:
    return judge(
        AuditSpec.model_construct(policy=policy),
        audits,
        findings,
        num_rules=num_rules,
        num_decided=num_decided,
        reviews=reviews,
        known=known,
    )


def outcome(judgement: Judgement, name: str) -> tuple[Verdict, str]:
    (found,) = (one for one in judgement.outcomes if one.name == name)
    return found.verdict, found.value


def interval(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=low, high=high, level=0.95)


@pytest.mark.parametrize(("first", "second"), [*combinations((3, 2, 1, 4, 0), 2)])
def test_the_stronger_exit_code_wins(first: int, second: int) -> None:
    assert worst_exit_code([first, second]) == first
    assert worst_exit_code([second, first]) == first


@pytest.mark.parametrize(
    ("status", "verdict", "num_decided", "exit_code", "came_to"),
    [
        ("ok", "pass", 10, 0, "pass"),
        ("ok", "fail", 10, 1, "fail"),
        ("ok", "pass", 7, 4, "inconclusive"),
        ("ok", "fail", 7, 1, "fail"),  # a failure outweighs what stayed open
        ("failed", "pass", 10, 3, "inconclusive"),
        ("failed", "fail", 10, 3, "fail"),  # a broken run is told first
        ("failed", "pass", 7, 3, "inconclusive"),
        ("skipped", "pass", 10, 4, "inconclusive"),  # nothing ran at all
        ("started", "pass", 10, 4, "inconclusive"),
    ],
)
def test_exit_codes(
    status: Status, verdict: Verdict, num_decided: int, exit_code: int, came_to: Verdict
) -> None:
    found = judged(
        PolicySpec(), [finding(verdict)], [record(status=status)], num_decided=num_decided
    )
    assert (found.exit_code, found.verdict) == (exit_code, came_to)


def test_no_audits_are_inconclusive() -> None:
    found = judged(PolicySpec(), [], [], num_rules=0, num_decided=0)
    assert (found.exit_code, found.verdict) == (4, "inconclusive")
    assert outcome(found, "ran") == ("inconclusive", "the spec has no audits")


def test_an_audit_left_out_by_hand_warns() -> None:
    found = judged(PolicySpec(), [finding("pass")], [record(), record("failures", "skipped")])
    assert (found.exit_code, found.verdict) == (0, "warn")
    assert outcome(found, "ran") == ("warn", "1 of 2 audits ran; failures skipped")


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("fail_on", [*SEVERITIES, None])
def test_the_gate_weighs_severities(severity: Severity, fail_on: Severity | None) -> None:
    found = judged(PolicySpec(fail_on=fail_on), [finding(severity=severity)])
    forbidden = fail_on is not None and SEVERITIES.index(severity) >= SEVERITIES.index(fail_on)
    assert found.verdict == ("fail" if forbidden else "warn")
    assert found.exit_code == (1 if forbidden else 0)


def test_the_gate_speaks_plainly() -> None:
    pairs = [("a", "b"), ("c", "d"), ("e", "f"), ("g", "h")]
    found = judged(PolicySpec(), [finding(subjects=pair) for pair in pairs])
    assert outcome(found, "fail_on") == (
        "fail",
        "4 open findings of severity error: a and b, c and d, e and f and 1 more",
    )


def test_the_gate_tells_what_review_did() -> None:
    closed, stale, light = (
        finding(subjects=("a", "b")),
        finding(subjects=("c", "d")),
        finding("warn", subjects=("e", "f")),
    )
    decisions = {
        closed.id: decision(closed),
        stale.id: decision(stale).model_copy(update={"evidence_digest": "f" * 64}),
    }
    found = judged(
        PolicySpec(), [closed, stale, light], reviews=Reviews(on=TODAY, decisions=decisions)
    )
    assert outcome(found, "fail_on") == (
        "fail",
        "1 open finding of severity error: c and d; 1 warning; 1 closed by review; "
        "1 open again because the evidence changed since its review",
    )


def test_what_the_baseline_had_fails_no_run_and_is_still_told() -> None:
    old, new = finding(subjects=("a", "b")), finding(subjects=("c", "d"))
    known = frozenset({old.id})
    both = judged(PolicySpec(), [old, new], known=known)
    assert outcome(both, "fail_on") == (
        "fail",
        "1 open finding of severity error: c and d; 1 neither new nor worse than in the baseline",
    )
    alone = judged(PolicySpec(), [old], known=known)
    assert (alone.verdict, alone.exit_code) == ("warn", 0)
    assert judged(PolicySpec(), [old]).exit_code == 1


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_digest_of_findings_ignores_their_order_and_nothing_else(order: list[str]) -> None:
    made = [finding(subjects=(name, "hat")) for name in order]
    digest = findings_digest(made)
    assert digest == findings_digest([finding(subjects=(name, "hat")) for name in "abcd"])
    assert digest != findings_digest(made[1:])
    assert digest != findings_digest([finding("pass", subjects=made[0].subjects), *made[1:]])


LIMIT = {"worst": LimitSpec(audit="relationships", metric="robust_z", max=6.0)}


@pytest.mark.parametrize(
    ("estimate", "verdict"),
    [
        (interval(3, 2, 4), "pass"),
        (interval(3, 2, 6), "pass"),  # the largest allowed value is allowed
        (interval(5, 2, 6.1), "inconclusive"),
        (interval(7, 5, 9), "inconclusive"),
        (interval(8, 7, 9), "fail"),
        (Estimate(value=6.0), "pass"),
        (Estimate(value=6.1), "fail"),
        (Estimate.absent("too few images"), "inconclusive"),
    ],
)
def test_a_bound_inside_the_interval_is_undecided(estimate: Estimate, verdict: Verdict) -> None:
    found = judged(PolicySpec(limits=LIMIT), [finding("pass", z=estimate)])
    assert outcome(found, "limit:worst")[0] == verdict
    assert found.verdict == verdict


def test_lower_bounds_work_the_same() -> None:
    limits = {"low": LimitSpec(audit="relationships", metric="robust_z", min=-6.0, max=6.0)}
    for low, high, verdict in [(-9, -7, "fail"), (-7, -5, "inconclusive"), (-6, 6, "pass")]:
        estimate = interval((low + high) / 2, low, high)
        found = judged(PolicySpec(limits=limits), [finding("pass", z=estimate)])
        assert found.verdict == verdict


def test_one_broken_limit_outweighs_undecided_ones() -> None:
    findings = [
        finding("pass", subjects=("a", "b"), z=interval(6, 5, 7)),
        finding("pass", subjects=("c", "d"), z=interval(9, 8, 10)),
        finding("pass", subjects=("e", "f"), z=interval(1, 0, 2)),
    ]
    found = judged(PolicySpec(limits=LIMIT), findings)
    assert outcome(found, "limit:worst") == (
        "fail",
        "robust_z: 1 of 3 outside the limit, such as 9 [8, 10] for c and d",
    )


def test_a_limit_can_single_out_subjects() -> None:
    findings = [
        finding("pass", subjects=("a", "b"), z=interval(9, 8, 10)),
        finding("pass", subjects=("c", "d"), z=interval(1, 0, 2)),
    ]
    about = LimitSpec(audit="relationships", metric="robust_z", max=6.0, subjects=("c",))
    found = judged(PolicySpec(limits={"worst": about}), findings)
    assert outcome(found, "limit:worst") == (
        "pass",
        "robust_z: all 1 inside; nearest to the limit is 1 [0, 2] for c and d",
    )


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"audit": "relationships", "metric": "robst_z"}, "did you mean `robust_z`"),
        ({"audit": "relation", "metric": "robust_z"}, "did you mean `relationships`"),
        (
            {"audit": "relationships", "metric": "robust_z", "subjects": ("hat", "tie")},
            "no finding is about hat and tie",
        ),
    ],
)
def test_a_limit_on_nothing_never_passes(limit: dict[str, object], words: str) -> None:
    limits = {"worst": LimitSpec.model_validate({**limit, "max": 6.0})}
    found = judged(PolicySpec(limits=limits), [finding("pass", z=Estimate(value=1.0))])
    verdict, value = outcome(found, "limit:worst")
    assert verdict == "inconclusive"
    assert words in value


@pytest.mark.parametrize(
    ("audits", "findings", "verdict"),
    [
        ([record()], [finding("pass")], "pass"),
        ([record()], [finding("inconclusive")], "inconclusive"),
        ([record()], [], "inconclusive"),
        ([record(), record("failures")], [finding("pass", audit="failures")], "inconclusive"),
        ([record(status="skipped")], [finding("pass")], "inconclusive"),
        ([record("failures")], [finding("pass", audit="failures")], "inconclusive"),
    ],
)
def test_a_required_audit_must_decide(
    audits: list[AuditRecord], findings: list[Finding], verdict: Verdict
) -> None:
    found = judged(PolicySpec(required=("relationships",)), findings, audits)
    assert outcome(found, "required:relationships")[0] == verdict


@pytest.mark.parametrize(
    ("num_rules", "num_decided", "verdict"),
    [(10, 8, "pass"), (10, 7, "inconclusive"), (5, 4, "pass"), (0, 0, "inconclusive")],
)
def test_too_few_decided_rules_are_inconclusive(
    num_rules: int, num_decided: int, verdict: Verdict
) -> None:
    found = judged(PolicySpec(), num_rules=num_rules, num_decided=num_decided)
    assert outcome(found, "min_decided")[0] == verdict


def test_without_rules_some_other_check_must_have_been_decided() -> None:
    found = judged(PolicySpec(), [finding("pass")], num_rules=0, num_decided=0)
    assert outcome(found, "min_decided") == ("pass", "there are no rules; 1 other check decided")


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ([], "inconclusive"),
        (["pass", "inconclusive"], "pass"),
        (["inconclusive"], "inconclusive"),
        (["pass", "warn", "fail"], "fail"),
    ],
)
def test_an_audit_is_as_bad_as_its_worst_decided_check(
    verdicts: list[Verdict], worst: Verdict
) -> None:
    assert audit_verdict([finding(verdict) for verdict in verdicts]) == worst


def test_worst_verdict_orders_all_four() -> None:
    assert worst_verdict(["pass", "warn", "inconclusive", "fail"]) == "fail"
    assert worst_verdict(["pass", "warn", "inconclusive"]) == "inconclusive"
    assert worst_verdict(["pass", "warn"]) == "warn"


AUDITS = ("relationships", "failures")
VERDICTS: tuple[Verdict, ...] = ("pass", "warn", "fail", "inconclusive")
ESTIMATES = st.one_of(
    st.just(Estimate.absent("unknown")),
    st.floats(-10, 10).map(lambda value: Estimate(value=value)),
    st.tuples(*[st.floats(-10, 10)] * 3).map(lambda v: interval(sorted(v)[1], min(v), max(v))),
)
FINDINGS = st.builds(
    finding,
    st.sampled_from(VERDICTS),
    audit=st.sampled_from(AUDITS),
    severity=st.sampled_from(SEVERITIES),
    subjects=st.sampled_from([("a", "b"), ("c", "d")]),
    z=ESTIMATES,
)
POLICIES = st.builds(
    PolicySpec,
    fail_on=st.sampled_from([*SEVERITIES, None]),
    limits=st.sampled_from([{}, LIMIT]),
    required=st.sampled_from([(), ("relationships",), AUDITS]),
    min_decided=st.floats(0, 1),
)


@given(
    POLICIES,
    st.lists(FINDINGS, max_size=6),
    st.lists(st.sampled_from(["ok", "failed", "skipped", "started"]), max_size=2),
    st.integers(0, 20),
    st.integers(0, 20),
    st.booleans(),
)
@settings(deadline=None, max_examples=400)
def test_nothing_passes_in_silence(
    policy: PolicySpec,
    findings: list[Finding],
    statuses: list[Status],
    num_rules: int,
    num_decided: int,
    signed_off: bool,
) -> None:
    audits = [record(audit, status) for audit, status in zip(AUDITS, statuses, strict=False)]
    decisions = {one.id: decision(one) for one in findings} if signed_off else {}
    found = judged(
        policy,
        findings,
        audits,
        num_rules=num_rules,
        num_decided=min(num_decided, num_rules),
        reviews=Reviews(on=TODAY, decisions=decisions),
    )
    assert (found.exit_code == 3) == ("failed" in statuses)
    if found.exit_code != 0:
        return
    ran = {audit.id for audit in audits if audit.status == "ok"}
    assert ran
    assert all(o.verdict in ("pass", "warn") for o in found.outcomes)
    for audit in policy.required:
        assert audit in ran
        assert any(f.audit == audit and f.verdict != "inconclusive" for f in findings)
    assert num_rules == 0 or min(num_decided, num_rules) / num_rules >= policy.min_decided - 1e-6
    assert num_rules or any(f.verdict != "inconclusive" for f in findings)
    if policy.fail_on and not signed_off:
        heavy = SEVERITIES[SEVERITIES.index(policy.fail_on) :]
        assert not any(f.verdict == "fail" and f.severity in heavy for f in findings)
    for limit in policy.limits.values():
        measured = [f.estimates["robust_z"] for f in findings if f.audit == limit.audit]
        assert measured
        for estimate in measured:
            assert estimate.value is not None
            assert max(estimate.value, estimate.high or estimate.value) <= 6.0


def decision(about: Finding) -> Decision:
    return Decision(
        decision="accepted_risk",
        evidence_digest=about.evidence_digest,
        reviewer="J. Doe",
        date=TODAY,
    )


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"metric": "relationships.robust_z"}, "1 of 2 outside"),
        ({"metric": "robust_z", "audit": "relationships"}, "1 of 2 outside"),
        ({"metric": "relationships.robust_z", "subjects": ["hat:*"]}, "1 of 1 outside"),
        ({"metric": "relationships.robust_z", "subjects": ["?ie", "smil*"]}, "all 1 inside"),
        ({"metric": "relationships.robust_z", "subjects": ["scarf*"]}, "no finding is about"),
        ({"metric": "groups.robust_z"}, "has no audit groups"),
    ],
)
def test_limits_name_metrics_by_audit_and_subjects_by_pattern(
    rule: dict[str, object], expected: str
) -> None:
    findings = [
        finding("pass", subjects=("hat:label=present", "smiling"), z=interval(8, 7, 9)),
        finding("pass", subjects=("tie", "smiling"), z=interval(2, 1, 3)),
    ]
    limits = {"worst": LimitSpec.model_validate_json(json.dumps({**rule, "max": 6.0}))}
    found = judged(PolicySpec(limits=limits), findings)
    assert expected in outcome(found, "limit:worst")[1]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"metric": "robust_z"}, "say which audit measures"),
        ({"metric": "groups.kl", "audit": "relationships"}, "names the audit groups"),
        ({"metric": "relationships."}, "a metric has a name"),
        ({"metric": ".kl"}, "a metric has a name"),
    ],
)
def test_a_rule_about_no_audit_is_refused(rule: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        LimitSpec.model_validate({**rule, "max": 1.0})


def test_the_measurement_that_decided_is_kept() -> None:
    findings = [
        finding("pass", subjects=("a", "b"), z=interval(6, 5, 7)),
        finding("pass", subjects=("c", "d"), z=interval(9, 8, 10)),
    ]
    (limit,) = [one for one in judged(PolicySpec(limits=LIMIT), findings).outcomes if one.estimate]
    assert limit.name == "limit:worst"
    assert limit.estimate == interval(9, 8, 10)


@pytest.mark.parametrize(
    ("half_width", "verdict"), [(0.1, "inconclusive"), (0.07, "pass"), (0.0699, "pass")]
)
def test_power_follows_from_the_half_width(half_width: float, verdict: Verdict) -> None:
    # 80 % power at 5 % needs an effect of 1.959964 + 0.841621 standard errors.
    least = (1.959964 + 0.841621) * half_width / 1.959964
    assert (least <= 0.1001) == (verdict == "pass")
    power = {"seen": PowerSpec(metric="relationships.robust_z", effect=0.1001)}
    estimate = interval(0.0, -half_width, half_width)
    found = judged(PolicySpec(power=power), [finding("pass", z=estimate)])
    assert outcome(found, "power:seen")[0] == verdict
    assert found.verdict == verdict


@given(st.floats(0.01, 3), st.floats(0.01, 3), st.floats(0.5, 0.99))
def test_power_is_that_of_the_z_test(effect: float, error: float, level: float) -> None:
    half = norm.ppf((1 + level) / 2) * error
    estimate = Estimate(value=0.3, low=0.3 - half, high=0.3 + half, level=level)
    cut = norm.ppf(0.975)
    expected = norm.sf(cut - effect / error) + norm.cdf(-cut - effect / error)
    assert power_of(estimate, effect) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (Estimate(value=1.0), "hat and smiling: it has no interval"),
        (Estimate.absent("too few images"), "not measured, too few images"),
        (interval(0.0, -1.0, 1.0), "hat and smiling with a chance of 5%"),
        (None, "nothing measured robust_z"),
    ],
)
def test_power_that_is_not_known_is_not_taken_for_enough(
    estimate: Estimate | None, words: str
) -> None:
    power = {"seen": PowerSpec(metric="relationships.robust_z", effect=0.1)}
    found = judged(PolicySpec(power=power), [finding("pass", z=estimate)])
    verdict, value = outcome(found, "power:seen")
    assert verdict == "inconclusive"
    assert words in value


@pytest.mark.parametrize(
    ("ruling", "verdict"),
    [(None, "inconclusive"), ("confirmed", "pass"), ("accepted_risk", "pass")],
)
def test_a_required_review_asks_for_any_decision(ruling: str | None, verdict: Verdict) -> None:
    found, light = finding(), finding(severity="warning", subjects=("tie", "hat"))
    made = {found.id: decision(found).model_copy(update={"decision": ruling})}
    outcomes = judged(
        PolicySpec(fail_on=None, required_reviews="error"),
        [found, light, finding("pass", subjects=("a", "b"))],
        reviews=Reviews(on=TODAY, decisions=made),
    )
    reviewed = "1 of 1 reviewed" if ruling else "0 of 1 reviewed; missing: hat and smiling"
    assert outcome(outcomes, "required_reviews")[0] == verdict
    assert outcome(outcomes, "required_reviews")[1].startswith(reviewed)
    assert outcomes.exit_code == (0 if verdict == "pass" else 4)


@pytest.mark.parametrize("change", [{"evidence_digest": "f" * 64}, {"expires": date(2026, 2, 28)}])
def test_a_decision_that_lapsed_is_no_review(change: dict[str, object]) -> None:
    found = finding()
    made = {found.id: decision(found).model_copy(update={"decision": "confirmed", **change})}
    reviews = Reviews(on=TODAY, decisions=made)
    judgement = judged(PolicySpec(required_reviews="error"), [found], reviews=reviews)
    assert outcome(judgement, "required_reviews")[0] == "inconclusive"


def test_nothing_to_review_is_no_gap() -> None:
    judgement = judged(PolicySpec(required_reviews="note"), [finding("pass")])
    assert outcome(judgement, "required_reviews") == (
        "pass",
        "nothing failed that asks for a review",
    )


def test_the_gate_says_what_changed_in_the_evidence() -> None:
    before, now = finding(z=interval(7, 6, 8)), finding(z=interval(9, 8, 10))
    made = decision(before).model_copy(update={"based_on": evidence_words(before)})
    judgement = judged(PolicySpec(), [now], reviews=Reviews(on=TODAY, decisions={before.id: made}))
    verdict, value = outcome(judgement, "fail_on")
    assert verdict == "fail"
    assert "hat and smiling (robust_z was 7 [6, 8], is 9 [8, 10])" in value


def test_a_warning_closes_like_any_finding() -> None:
    warned = finding("warn")
    reviews = Reviews(on=TODAY, decisions={warned.id: decision(warned)})
    assert judged(PolicySpec(), [warned]).verdict == "warn"
    assert judged(PolicySpec(), [warned], reviews=reviews).verdict == "pass"
