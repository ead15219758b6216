"""What a reader learns from the attribute-relationship audit, as plain data in plain words.

The template `sections/relationships.html.jinja` arranges these values and adds no wording that
depends on a number. One `Case` per pair that broke its rule; one `PairRow` per pair of attributes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from auditor.audits.relationships import figures
from auditor.audits.relationships.cases import (
    NOTICEABLE,
    Case,
    Examples,
    Reader,
    make_case,
)
from auditor.audits.relationships.result import (
    AttributeResult,
    PairOutcome,
    PairResult,
    RelationshipsResult,
)
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.context import Rule
from auditor.drawing import Drawing
from auditor.results.base import Verdict
from auditor.results.finding import Finding
from auditor.wording import (
    count,
    counted,
    number,
    p_value,
    percent,
    percent_with_interval,
    plain,
    points_with_interval,
    sentence,
    shortened,
    spelt,
    with_interval,
)

OUTCOMES: dict[PairOutcome, tuple[Verdict | None, str]] = {
    "as_expected": ("pass", "as expected"),
    "broken": ("fail", "broken"),
    "not_learnt": ("inconclusive", "not learnt"),
    "undecided": ("inconclusive", "undecided"),
    "not_testable": ("inconclusive", "not testable"),
    "no_rule": (None, "no rule"),
}

RANKINGS = {
    "audit": "this audit",
    "entropy_smallest": "rarest label combinations, most lopsided first",
    "entropy_largest": "rarest label combinations, most balanced first",
}


@dataclass(frozen=True)
class AttributeRow:
    """One attribute: does the model know it at all?"""

    title: str
    accuracy: str
    share: str
    learnt: str
    verdict: Verdict


@dataclass(frozen=True)
class PairRow:
    """One line of the table of everything tested."""

    first: str
    second: str
    expect: str
    found: str
    usual: str
    z: str
    p: str
    outcome: str
    verdict: Verdict | None
    reason: str
    target: str | None
    """Anchor of the case that shows the pair at length."""


@dataclass(frozen=True)
class DropRow:
    """Accuracy lost in the first N failure modes of one ranking."""

    ranking: str
    num_modes: int
    ordinary: str
    inside: str
    drop: str


@dataclass(frozen=True)
class RelationshipsSection:
    """Everything that the section's template shows."""

    asked: tuple[str, ...]
    reading: tuple[tuple[str, str], ...]
    result: str
    graph: Drawing
    strip: Drawing | None
    cases: tuple[Case, ...]
    left_out: str
    unlearnt: tuple[str, ...]
    attributes: tuple[AttributeRow, ...]
    drops: tuple[DropRow, ...]
    meaning: tuple[str, ...]
    actions: tuple[str, ...]
    pairs: tuple[PairRow, ...]
    limits: tuple[str, ...]


def make_section(
    *,
    audit: str,
    spec: RelationshipsSpec,
    result: RelationshipsResult,
    findings: Sequence[Finding],
    rules: Sequence[Rule],
    examples: Examples,
    max_cases: int,
    filters: Mapping[int, str],
) -> RelationshipsSection:
    """Turn a result into what its section shows.

    Args:
        audit: Id of the audit; anchors begin with it.
        spec: The audit's spec.
        result: Its result.
        findings: Its findings.
        rules: The rules of the whole spec, one per pair.
        examples: Images and heat maps to show beside the findings.
        max_cases: Findings shown at length.
        filters: Filter of the audited layer -> words that another audit suggests for it.
    """
    reader = Reader(
        audit=audit, spec=spec, result=result, rules=rules, examples=examples, filters=filters
    )
    broken = [pair for pair in result.pairs if pair.outcome == "broken"]
    shown = broken[:max_cases]
    about = by_pair(findings)
    cases = tuple(
        make_case(reader, i, pair, about.get(frozenset((pair.a, pair.b)), []))
        for i, pair in enumerate(shown, start=1)
    )
    anchors = {case.pair: case.anchor for case in cases}
    return RelationshipsSection(
        asked=asked(spec, result),
        reading=reading(spec, result),
        result=summary(result, len(broken)),
        graph=figures.graph(result, reader.titles, spec.presence_cut),
        strip=figures.strip(result, reader.titles),
        cases=cases,
        left_out=left_out(len(broken) - len(shown)),
        unlearnt=tuple(sentence(plain(f.claim)) for f in findings if is_unlearnt(f)),
        attributes=tuple(attribute_row(attribute) for attribute in result.attributes),
        drops=drop_rows(result),
        meaning=meaning(result, broken),
        actions=shared_actions(findings),
        pairs=tuple(pair_row(reader, pair, anchors) for pair in result.pairs),
        limits=limits(spec, result, reader),
    )


OPEN: frozenset[Verdict] = frozenset({"fail", "warn"})


def by_pair(findings: Iterable[Finding]) -> dict[frozenset[str], list[Finding]]:
    found: dict[frozenset[str], list[Finding]] = {}
    for finding in findings:
        if finding.verdict != "pass" and len(finding.subjects) == 2:
            found.setdefault(frozenset(finding.subjects), []).append(finding)
    return found


def is_unlearnt(finding: Finding) -> bool:
    return finding.code == "NOT_LEARNT" and finding.verdict != "pass"


def asked(spec: RelationshipsSpec, result: RelationshipsResult) -> tuple[str, ...]:
    return (
        f"The model answers {spelt(len(result.attributes))} yes-or-no questions about a picture, "
        "such as whether a person smiles. Each answer should rest on what it is about: a smile "
        "on the mouth, glasses on the eyes. A model that has mostly seen two things together may "
        "take the one for the other, and its test scores will not show it if the test pictures "
        "have the same habit.",
        "So this audit looks inside the model. For every pair of attributes it compares which "
        "parts of the picture speak for the one and for the other, and holds that against "
        f"{counted(result.num_rules, 'rule')} about what a sound model would do.",
    )


def reading(spec: RelationshipsSpec, result: RelationshipsResult) -> tuple[tuple[str, str], ...]:
    return (
        (
            "Strength of a tie",
            "1 means that the same evidence counts for both attributes, 0 that they use separate "
            "evidence, and −1 that what speaks for the one speaks against the other.",
        ),
        (
            "What is usual",
            "The middle of all pairs for which the rules expect the same. It need not be 0: all "
            "attributes of one model share some evidence.",
        ),
        (
            "Broken rule",
            f"The tie differs from the usual by more than {number(result.cut)}, it is a clear "
            "exception among pairs of its kind, and the model has learnt both attributes. Of all "
            f"rules called broken, no more than about {percent(result.alpha)} are expected to be "
            "false alarms.",
        ),
        (
            "Numbers in brackets",
            "The range in which the true value lies with 95 % confidence, given the pictures "
            "that were looked at.",
        ),
    )


def summary(result: RelationshipsResult, broken: int) -> str:
    looked = f"Of {counted(result.num_rules, 'rule')}, {count(result.num_decided)} could be decided"
    if broken:
        return f"{looked}. The model breaks {spelt(broken)} of them."
    if result.num_decided:
        return f"{looked}. The model keeps all of them."
    return f"{looked}. Nothing can be said about how the model relates its attributes."


def left_out(num_more: int) -> str:
    if num_more <= 0:
        return ""
    are = "is" if num_more == 1 else "are"
    return (
        f"{counted(num_more, 'more broken rule')} {are} listed in the table of everything tested."
    )


def attribute_row(attribute: AttributeResult) -> AttributeRow:
    words = {True: "yes", False: "no", None: "not measured"}[attribute.learnt]
    return AttributeRow(
        title=plain(attribute.title),
        accuracy=percent_with_interval(attribute.balanced_accuracy),
        share=percent(attribute.share_present.value),
        learnt=words,
        verdict="pass" if attribute.learnt else "inconclusive",
    )


def drop_rows(result: RelationshipsResult) -> tuple[DropRow, ...]:
    return tuple(
        DropRow(
            ranking=RANKINGS[top.ranking],
            num_modes=top.num_modes,
            ordinary=percent(top.ordinary.value),
            inside=percent(top.inside.value),
            drop=points_with_interval(top.drop),
        )
        for top in result.top_drops
        if top.drop.value is not None
    )


def meaning(result: RelationshipsResult, broken: Sequence[PairResult]) -> tuple[str, ...]:
    if not broken:
        return (
            "In the layer that was looked at, no pair of attributes shares more or less evidence "
            "than the rules allow. This says nothing about faults of another kind.",
        )
    missed = [pair for pair in broken if pair.shape == "blind_spot"]
    told = [pair for pair in broken if abs(pair.label_correlation.value or 0.0) >= NOTICEABLE]
    paragraphs = []
    if len(missed) < len(broken):
        paragraphs.append(
            "A broken rule is not yet a wrong answer. It says that the model has a short cut: it "
            "may answer one question by looking at the evidence for another. As long as both "
            "appear together nobody notices; on pictures where they come apart, it errs."
        )
    if missed:
        paragraphs.append(
            f"In {counted(len(missed), 'case')} it is the other way round: two attributes should "
            "inform each other, and the model keeps them apart."
        )
    if told:
        paragraphs.append(
            f"For {spelt(len(told))} of the {spelt(len(broken))} the training labels go together "
            "or exclude each other as well, which is the likeliest cause. Label statistics alone "
            "would have raised a suspicion, but they cannot tell which of the ties the model took "
            "over."
        )
    return tuple(paragraphs)


def pair_row(reader: Reader, pair: PairResult, anchors: Mapping[frozenset[str], str]) -> PairRow:
    verdict, words = OUTCOMES[pair.outcome]
    return PairRow(
        first=reader.titles[pair.a],
        second=reader.titles[pair.b],
        expect=reader.relation_title(pair.expect) if pair.expect else "–",
        found=with_interval(pair.cosine),
        usual=number(reader.usual(pair)),
        z=number(pair.robust_z.value, 1),
        p=p_value(pair.p_adjusted.value),
        outcome=words,
        verdict=verdict,
        reason=plain(pair.reason or ""),
        target=anchors.get(frozenset((pair.a, pair.b))),
    )


def limits(spec: RelationshipsSpec, result: RelationshipsResult, reader: Reader) -> tuple[str, ...]:
    stopped = {
        "all_decided": "every rule was decided by then",
        "all_images": "that is every picture that could be read"
        if spec.confirm is not None
        else "the others were set aside beforehand, to measure accuracies on",
        "max_images": "the spec allows no more",
    }
    found = [
        f"The ties were measured on {counted(result.num_images, 'picture')} out of "
        f"{count(result.num_available)} of the split “{spec.split}”; {stopped[result.stopped]}. "
        f"Accuracies come from {counted(result.num_confirming, 'picture')} "
        + ("of the same split." if result.exploratory else "that no tie was found on."),
        power(result),
        f"Only the layer “{plain(result.layer)}” was looked at. A tie that arises later in the "
        "model is not seen here.",
        "A tie shows that two answers share evidence. It does not prove that changing the one "
        "attribute in a picture would change the other answer.",
    ]
    found += undecided(result, reader)
    if result.exploratory:
        found.append(
            "Exploratory: the failure modes were found and measured on the same pictures, so "
            "their accuracy drops are likely too large."
        )
    if result.mask == "threshold":
        found.append(
            "The evidence of an attribute was reduced to its strongest units, a rough cut."
        )
    if (agreement := result.estimator_agreement.value) is not None:
        found.append(
            "Two ways to estimate how far a found distribution is from the expected one rank the "
            f"pairs alike with a rank correlation of {number(agreement)} (1 is full agreement)."
        )
    return tuple(found)


def power(result: RelationshipsResult) -> str:
    """The smallest departure that this run would have noticed, from its own intervals."""
    widths = sorted(
        (pair.cosine.high - pair.cosine.low) / 2
        for pair in result.pairs
        if pair.expect and pair.cosine.high is not None and pair.cosine.low is not None
    )
    if not widths:
        return "No interval could be given, so nothing is known about what the run could find."
    middle, widest = widths[len(widths) // 2], widths[-1]
    return (
        f"The strength of a tie is known to within ±{number(middle)} for the middle pair and "
        f"±{number(widest)} for the least certain one. A departure from the usual beyond "
        f"{number(result.cut + widest)} would have shown for every pair; one below "
        f"{number(result.cut)} is within what the rules allow."
    )


def undecided(result: RelationshipsResult, reader: Reader) -> list[str]:
    groups: dict[str, list[str]] = {}
    for pair in result.pairs:
        if OUTCOMES[pair.outcome][0] == "inconclusive":
            reason = plain(pair.reason or OUTCOMES[pair.outcome][1])
            groups.setdefault(reason, []).append(reader.pair_title(pair))
    return [
        f"{counted(len(pairs), 'rule')} not decided: {reason.rstrip('.')} ({shortened(pairs, 6)})."
        for reason, pairs in groups.items()
    ]


def shared_actions(findings: Iterable[Finding]) -> tuple[str, ...]:
    """What several findings ask for; what only one asks for stands beside that one."""
    asked_for = Counter(
        sentence(plain(action)) for f in findings if f.verdict in OPEN for action in f.actions
    )
    shared = tuple(action for action, times in asked_for.items() if times > 1)
    own = sum(times == 1 for times in asked_for.values())
    if own and not shared:
        return ("Follow the steps that stand beside each finding.",)
    return (*shared, "Follow the further steps that stand beside each finding.") if own else shared
