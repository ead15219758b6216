"""What two runs, or the runs of a sweep, come to beside each other.

A comparison is made from findings alone, by the intervals of the numbers that decide them.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

from auditor.results.base import ResultModel, Verdict
from auditor.results.estimate import Estimate
from auditor.spec.rule import Severity

State = Literal["new", "worse", "better", "fixed", "unchanged", "not_comparable"]
"""What became of a finding from the first run to the second."""

Reason = Literal["other data", "other parameters", "other model", "undecided", "did not run"]
"""Why two checks cannot be held against each other."""

PROBLEMS: frozenset[Verdict] = frozenset({"fail", "warn"})
"""Verdicts that say something is wrong."""


class RunSummary(ResultModel):
    """Which run it is, and what binds the comparison to its findings."""

    run_id: str
    """Name of the run directory."""
    name: str
    """Name of the spec."""
    title: str
    """Title of the spec."""
    date: str
    """When it began, UTC, ISO 8601."""
    model: str
    """The model in words, with the start of its digest where it has one."""
    spec_digest: str
    """SHA-256 of the validated spec."""
    findings_digest: str
    """SHA-256 over ids and evidence of all findings."""
    verdict: Verdict | None = None
    """Verdict of the run; None where it was compared before it was judged."""


class Difference(ResultModel):
    """Something other than findings in which two runs differ."""

    what: str
    """Such as `model` or `dataset test`."""
    before: str
    """As it was in the first run."""
    after: str
    """As it is in the second."""


class ComparedSide(ResultModel):
    """One check as one run made it."""

    id: str
    """Id of the finding in that run."""
    verdict: Verdict
    """What the check found."""
    severity: Severity
    """How much a `fail` weighs."""
    estimate: Estimate | None = None
    """The number that decides; None where it was not measured."""
    evidence_digest: str
    """SHA-256 of what the verdict rests on."""


class ComparedFinding(ResultModel):
    """One check, as two runs made it."""

    audit: str
    """Id of the audit in the spec."""
    check: str
    """What was checked: the same in both runs, whatever they found."""
    code: str
    """Code of the finding in the run that found something wrong, the second run first."""
    subjects: tuple[str, ...]
    """What the check is about."""
    claim: str
    """The statement of the same run as `code`."""
    state: State
    """What became of it."""
    reason: Reason | None = None
    """Why it is not comparable; None otherwise."""
    note: str = ""
    """What else a reader must know, in one sentence."""
    metric: str | None = None
    """Name of the number that decides; None where the verdict alone does."""
    before: ComparedSide | None = None
    """The check in the first run; None where that run made none."""
    after: ComparedSide | None = None
    """The check in the second run; None where that run made none."""

    @property
    def telling(self) -> ComparedSide | None:
        """The side that found something wrong, the second run first; else one that is there."""
        sides = [side for side in (self.after, self.before) if side is not None]
        wrong = (side for side in sides if side.verdict in PROBLEMS)
        return next(wrong, next(iter(sides), None))

    @property
    def known(self) -> bool:
        """Whether it is wrong in the second run and neither new nor worse than in the first."""
        wrong = self.after is not None and self.after.verdict in PROBLEMS
        return wrong and self.state in ("unchanged", "better")

    @property
    def listed(self) -> bool:
        """Whether a reader should see it one by one: it changed, or is wrong and odd.

        Checks that pass in both runs are not: under another model most of their numbers move.
        """
        if self.state == "unchanged":
            sides = (self.before, self.after)
            wrong = any(side is not None and side.verdict in PROBLEMS for side in sides)
            return wrong and bool(self.note)
        return self.state != "not_comparable"


class Comparison(ResultModel):
    """Two runs beside each other: `comparison.json`, and what `auditor diff` prints."""

    schema_version: int = 1
    """Version of this layout."""
    before: RunSummary
    """The first run: the baseline."""
    after: RunSummary
    """The second run."""
    differences: tuple[Difference, ...] = ()
    """What else differs between the two: model, data, audits, versions."""
    findings: tuple[ComparedFinding, ...]
    """Every check of either run, in the order of the second run's audits."""

    @property
    def tally(self) -> dict[State, int]:
        """Number of checks by state, every state named."""
        counts = Counter(finding.state for finding in self.findings)
        return {state: counts[state] for state in STATES}

    @property
    def exit_code(self) -> int:
        """0 nothing new or worse, 1 otherwise, 4 where nothing could be compared."""
        tally = self.tally
        if tally["new"] or tally["worse"]:
            return 1
        return 0 if len(self.findings) > tally["not_comparable"] else 4

    @property
    def known(self) -> frozenset[str]:
        """Ids of the second run's findings that are neither new nor worse than in the first."""
        return frozenset(
            finding.after.id
            for finding in self.findings
            if finding.after is not None and finding.known
        )


STATES: tuple[State, ...] = ("new", "worse", "better", "fixed", "unchanged", "not_comparable")
"""Worst first."""


class SweepMember(ResultModel):
    """One run of a sweep."""

    overrides: tuple[str, ...]
    """The overrides that set it apart from the other members."""
    run: RunSummary | None = None
    """The run; None where it broke before there was anything to read."""
    exit_code: int
    """Exit code that the run alone would have ended with."""
    failure: str = ""
    """Why there is no run."""
    comparison: Comparison | None = None
    """Against the reference; None for the reference itself and where there is no run."""


class Sweep(ResultModel):
    """The runs of one sweep: `comparison.json` of `auditor run SPEC KEY=A,B --multirun`."""

    schema_version: int = 1
    """Version of this layout."""
    name: str
    """Name of the spec."""
    title: str
    """Title of the spec."""
    reference: RunSummary | None
    """What every member is compared with: the baseline where one was given, else the first member
    that has a run; None where no member has one."""
    members: tuple[SweepMember, ...]
    """The members, in the order of the product."""
    exit_code: int
    """Exit code of all members together: the first of 3, 2, 1, 4, 0 that one of them ended with."""
