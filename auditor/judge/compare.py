"""Two runs beside each other: which findings are new, worse, better, fixed or unchanged.

Intervals decide, not values. A finding got worse or better only where the intervals of the number
behind it do not overlap, and a verdict that flips although they overlap is no change: it is what
another draw of images, or another seed, can do. For two intervals of 95 % and like width that do
not overlap by chance, the probability is below 1 % (Schenker & Gentleman, The American
Statistician 2001).

Silence is never green. A finding that can no longer be decided is not fixed, a check that is no
longer made is not fixed either, and a finding that could not be decided before is new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from auditor.catalog import CODES
from auditor.judge.question import (
    DATASET,
    Side,
    digests_of,
    network_identity,
    network_words,
    networks_behind,
    other_splits,
    parameters_of,
)
from auditor.results.code import Code, Worse
from auditor.results.comparison import (
    PROBLEMS,
    ComparedFinding,
    ComparedSide,
    Comparison,
    Difference,
    Reason,
    RunSummary,
    State,
)
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, findings_digest

KNOWN_CODES: Mapping[str, Code] = {code.code: code for code in CODES}

Key = tuple[str, str, tuple[str, ...]]
"""Audit, check and subjects: the same in two runs for the same question."""

Movement = Literal["worse", "better", "none", "unknown"]
"""How a number moved: for sure, not for sure, or nobody can tell."""

NAMED = 3
"""Parameters that a note names before it only counts."""

STILL = "the verdict changed from {} to {}, but the intervals overlap"


class Outcome(NamedTuple):
    """What became of one check."""

    state: State
    note: str = ""
    reason: Reason | None = None


@dataclass(frozen=True)
class Pair:
    """One check in two runs; at least one of them made it."""

    before: Finding | None
    after: Finding | None

    @property
    def either(self) -> Finding:
        """The check as the later run made it, else as the earlier did."""
        found = self.after or self.before
        if found is None:
            raise ValueError("a pair holds at least one finding")
        return found

    @property
    def telling(self) -> Finding:
        """The check as the run made it that found something wrong, the later one first."""
        wrong = (one for one in (self.after, self.before) if one and one.verdict in PROBLEMS)
        return next(wrong, self.either)


def compare_runs(before: Side, after: Side) -> Comparison:
    """Hold the findings of a run against those of an earlier one.

    Args:
        before: The earlier run, or the baseline.
        after: The later run.

    Returns:
        Every check of either run with what became of it. Equal runs give `unchanged` throughout.
    """
    pairs = paired(before, after)
    outcomes: dict[Key, Outcome] = {}
    # What follows from a check comes after it: its outcome rests on that one's.
    for key, pair in sorted(pairs.items(), key=lambda one: bool(code_of(one[1].either).follows)):
        outcomes[key] = outcome_of(before, after, pair, pairs, outcomes)
    return Comparison(
        before=summary_of(before),
        after=summary_of(after),
        differences=tuple(differences(before, after)),
        findings=tuple(compared(pair, outcomes[key]) for key, pair in pairs.items()),
    )


def paired(before: Side, after: Side) -> dict[Key, Pair]:
    """Checks of both runs: audit by audit as in the later run, its checks first."""
    old = {key_of(finding): finding for finding in before.findings}
    new = {key_of(finding): finding for finding in after.findings}
    audits = dict.fromkeys(each.id for each in (*after.record.audits, *before.record.audits))
    order = {audit: position for position, audit in enumerate(audits)}
    keys = sorted(dict.fromkeys((*new, *old)), key=lambda key: order.get(key[0], len(order)))
    return {key: Pair(old.get(key), new.get(key)) for key in keys}


def key_of(finding: Finding) -> Key:
    return finding.audit, code_of(finding).check, finding.subjects


def code_of(finding: Finding) -> Code:
    """What is known of a finding's code; one of a stranger's run may be unknown."""
    known = KNOWN_CODES.get(finding.code)
    if known is not None:
        return known
    texts = dict.fromkeys(("title", "meaning", "test", "action", "source"), "")
    return Code(code=finding.code, check=finding.code, metrics=(), **texts)


def outcome_of(
    before: Side,
    after: Side,
    pair: Pair,
    pairs: Mapping[Key, Pair],
    outcomes: Mapping[Key, Outcome],
) -> Outcome:
    """What became of one check."""
    refused = incomparable(before, after, pair.either)
    if refused is not None:
        return refused
    if pair.before is not None and pair.after is not None:
        return judged(pair.before, pair.after)
    return one_sided(pair, pairs, outcomes)


def incomparable(before: Side, after: Side, finding: Finding) -> Outcome | None:
    """Why the two runs did not ask the same; None where they did."""
    audit = finding.audit
    old, new = before.spec.audits.get(audit), after.spec.audits.get(audit)
    if old is None or new is None or old.kind != new.kind:
        which = "first" if old is None else "second"
        gone = f"the {which} run has no audit {audit}"
        changed = gone if old is None or new is None else f"{audit} is another kind of audit"
        return Outcome("not_comparable", changed, "other parameters")
    for side, which in ((before, "first"), (after, "second")):
        status = next((each.status for each in side.record.audits if each.id == audit), None)
        if status != "ok":
            words = f"{audit} did not run to its end in the {which} run"
            return Outcome("not_comparable", words, "did not run")
    if splits := other_splits(before, after, new):
        words = f"the images or labels of {' and '.join(splits)} are not the same"
        return Outcome("not_comparable", words, "other data")
    changes = changed_parameters(
        parameters_of(before, old, finding), parameters_of(after, new, finding)
    )
    if changes:
        return Outcome("not_comparable", changes, "other parameters")
    roles = {*networks_behind(before.spec, old, finding.code)}
    for role in sorted(roles | {*networks_behind(after.spec, new, finding.code)}):
        if network_identity(before, role) != network_identity(after, role):
            words = f"it speaks of units of the {role}, which is another network now"
            return Outcome("not_comparable", words, "other model")
    return None


def changed_parameters(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """`in the spec cut was 0.2 and is 0.3`; empty where nothing changed."""
    names = sorted(before.keys() | after.keys())
    changed = [
        f"{name} was {in_words(before.get(name))} and is {in_words(after.get(name))}"
        for name in names
        if before.get(name) != after.get(name)
    ]
    more = [f"{len(changed) - NAMED} more differ"] if len(changed) > NAMED else []
    return f"in the spec {'; '.join([*changed[:NAMED], *more])}" if changed else ""


def in_words(value: Any) -> str:
    """A value of a spec, short."""
    if value is None:
        return "none"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def judged(before: Finding, after: Finding) -> Outcome:
    """A check that both runs made and asked alike."""
    moved = movement(before, after)
    flipped = before.verdict != after.verdict
    overlap = STILL.format(before.verdict, after.verdict) if flipped and moved == "none" else ""
    was, now = before.verdict in PROBLEMS, after.verdict in PROBLEMS
    if was and now:
        return still_wrong(before, after, moved, overlap)
    if now and before.verdict == "inconclusive":
        return Outcome("new", "it could not be decided before")
    if "inconclusive" in (before.verdict, after.verdict) and flipped:
        which = "first" if before.verdict == "inconclusive" else "second"
        undecided = Outcome("not_comparable", f"the {which} run could not decide it", "undecided")
        return Outcome("unchanged", overlap) if overlap else undecided
    if was or now:
        return Outcome("unchanged", overlap) if overlap else Outcome("new" if now else "fixed")
    if before.verdict == "pass" and moved in ("worse", "better"):
        return Outcome("unchanged", f"it passes as before, and its number is surely {moved}")
    return Outcome("unchanged")


def still_wrong(before: Finding, after: Finding, moved: Movement, overlap: str) -> Outcome:
    """A finding that was there and still is."""
    weight = ""
    if before.severity != after.severity:
        weight = f"it weighs {after.severity} now, and weighed {before.severity}"
    if moved in ("worse", "better"):
        return Outcome("worse" if moved == "worse" else "better", weight)
    if moved == "unknown" and before.verdict != after.verdict:
        return Outcome("worse" if after.verdict == "fail" else "better", weight)
    untold = "its numbers have no intervals to hold against each other"
    if moved == "none" or before.evidence_digest == after.evidence_digest:
        untold = ""
    return Outcome("unchanged", "; ".join(filter(None, (overlap, weight, untold))))


def one_sided(pair: Pair, pairs: Mapping[Key, Pair], outcomes: Mapping[Key, Outcome]) -> Outcome:
    """A check that only one run made, though both asked alike."""
    finding, now = pair.either, pair.after is not None
    which = "second" if now else "first"
    if finding.verdict not in PROBLEMS:
        return Outcome("unchanged", f"only the {which} run made this check")
    cause = cause_of(finding)
    if cause is not None and cause in pairs:
        other = pairs[cause].before if now else pairs[cause].after
        if other is not None and other.verdict == "inconclusive":
            if now:
                return Outcome("new", "the check that it follows from was not decided before")
            undecided = "the check that it follows from is not decided in the second run"
            return Outcome("not_comparable", undecided, "undecided")
        same = outcomes[cause]
        if same.state == "unchanged" and other is not None and other.verdict == "pass":
            return Outcome("unchanged", "the check that it follows from did not surely change")
    return Outcome("new" if now else "fixed")


def cause_of(finding: Finding) -> Key | None:
    """The check that gave rise to a finding; None for one that stands alone."""
    follows = code_of(finding).follows
    if follows is None:
        return None
    return finding.audit, KNOWN_CODES[follows].check, finding.subjects


def movement(before: Finding, after: Finding) -> Movement:
    """How the deciding number moved, by its intervals."""
    old, new = badness(before), badness(after)
    if old is None or new is None:
        return "unknown"
    if new[0] > old[1]:
        return "worse"
    return "better" if new[1] < old[0] else "none"


def badness(finding: Finding) -> tuple[float, float] | None:
    """The deciding interval with bad at its upper end; None where there is none."""
    decisive = deciding(finding)
    if decisive is None or decisive[1].low is None or decisive[1].high is None:
        return None
    return oriented(decisive[1].low, decisive[1].high, code_of(finding).worse)


def deciding(finding: Finding) -> tuple[str, Estimate] | None:
    """Name and value of the number that decides: the worst of those that were measured."""
    code = code_of(finding)
    measured = [
        (oriented(each.value, each.value, code.worse)[1], name, each)
        for name in code.metrics
        if (each := finding.estimates.get(name)) is not None and each.value is not None
    ]
    return max(measured, key=lambda one: one[0])[1:] if measured else None


def oriented(low: float, high: float, worse: Worse) -> tuple[float, float]:
    """An interval, turned so that larger is worse."""
    sizes = sorted((abs(low), abs(high)))
    nearest = 0.0 if low <= 0.0 <= high else sizes[0]
    match worse:
        case "higher":
            return low, high
        case "lower":
            return -high, -low
        case "farther_from_zero":
            return nearest, sizes[1]
        case "nearer_to_zero":
            return -sizes[1], -nearest


def compared(pair: Pair, outcome: Outcome) -> ComparedFinding:
    """A check with what became of it, for the record."""
    shown = pair.telling
    decisive = next(filter(None, (deciding(one) for one in (pair.after, pair.before) if one)), None)
    return ComparedFinding(
        audit=shown.audit,
        check=code_of(shown).check,
        code=shown.code,
        subjects=shown.subjects,
        claim=shown.claim,
        state=outcome.state,
        reason=outcome.reason,
        note=outcome.note,
        metric=decisive[0] if decisive is not None else None,
        before=side_of(pair.before),
        after=side_of(pair.after),
    )


def side_of(finding: Finding | None) -> ComparedSide | None:
    if finding is None:
        return None
    decisive = deciding(finding)
    return ComparedSide(
        id=finding.id,
        verdict=finding.verdict,
        severity=finding.severity,
        estimate=decisive[1] if decisive is not None else None,
        evidence_digest=finding.evidence_digest,
    )


def summary_of(side: Side) -> RunSummary:
    """Which run it is."""
    record = side.record
    return RunSummary(
        run_id=record.run_id,
        name=record.name,
        title=record.title,
        date=record.times.started,
        model=network_words(side, "model"),
        spec_digest=record.provenance.spec_digest,
        findings_digest=findings_digest(side.findings),
        verdict=record.verdict,
    )


def differences(before: Side, after: Side) -> Iterator[Difference]:
    """What else differs between two runs, in words and digests."""
    old, new = facts(before), facts(after)
    for what in dict.fromkeys((*old, *new)):
        same_rows = what.startswith(DATASET) and rows_in_common(before, after, what)
        if old.get(what) != new.get(what) and not same_rows:
            yield Difference(what=what, before=old.get(what, "none"), after=new.get(what, "none"))


def rows_in_common(before: Side, after: Side, role: str) -> bool:
    """Whether a split holds the same rows, whatever was predicted on them."""
    split = role.removeprefix(DATASET)
    return bool(digests_of(before, split) & digests_of(after, split))


def facts(side: Side) -> dict[str, str]:
    """What a reader would ask of a run first."""
    provenance, spec = side.record.provenance, side.spec
    inputs = {
        i.role: f"{i.name} ({i.digest[:12]})"
        for i in provenance.inputs
        if i.role.startswith((DATASET, "vocabulary", "features ")) and i.digest is not None
    }
    return {
        "spec": f"{spec.name} ({provenance.spec_digest[:12]})",
        "model": network_words(side, "model"),
        "extractor": network_words(side, "extractor"),
        **inputs,
        "audits": ", ".join(spec.audits) or "none",
        "seed": str(spec.engine.seed),
        "device": side.record.host.device,
        "auditor": provenance.auditor_version,
    }
