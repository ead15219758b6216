"""One run of a spec, from a plan to sealed files: what `run` and a sweep share."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.cli.rendering import Rendered, ending_fields, render_run
from auditor.cli.terminal import note
from auditor.errors import SpecError
from auditor.spec.formats import Format

if TYPE_CHECKING:
    from auditor.compose.composed import Composed
    from auditor.plan.steps import Plan
    from auditor.store.reader import Run
    from auditor.store.sign import Signer


@dataclass(frozen=True)
class Request:
    """What a command asks of a run, beside its spec.

    Attributes:
        out: Folder of all runs.
        cache_dir: Folder of trained networks and probes.
        fresh: Whether to start anew instead of resuming.
        only: Ids of the audits to run; all if empty.
        allow_code: Whether models may run code of their own.
        copies: File to write the report to -> its format.
        formats: Formats to render into the run directory, beside those of the spec.
        signer: Who signs the run, where anybody does.
        baseline: The run whose findings are known.
    """

    out: Path
    cache_dir: Path
    fresh: bool
    only: tuple[str, ...]
    allow_code: bool
    copies: Mapping[Path, Format]
    formats: tuple[Format, ...]
    signer: Signer | None
    baseline: Run | None


@dataclass(frozen=True)
class Done:
    """What came of one run.

    Attributes:
        run_dir: Its directory.
        rendered: Its record and files.
        warnings: What the user was told before it began.
        comparison: How it stands against the baseline, in a line; None without one.
        exit_code: The worse of its verdict and of what came of the files asked for.
    """

    run_dir: Path
    rendered: Rendered
    warnings: tuple[str, ...]
    comparison: str | None
    exit_code: int


def compose(spec: str, overrides: tuple[str, ...], request: Request) -> Composed:
    """The spec, with the names of chosen audits checked."""
    from auditor.compose.load import load_spec

    composed = load_spec(spec, overrides)
    check_only(request.only, composed)
    return composed


def run_one(composed: Composed, request: Request) -> Done:
    """Plan, run, judge, render and seal."""
    from auditor.engine.execute import RunOptions, execute
    from auditor.engine.progress import progress_on
    from auditor.plan.make import make_plan

    plan = make_plan(composed)
    warnings = warnings_of(composed, plan)
    for warning in warnings:
        note(f"warning: {warning}")
    options = RunOptions(
        out=request.out,
        cache_dir=request.cache_dir,
        fresh=request.fresh,
        only=request.only,
        allow_code=request.allow_code,
        baseline=request.baseline,
        command=shlex.join(["auditor", *sys.argv[1:]]),
        progress=progress_on(sys.stderr),
    )
    run_dir = execute(composed, plan, options)
    rendered = render_run(run_dir, request.copies, request.signer, request.formats)
    return Done(
        run_dir=run_dir,
        rendered=rendered,
        warnings=warnings,
        comparison=against_baseline(run_dir) if request.baseline is not None else None,
        exit_code=joint_exit_code(rendered),
    )


def run_fields(done: Done) -> dict[str, Any]:
    """One run as a JSON document."""
    return {
        "ok": done.exit_code == 0,
        **ending_fields(done.run_dir, done.rendered),
        **({"baseline": done.comparison} if done.comparison is not None else {}),
        "warnings": list(done.warnings),
        "exit_code": done.exit_code,
    }


def read_baseline(name: str, out: Path) -> Run:
    """The run that findings are held against.

    Raises:
        ArtifactError: there is none, it has not ended, or it was altered since it was sealed.
    """
    from auditor.store.find import find_finished
    from auditor.store.reader import read_run
    from auditor.store.verify import refuse_altered

    found = find_finished(name, out)
    refuse_altered(found, rewritten=("report/",))
    return read_run(found)


def against_baseline(run_dir: Path) -> str | None:
    """How a run stands against its baseline, in a line."""
    from auditor.report.comparison_text import as_line
    from auditor.store.reader import read_run

    comparison = read_run(run_dir).comparison
    return None if comparison is None else as_line(comparison)


def joint_exit_code(rendered: Rendered) -> int:
    """The worse of the verdict and of what came of the files asked for with `-o`."""
    from auditor.judge.policy import INCONCLUSIVE, worst_exit_code

    judged = rendered.record.exit_code
    return worst_exit_code([rendered.exit_code, INCONCLUSIVE if judged is None else judged])


def check_only(only: Sequence[str], composed: Composed) -> None:
    """Refuse the name of an audit that the spec does not have."""
    from auditor.near import suggest

    for name in only:
        if name not in composed.spec.audits:
            raise SpecError(
                f"--only {name}: the spec has no such audit",
                hint=suggest(name, composed.spec.audits, "audit"),
            )


def warnings_of(composed: Composed, plan: Plan) -> tuple[str, ...]:
    """What a user should know before the run begins."""
    review = composed.spec.review
    if review is None or Path(review).is_file():
        return plan.warnings
    return (*plan.warnings, f"the review file {review} is not there yet: nothing is signed off")
