"""Runs beside each other, read from their directories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.judge.compare import compare_runs, summary_of
from auditor.judge.policy import worst_exit_code
from auditor.judge.question import Side
from auditor.results.comparison import Comparison, Sweep, SweepMember
from auditor.results.finding import Finding
from auditor.results.run_record import RunRecord
from auditor.store.layout import RunPaths
from auditor.store.reader import Run, read_own_spec


def diff_runs(before: Run, after: Run) -> Comparison:
    """What is new, worse, better, fixed, unchanged or not comparable in the second of two runs.

    Intervals decide, not values; see `auditor.judge.compare`.

    Args:
        before: The earlier run, as `read_run` gives it.
        after: The later run.
    """
    return compare_runs(side_of(before), side_of(after))


def side_of(run: Run) -> Side:
    """The part of a run that a comparison looks at."""
    return Side(spec=run.spec, rules=run.rules, record=run.record, findings=tuple(run.findings))


def compare_with_baseline(
    baseline: Run, paths: RunPaths, record: RunRecord, findings: Sequence[Finding]
) -> Comparison:
    """Hold a run that is about to be judged against an earlier one.

    The spec is read back from the run directory: both sides are as they are written down.

    Args:
        baseline: The earlier run.
        paths: The run directory, with spec and rules.
        record: Its record as it will be written, but for the verdict.
        findings: Every check that it made.
    """
    spec, rules = read_own_spec(paths)
    return compare_runs(side_of(baseline), Side(spec, rules, record, tuple(findings)))


@dataclass(frozen=True)
class Member:
    """One run of a sweep.

    Attributes:
        overrides: The overrides that set it apart.
        run: The run; None where it broke before there was anything to read.
        exit_code: What it would have ended with alone.
        failure: Why there is no run.
    """

    overrides: tuple[str, ...]
    run: Run | None
    exit_code: int
    failure: str = ""


def compare_sweep(
    members: Sequence[Member], *, name: str, title: str, baseline: Run | None
) -> Sweep:
    """Hold every run of a sweep against the baseline, or else against the first of them.

    Args:
        members: The runs, in the order of the product.
        name: Name of the spec.
        title: Its title.
        baseline: What to compare with; the first run that there is by default.
    """
    runs = [member.run for member in members if member.run is not None]
    reference = baseline or next(iter(runs), None)
    return Sweep(
        name=name,
        title=title,
        reference=None if reference is None else summary_of(side_of(reference)),
        members=tuple(
            SweepMember(
                overrides=member.overrides,
                run=None if member.run is None else summary_of(side_of(member.run)),
                exit_code=member.exit_code,
                failure=member.failure,
                comparison=None
                if member.run is None or reference is None or member.run is reference
                else diff_runs(reference, member.run),
            )
            for member in members
        ),
        exit_code=worst_exit_code(member.exit_code for member in members),
    )
