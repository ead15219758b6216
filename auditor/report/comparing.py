"""Two runs beside each other in words: for the report of a run with a baseline, and for the pages
that `auditor diff` and sweeps write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from auditor.results.comparison import (
    PROBLEMS,
    STATES,
    ComparedFinding,
    ComparedSide,
    Comparison,
    RunSummary,
    State,
)
from auditor.wording import (
    ABSENT,
    VERDICTS,
    count,
    counted,
    listing,
    plain,
    sentence,
    short_digest,
    with_interval,
)

TITLES: dict[State, str] = {
    "new": "New",
    "worse": "Worse",
    "better": "Better",
    "fixed": "Fixed",
    "unchanged": "Unchanged",
    "not_comparable": "Not comparable",
}

MARKS: dict[State, str] = {
    "new": "fail",
    "worse": "fail",
    "better": "pass",
    "fixed": "pass",
    "unchanged": "none",
    "not_comparable": "inconclusive",
}
"""Which shape stands before a state: the same four as for verdicts."""

MEANINGS: dict[State, str] = {
    "new": "The first run did not find this, or could not decide it.",
    "worse": "Both runs found this, and its number is surely worse in the second.",
    "better": "Both runs found this, and its number is surely better in the second.",
    "fixed": "The first run found this; the second made the same check and did not.",
    "unchanged": "No sure change, and yet something that a reader should know.",
    "not_comparable": "The two runs did not ask the same, so nothing is said.",
}

READING = (
    "Intervals decide, not values: a finding got worse or better only where the intervals of the "
    "number behind it do not overlap. Were the same model measured twice on fresh images of one "
    "kind, less than one check in a hundred would differ in that way by chance.",
    "A verdict that changed although the intervals overlap counts as unchanged and is listed: "
    "chance can do that. A baseline with wide intervals therefore hides more than one with narrow "
    "ones.",
    "Silence is not taken for an improvement: what can no longer be decided, or is no longer "
    "asked, is not fixed.",
)


class Mark(NamedTuple):
    """A state as a shape and a word."""

    kind: str
    word: str


class ChangeRow(NamedTuple):
    """One check in two runs."""

    mark: Mark
    id: str
    claim: str
    audit: str
    metric: str
    before: str
    after: str
    note: str


class ChangeGroup(NamedTuple):
    """Checks with one state."""

    state: State
    mark: Mark
    meaning: str
    rows: tuple[ChangeRow, ...]


class RefusedRow(NamedTuple):
    """Checks of one audit that cannot be compared for one reason."""

    audit: str
    reason: str
    why: str
    checks: str
    failing: str


@dataclass(frozen=True)
class ComparisonBlock:
    """Two runs beside each other.

    Attributes:
        mark: What came of it, as a shape and a word.
        headline: What came of it in one sentence.
        tally: Number of checks by state, in words.
        verdicts: What each of the two runs came to.
        runs: Which they are and in what they differ: name, before, after.
        sameness: What is the same, in a sentence.
        groups: What changed, and what is odd; worst first.
        refused: What cannot be compared, by audit and reason.
        reading: How to read it.
    """

    mark: Mark
    headline: str
    tally: str
    verdicts: tuple[Mark, Mark]
    runs: tuple[tuple[str, str, str], ...]
    sameness: str
    groups: tuple[ChangeGroup, ...]
    refused: tuple[RefusedRow, ...]
    reading: tuple[str, ...]


def make_comparison(comparison: Comparison) -> ComparisonBlock:
    """A comparison in words."""
    before, after, differ = comparison.before, comparison.after, comparison.differences
    return ComparisonBlock(
        mark=overall(comparison),
        headline=headline(comparison),
        tally=tally_words(comparison),
        verdicts=(verdict_of(before), verdict_of(after)),
        runs=(
            ("Run", plain(before.run_id), plain(after.run_id)),
            (
                "Digest of findings",
                short_digest(before.findings_digest),
                short_digest(after.findings_digest),
            ),
            *((sentence(plain(d.what))[:-1], plain(d.before), plain(d.after)) for d in differ),
        ),
        sameness=sameness(len(differ)),
        groups=tuple(groups_of(comparison.findings)),
        refused=tuple(refused_rows(comparison.findings)),
        reading=READING,
    )


def overall(comparison: Comparison) -> Mark:
    """What came of a comparison as a shape and a word."""
    match comparison.exit_code:
        case 0:
            return Mark("pass", "Nothing new or worse")
        case 1:
            return Mark("fail", "New or worse")
        case _:
            return Mark("inconclusive", "Not comparable")


def headline(comparison: Comparison) -> str:
    """What came of a comparison in one sentence."""
    tally = comparison.tally
    match comparison.exit_code:
        case 0:
            return "Nothing is new or worse than in the first run."
        case 1:
            parts = [f"{count(tally[s])} {s}" for s in ("new", "worse") if tally[s]]
            total = tally["new"] + tally["worse"]
            return f"{listing(parts)} finding{'' if total == 1 else 's'}."
        case _:
            return "The two runs have no check that can be compared."


def tally_words(comparison: Comparison) -> str:
    """`Of 237 checks, 1 is new, 2 fixed and 234 unchanged.`"""
    tally = comparison.tally
    parts = [f"{count(tally[s])} {TITLES[s].lower()}" for s in STATES if tally[s]]
    if not parts:
        return "Neither run made a check."
    return f"{counted(len(comparison.findings), 'check')}: {listing(parts)}."


def verdict_of(run: RunSummary) -> Mark:
    """What a run came to; the report of a run that is being judged says so itself."""
    return Mark(run.verdict, VERDICTS[run.verdict]) if run.verdict else Mark("none", "This run")


def sameness(num_differences: int) -> str:
    """Whether anything but the findings differs between two runs."""
    if num_differences:
        return "What is not listed here is the same in both runs."
    return "Spec, model, data, seed, device and version are the same in both runs."


def groups_of(findings: Sequence[ComparedFinding]) -> list[ChangeGroup]:
    """What a reader should see one by one, worst first."""
    found = []
    for state in STATES:
        rows = tuple(change_row(f) for f in findings if f.listed and f.state == state)
        if rows:
            found.append(ChangeGroup(state, mark_of(state), MEANINGS[state], rows))
    return found


def mark_of(state: State) -> Mark:
    return Mark(MARKS[state], TITLES[state])


def change_row(finding: ComparedFinding) -> ChangeRow:
    """One check in words."""
    side = finding.telling
    return ChangeRow(
        mark=mark_of(finding.state),
        id=plain(side.id) if side is not None else plain(finding.code),
        claim=sentence(plain(finding.claim)),
        audit=plain(finding.audit),
        metric=plain((finding.metric or "").replace("_", " ")),
        before=side_words(finding.before),
        after=side_words(finding.after),
        note=sentence(plain(finding.note)),
    )


def side_words(side: ComparedSide | None) -> str:
    """`Failed, 0.61 (0.58 to 0.64)`; a dash where the run made no such check."""
    if side is None:
        return ABSENT
    value = side.estimate
    number = f", {with_interval(value)}" if value is not None and value.value is not None else ""
    return f"{VERDICTS[side.verdict]}{number}"


def refused_rows(findings: Sequence[ComparedFinding]) -> list[RefusedRow]:
    """What cannot be compared, by audit, reason and words."""
    kinds: dict[tuple[str, str, str], list[ComparedFinding]] = {}
    for finding in findings:
        if finding.state == "not_comparable":
            key = (finding.audit, finding.reason or "", finding.note)
            kinds.setdefault(key, []).append(finding)
    return [
        RefusedRow(
            audit=plain(audit),
            reason=plain(reason).capitalize(),
            why=sentence(plain(note)),
            checks=count(len(members)),
            failing=count(sum(is_wrong(member.after) for member in members)),
        )
        for (audit, reason, note), members in kinds.items()
    ]


def is_wrong(side: ComparedSide | None) -> bool:
    return side is not None and side.verdict in PROBLEMS
