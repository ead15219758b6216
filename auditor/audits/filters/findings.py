"""What was found, in sentences without statistics: names, dead filters, concepts of the spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from auditor.audits.filters.overlaps import Detection, detects
from auditor.audits.filters.result import ConceptResult, FilterResult, FiltersResult, RecallResult
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.words import noun
from auditor.measure.intervals import wilson
from auditor.near import suggest
from auditor.results.base import Verdict
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, make_finding
from auditor.wording import counted, plain, spelt

LEVEL = 0.95

FIRST = 5
"""Answers that decide whether words can be trusted."""


class Wanted(NamedTuple):
    """A concept that the spec names, with the filter that overlaps it most."""

    concept: ConceptResult
    detection: Detection


def all_findings(
    spec: FiltersSpec,
    audit: str,
    result: FiltersResult,
    wanted: Mapping[str, Wanted],
    reason: str | None,
) -> tuple[Finding, ...]:
    """Every check made, the passed ones included.

    Args:
        spec: The audit's spec.
        audit: Id of the audit.
        result: Everything measured.
        wanted: The concepts that the spec names, as far as the annotations know them.
        reason: Why there are no words; None where there are.
    """
    named = (
        annotated_finding(audit, result)
        if spec.explainer is None
        else names_finding(audit, result, reason)
    )
    known = [concept.name for concept in result.concepts]
    return (
        named,
        dead_finding(audit, result),
        *(
            concept_finding(spec, audit, result, name, wanted.get(name), known, unwanted=True)
            for name in dict.fromkeys(spec.unwanted)
        ),
        *(
            concept_finding(spec, audit, result, name, wanted.get(name), known, unwanted=False)
            for name in dict.fromkeys(spec.expected)
        ),
    )


def names_finding(audit: str, result: FiltersResult, reason: str | None) -> Finding:
    """How many filters have a name, and whether the way of finding names can be trusted."""
    one = noun(result)
    named = [unit for unit in result.filters if unit.outcome == "named"]
    alive = [unit for unit in result.filters if unit.outcome != "dead"]
    trust = trusted(result)
    gain = trust.difference if trust and trust.difference else None
    verdict: Verdict = "pass"
    if not alive:
        verdict, claim = "inconclusive", f"No {one} of {plain(result.layer)} is ever active."
    elif reason is not None:
        verdict = "inconclusive"
        claim = (
            f"{one.capitalize()}s of {plain(result.layer)} could not be put into words: {reason}."
        )
    else:
        claim = (
            f"{counted(len(named), one)} of {counted(len(alive), 'active one')} in "
            f"{plain(result.layer)} {'looks' if len(named) == 1 else 'look'} at something that "
            "has a name."
        )
        if not above_zero(gain):
            verdict = "inconclusive"
            claim = f"{claim} {doubt(trust, gain, one)}"
        if result.made:
            claim = (
                f"{claim} Beware: the vocabulary's vectors were made from a list of words and not "
                "learnt from texts, so words that it places side by side are hardly told apart."
            )
    estimates = {"named_share": share_of(named, alive), "agreement": result.agreement}
    if trust is not None:
        estimates["recall_at_5"] = trust.recall
    if gain is not None:
        estimates["recall_gain"] = gain
    return make_finding(
        audit=audit,
        code="NAMED_FILTERS",
        verdict=verdict,
        severity="note",
        claim=claim,
        subjects=(result.layer,),
        estimates=estimates,
        actions=name_actions(result, verdict, named),
        evidence=(result_file(audit),),
    )


def annotated_finding(audit: str, result: FiltersResult) -> Finding:
    """Where the spec asks for no words: how many filters detect an annotated concept."""
    one = noun(result)
    alive = [unit for unit in result.filters if unit.outcome != "dead"]
    detectors = [unit for unit in alive if unit.match is not None and unit.match.detector]
    audited = any(concept.audited for concept in result.concepts)
    layer = plain(result.layer)
    if audited and alive:
        claim = (
            f"{counted(len(detectors), one)} of {counted(len(alive), 'active one')} in "
            f"{layer} {'detects' if len(detectors) == 1 else 'detect'} an annotated concept; "
            "words were not asked for."
        )
    elif alive:
        claim = f"Nothing can be said about {one}s of {layer}: no concept is in enough photos."
    else:
        claim = f"No {one} of {layer} is ever active."
    return make_finding(
        audit=audit,
        code="NAMED_FILTERS",
        verdict="pass" if audited and alive else "inconclusive",
        severity="note",
        claim=claim,
        subjects=(result.layer,),
        estimates={"detector_share": share_of(detectors, alive if audited else [])},
        evidence=(result_file(audit),),
    )


def trusted(result: FiltersResult) -> RecallResult | None:
    """Recall that decides whether words can be trusted: of the attention that named the filters."""
    for row in result.recall:
        place = (row.method, row.candidates, row.scope, row.k)
        if place == (result.attention, "concepts", "all", FIRST):
            return row
    return None


def above_zero(estimate: Estimate | None) -> bool:
    """Whether the whole interval lies above zero."""
    return estimate is not None and estimate.low is not None and estimate.low > 0


def doubt(trust: RecallResult | None, gain: Estimate | None, one: str) -> str:
    """Why the words may not be trusted, in a sentence."""
    if trust is None or trust.recall.value is None:
        return (
            f"How far the words can be trusted could not be measured: none of the {one}s looked "
            "into overlaps an annotated concept."
        )
    if gain is None:
        return (
            "They were named from whole pictures, so the words tell what is in these pictures and "
            f"not what the {one} looks at."
        )
    if gain.low is None:
        return (
            f"How far the words can be trusted could not be measured: too few {one}s overlap "
            "an annotated concept."
        )
    return (
        "But the true concepts were found no better with filter attention than from whole "
        f"pictures, so the words may tell what is in these pictures and not what the {one} looks "
        "at."
    )


def name_actions(
    result: FiltersResult, verdict: Verdict, named: list[FilterResult]
) -> tuple[str, ...]:
    """What to do about names."""
    found = []
    if verdict == "inconclusive":
        found.append(
            "Use reference images with more regions and concepts, or a layer nearer to the output."
        )
    if named:
        found.append("Read the words as suggestions; confirm those that matter in the review file.")
    if result.made:
        found.append("Use word vectors that were learnt from texts.")
    return tuple(found)


def dead_finding(audit: str, result: FiltersResult) -> Finding:
    """Filters that are never active."""
    one = noun(result)
    dead = [unit for unit in result.filters if unit.outcome == "dead"]
    layer = plain(result.layer)
    if dead:
        verb = "is" if len(dead) == 1 else "are"
        claim = (
            f"{counted(len(dead), one)} of {counted(len(result.filters), one)} in "
            f"{layer} {verb} never active on these pictures."
        )
    else:
        claim = f"Every {one} of {layer} is active on some of these pictures."
    return make_finding(
        audit=audit,
        code="DEAD_FILTERS",
        verdict="warn" if dead else "pass",
        severity="note",
        claim=claim,
        subjects=(result.layer,),
        estimates={"dead_share": share_of(dead, list(result.filters))},
        actions=(
            "Check whether other pictures wake them; if not, the network could be made smaller.",
        )
        if dead
        else (),
        evidence=(result_file(audit),),
    )


def concept_finding(
    spec: FiltersSpec,
    audit: str,
    result: FiltersResult,
    name: str,
    wanted: Wanted | None,
    known: list[str],
    *,
    unwanted: bool,
) -> Finding:
    """Whether a filter detects a concept that the spec names."""
    missing = why_unknown(result, name, wanted, known)
    estimates: dict[str, Estimate] = {}
    if wanted is None or missing is not None:
        verdict: Verdict = "inconclusive"
        claim = f"Whether a {noun(result)} detects “{plain(name)}” is open: {missing}."
        actions: tuple[str, ...] = ("Name a concept that the annotations know, in enough photos.",)
    else:
        detection = wanted.detection
        estimates = {"iou": detection.iou, "held_out_iou": detection.held_out}
        seen = (detection.iou.value or 0.0) > spec.dissection.detector
        confirmed = detects(spec, detection.iou, detection.held_out)
        verdict = "inconclusive" if seen and not confirmed else "pass"
        if seen == unwanted and verdict == "pass":
            verdict = "fail"
        claim = concept_claim(result, name, detection.unit, seen=seen, confirmed=confirmed)
        actions = concept_actions(
            name, f"{noun(result)} {detection.unit}", verdict, unwanted=unwanted
        )
    return make_finding(
        audit=audit,
        code="UNWANTED_CONCEPT" if unwanted else "EXPECTED_CONCEPT",
        verdict=verdict,
        severity=spec.severity,
        claim=claim,
        subjects=(name,),
        estimates=estimates,
        actions=actions,
        evidence=(result_file(audit),),
    )


def why_unknown(
    result: FiltersResult, name: str, wanted: Wanted | None, known: list[str]
) -> str | None:
    """Why nothing can be said about a concept; None where something can."""
    if wanted is None:
        return f"the annotations have no concept of that name; {suggest(name, known, 'concept')}"
    if not wanted.concept.audited:
        return (
            f"{counted(wanted.concept.num_images, 'photo')} of {spelt(result.min_images)} that are "
            "needed list it"
        )
    return None


def concept_claim(
    result: FiltersResult, name: str, unit: int, *, seen: bool, confirmed: bool
) -> str:
    """One sentence about one concept."""
    layer, title, one = plain(result.layer), plain(name), noun(result)
    if confirmed:
        return f"{one.capitalize()} {unit} of {layer} responds where pictures show “{title}”."
    if seen:
        return (
            f"{one.capitalize()} {unit} of {layer} seems to respond where pictures show “{title}”, "
            "but this did not hold on pictures that it was not chosen on."
        )
    return f"No {one} of {layer} responds where pictures show “{title}”."


def concept_actions(name: str, unit: str, verdict: Verdict, *, unwanted: bool) -> tuple[str, ...]:
    """What to do about one concept."""
    if verdict == "pass":
        return ()
    if verdict == "inconclusive":
        return (f"Use more reference images that show “{plain(name)}”.",)
    if unwanted:
        return (
            f"Look at the pictures of {unit}, and test whether the decision changes when "
            f"“{plain(name)}” is painted over.",
        )
    return (
        f"Check whether another layer detects “{plain(name)}”, and whether the training images "
        "show it.",
    )


def share_of(some: list[FilterResult], every: list[FilterResult]) -> Estimate:
    """Share of filters with Wilson's interval, as if the layer's filters were a sample."""
    if not every:
        return Estimate.absent("there is no filter to count", num_samples=0)
    value, low, high = wilson(len(some), len(every), level=LEVEL)
    return Estimate(
        value=value, low=low, high=high, level=LEVEL, method="wilson", num_samples=len(every)
    )


def result_file(audit: str) -> str:
    """The file of the run directory that holds every number."""
    return f"audits/{audit}/result.json"
