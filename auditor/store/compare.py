"""Runs beside each other, read from their directories."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.judge.compare import compare_runs
from auditor.judge.question import Side
from auditor.results.comparison import Comparison
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
