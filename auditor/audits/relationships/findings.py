"""What was found, rule by rule and attribute by attribute, in sentences without statistics."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.audits.relationships.evidence import Evidence
from auditor.audits.relationships.expectations import pair_names
from auditor.audits.relationships.judged import Judged
from auditor.audits.relationships.modes import confirmed
from auditor.audits.relationships.pairs import deviation, deviation_estimate, divergence_estimate
from auditor.audits.relationships.result import AttributeResult, CellResult, PairResult
from auditor.context import Rule
from auditor.results.base import Verdict
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, make_finding

TIED = 0.95
"""From this mean cosine on two answers are one: that one errs where labels differ is no news."""


def all_findings(
    evidence: Evidence, judged: Judged, pairs: dict[int, PairResult], known: list[AttributeResult]
) -> tuple[Finding, ...]:
    """Every check made, the passed ones included: rules in pair order, then attributes."""
    found: list[Finding] = []
    for pair, rule in judged.rules.items():
        found += rule_findings(evidence, judged, pair, pairs[pair], rule)
    found += [attribute_finding(evidence, attribute) for attribute in known]
    return tuple(found)


def rule_findings(
    evidence: Evidence, judged: Judged, pair: int, result: PairResult, rule: Rule
) -> Iterator[Finding]:
    """The check of one rule; where it is broken, also what follows from it."""
    verdicts: dict[str, Verdict] = {"broken": "fail", "as_expected": "pass"}
    verdict = verdicts.get(result.outcome, "inconclusive")
    yield make_finding(
        audit=evidence.context.audit,
        code="BROKEN_RULE",
        verdict=verdict,
        severity=rule.severity,
        claim=rule_claim(evidence, judged, pair, result),
        subjects=(result.a, result.b),
        estimates=rule_estimates(evidence, judged, pair, result),
        p_adjusted=result.p_adjusted,
        actions=rule_actions(evidence, result) if verdict == "fail" else (),
        evidence=(result_file(evidence),),
        location=rule.location,
    )
    if result.outcome == "broken" and result.shape != "none":
        yield shape_finding(evidence, judged, pair, result, rule)


def rule_estimates(
    evidence: Evidence, judged: Judged, pair: int, result: PairResult
) -> dict[str, Estimate]:
    """Numbers behind a rule's check.

    A rule that was not decided names none of what decides: a limit of the policy must not fail on a
    pair that the audit itself calls untestable or not learnt.
    """
    found = {"cosine": result.cosine, "label_correlation": result.label_correlation}
    if result.outcome in ("broken", "as_expected"):
        found["robust_z"] = result.robust_z
        found["deviation"] = deviation_estimate(evidence, judged, pair)
        found["kl"] = divergence_estimate(evidence, judged, pair)
    return found


def rule_claim(evidence: Evidence, judged: Judged, pair: int, result: PairResult) -> str:
    """One sentence about one rule."""
    a, b = titles(evidence, pair)
    if result.outcome == "as_expected":
        return f"The model relates {a} and {b} as the rule expects."
    if result.outcome != "broken":
        reason = result.reason or "it could not be decided"
        return f"It is open whether the model relates {a} and {b} as the rule expects: {reason}."
    i, j = pair_names(evidence.context)[pair]
    if evidence.swallowed(i, j) or evidence.swallowed(j, i):
        lost, kept = (a, b) if evidence.swallowed(i, j) else (b, a)
        return f"The model's answer for {lost} is about {kept} instead."
    mean = result.cosine.value or 0.0
    if result.shape == "blind_spot":
        return f"The model keeps {a} and {b} apart, though the one should inform the other."
    if mean > 0 and deviation(evidence, judged, pair) > 0:
        return f"The model takes evidence for {a} as evidence for {b}, more than the rule allows."
    if mean < 0 and deviation(evidence, judged, pair) < 0:
        return f"The model takes evidence for {a} as evidence against {b}, against the rule."
    return f"The model ties {a} to {b} less than the rule expects."


def shape_finding(
    evidence: Evidence, judged: Judged, pair: int, result: PairResult, rule: Rule
) -> Finding:
    """The blind spot or failure mode behind a broken rule."""
    a, b = titles(evidence, pair)
    estimates = {"cosine": result.cosine}
    if result.shape == "blind_spot":
        verdict: Verdict = "fail"
        claim = f"The model misses that {a} and {b} are related."
        actions: tuple[str, ...] = (
            f"Check the labels of {a} and {b}, and add images that show both.",
        )
    else:
        names = pair_names(evidence.context)[pair]
        verdict = "fail" if confirmed(evidence, names, result.cells) else "inconclusive"
        claim = mode_claim(evidence, pair, result, verdict)
        actions = cell_actions(evidence, pair, result) if verdict == "fail" else ()
        for cell, name in zip(result.cells, ("drop", "drop_of_other_combination"), strict=False):
            estimates[name] = cell.drop
    return make_finding(
        audit=evidence.context.audit,
        code=result.shape.upper(),
        verdict=verdict,
        severity=rule.severity,
        claim=claim,
        subjects=(result.a, result.b),
        estimates=estimates,
        actions=actions,
        evidence=(result_file(evidence),),
        location=rule.location,
    )


def mode_claim(evidence: Evidence, pair: int, result: PairResult, verdict: Verdict) -> str:
    """One sentence about one failure mode."""
    a, b = titles(evidence, pair)
    worst = worst_cell(result)
    if verdict != "fail" or worst is None:
        return (
            f"Whether the tie between {a} and {b} costs accuracy could not be shown: neither "
            "combination loses enough on the images at hand."
        )
    where = combination(evidence, pair, worst.present)
    if abs(result.cosine.value or 0.0) >= TIED:
        return (
            f"The model gives one and the same answer for {a} and {b}, so on images that show "
            f"{where} one of the two must be wrong."
        )
    points = round(100 * (worst.drop.value or 0.0))
    return (
        f"On images that show {where} the model is {points} percentage points less accurate "
        "than on other images with the same attributes."
    )


def rule_actions(evidence: Evidence, result: PairResult) -> tuple[str, ...]:
    """What to do about a broken rule."""
    if result.shape == "blind_spot":
        return ("Check the labels of both attributes, and add images that show both.",)
    return ("Collect images in which the two attributes come apart, and train again.",)


def cell_actions(evidence: Evidence, pair: int, result: PairResult) -> tuple[str, ...]:
    """What to do about a failure mode."""
    worst = worst_cell(result)
    if worst is None:
        return ()
    where = combination(evidence, pair, worst.present)
    return (f"Add training images that show {where}; there are {worst.num_mined} of them now.",)


def worst_cell(result: PairResult) -> CellResult | None:
    """The combination with the larger measured drop."""
    dropped = [(cell.drop.value, cell) for cell in result.cells if cell.drop.value is not None]
    return max(dropped, key=lambda one: one[0])[1] if dropped else None


def attribute_finding(evidence: Evidence, known: AttributeResult) -> Finding:
    """Whether the model learnt one attribute."""
    verdicts: dict[bool | None, Verdict] = {True: "pass", False: "warn", None: "inconclusive"}
    claims = {
        True: f"The model has learnt to tell {known.title}.",
        False: f"The model hardly tells images with {known.title} from images without it.",
        None: f"How well the model tells {known.title} could not be measured: "
        f"{known.balanced_accuracy.reason}.",
    }
    actions = (
        (f"Check the labels and the number of examples of {known.title}, or drop it.",)
        if known.learnt is False
        else ()
    )
    return make_finding(
        audit=evidence.context.audit,
        code="NOT_LEARNT",
        verdict=verdicts[known.learnt],
        severity="warning",
        claim=claims[known.learnt],
        subjects=(known.name,),
        estimates={"balanced_accuracy": known.balanced_accuracy},
        actions=actions,
        evidence=(result_file(evidence),),
    )


def titles(evidence: Evidence, pair: int) -> tuple[str, str]:
    """Titles of the pair's attributes."""
    i, j = pair_names(evidence.context)[pair]
    attributes = evidence.context.attributes
    return attributes[i].title, attributes[j].title


def combination(evidence: Evidence, pair: int, present: tuple[bool, bool]) -> str:
    """`lipstick but no smile`, in the words of the spec."""
    a, b = titles(evidence, pair)
    if present[0] and present[1]:
        return f"both {a} and {b}"
    if not (present[0] or present[1]):
        return f"neither {a} nor {b}"
    return f"{a} but not {b}" if present[0] else f"{b} but not {a}"


def result_file(evidence: Evidence) -> str:
    """The file of the run directory that holds every number."""
    return f"audits/{evidence.context.audit}/result.json"
