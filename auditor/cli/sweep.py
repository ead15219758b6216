"""`auditor run SPEC KEY=A,B --multirun`: one run per combination, and one comparison of them all.

<out>/<name>/sweeps/<UTC time>/   comparison.json  comparison.html  comparison.pdf
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.cli.diff import comparison_format, write_comparison
from auditor.cli.terminal import note, say, say_json, shown
from auditor.errors import AuditorError, MissingDependencyError

if TYPE_CHECKING:
    from auditor.cli.running import Request
    from auditor.compose.composed import Composed
    from auditor.compose.sweep import Combination
    from auditor.results.comparison import Sweep
    from auditor.store.compare import Member

FORMATS = ("json", "html", "pdf")
"""What a sweep writes."""


def run_sweep(
    spec: str,
    overrides: tuple[str, ...],
    request: Request,
    output: Sequence[Path],
    *,
    as_json: bool,
) -> int:
    """Run every combination as a run of its own, compare them, and say what is where.

    Every spec is composed before the first run begins. A run that breaks leaves the others alone.

    Returns:
        The joint exit code: the first of 3, 2, 1, 4, 0 that a run ended with.

    Raises:
        SpecError: no override has several values, or a combination is not valid.
        ExecutionError: the comparison cannot be written.
    """
    from auditor.cli.running import compose
    from auditor.compose.sweep import combinations
    from auditor.judge.policy import worst_exit_code
    from auditor.store.compare import compare_sweep
    from auditor.store.layout import new_sweep_folder

    wanted = {path: comparison_format(path) for path in output}
    plans = [(each, compose(spec, each.overrides, request)) for each in combinations(overrides)]
    members = []
    for number, (combination, composed) in enumerate(plans, start=1):
        note(f"run {number} of {len(plans)}: {' '.join(combination.varied)}")
        members.append(run_member(combination, composed, request))
    first = plans[0][1].spec
    sweep = compare_sweep(
        members, name=first.name, title=first.title or first.name, baseline=request.baseline
    )
    folder = new_sweep_folder(request.out, first.name)
    files = write_comparison(sweep, {folder / f"comparison.{name}": name for name in FORMATS})
    copies = write_comparison(sweep, wanted)
    missing = len(copies) < len(wanted)
    exit_code = worst_exit_code(
        [sweep.exit_code, *([MissingDependencyError.exit_code] if missing else [])]
    )
    if as_json:
        say_json(as_document(sweep, members, files, copies, exit_code))
    else:
        say_sweep(sweep, files, copies)
    return exit_code


def run_member(combination: Combination, composed: Composed, request: Request) -> Member:
    """One run of a sweep; what a user can mend is noted, and the next run begins."""
    from auditor.cli.running import run_one
    from auditor.store.compare import Member
    from auditor.store.reader import read_run

    try:
        done = run_one(composed, request)
    except AuditorError as error:
        note(f"error: {error}")
        return Member(combination.varied, None, error.exit_code, error.message)
    return Member(combination.varied, read_run(done.run_dir), done.exit_code)


def say_sweep(sweep: Sweep, files: Sequence[Path], copies: Sequence[Path]) -> None:
    """The plain lines that a sweep ends with."""
    from auditor.report.comparison_text import as_text

    for line in as_text(sweep).splitlines():
        say(line)
    for path in files:
        say(f"{path.suffix.removeprefix('.')}: {shown(path)}")
    for path in copies:
        say(f"copy: {shown(path)}")
    codes = ", ".join(str(member.exit_code) for member in sweep.members)
    say(f"verdict: exit code {sweep.exit_code}, the gravest of {codes}")


def as_document(
    sweep: Sweep,
    members: Sequence[Member],
    files: Sequence[Path],
    copies: Sequence[Path],
    exit_code: int,
) -> dict[str, Any]:
    """The sweep as one JSON document."""
    return {
        "ok": exit_code == 0,
        **sweep.model_dump(mode="json"),
        "exit_code": exit_code,
        "runs": [shown(member.run.paths.root) if member.run else None for member in members],
        "files": [shown(path) for path in files],
        "copies": [shown(path) for path in copies],
    }
