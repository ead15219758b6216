"""`auditor run`: from a spec to a report, and to an exit code that CI can act on."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from auditor.cli.rendering import (
    Rendered,
    ending_fields,
    named_formats,
    render_run,
    requested_format,
    say_ending,
)
from auditor.cli.terminal import note, say_json
from auditor.errors import SpecError
from auditor.spec.formats import FORMATS

if TYPE_CHECKING:
    from auditor.compose.composed import Composed
    from auditor.plan.steps import Plan

INTERRUPTED = 130


def command(
    spec: str = typer.Argument(help="A .yaml file, or the name of a packaged spec."),
    overrides: list[str] = typer.Argument(None, help="Changes such as engine.device=cpu."),
    out: Path = typer.Option(Path("reports"), help="Folder of all runs."),
    fresh: bool = typer.Option(False, "--fresh", help="Start anew instead of resuming."),
    only: list[str] = typer.Option([], help="Run this audit alone; may be repeated."),
    allow_code: bool = typer.Option(
        False, "--allow-code", help="Let models run code of their own (TorchScript, python …)."
    ),
    output: list[Path] = typer.Option(
        [], "-o", "--output", help="Also write the report here; the suffix names the format."
    ),
    formats: list[str] = typer.Option(
        [], "--format", help=f"Also render one of {', '.join(FORMATS)}; repeatable."
    ),
    cache_dir: Path = typer.Option(
        Path(".auditor-cache"), envvar="AUDITOR_CACHE", help="Trained networks and probes."
    ),
    sign_key: Path | None = typer.Option(None, help="Ed25519 key (PEM) to sign the run with."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Plan, run, judge and report. Continues an interrupted run of the same spec."""
    wanted = {path: requested_format(path) for path in output}
    named = named_formats(formats)

    from auditor.store.sign import signer_from

    signer = signer_from(sign_key)

    from auditor.compose.load import load_spec

    composed = load_spec(spec, tuple(overrides or ()))
    check_only(only, composed)

    from auditor.engine.execute import RunOptions, execute
    from auditor.engine.progress import progress_on
    from auditor.plan.make import make_plan

    plan = make_plan(composed)
    warnings = warnings_of(composed, plan)
    for warning in warnings:
        note(f"warning: {warning}")
    options = RunOptions(
        out=out,
        cache_dir=cache_dir,
        fresh=fresh,
        only=tuple(only),
        allow_code=allow_code,
        command=shlex.join(["auditor", *sys.argv[1:]]),
        progress=progress_on(sys.stderr),
    )
    try:
        run_dir = execute(composed, plan, options)
        rendered = render_run(run_dir, wanted, signer, named)
    except KeyboardInterrupt:
        note("interrupted: nothing that was finished is lost; the same command resumes the run")
        raise typer.Exit(INTERRUPTED) from None

    exit_code = joint_exit_code(rendered)
    if as_json:
        fields = ending_fields(run_dir, rendered)
        say_json(
            {"ok": exit_code == 0, **fields, "warnings": list(warnings), "exit_code": exit_code}
        )
    else:
        say_ending(run_dir, rendered)
    raise typer.Exit(exit_code)


def joint_exit_code(rendered: Rendered) -> int:
    """The worse of the verdict and of what came of the files asked for with `-o`."""
    from auditor.judge.policy import INCONCLUSIVE, worst_exit_code

    judged = rendered.record.exit_code
    return worst_exit_code([rendered.exit_code, INCONCLUSIVE if judged is None else judged])


def check_only(only: list[str], composed: Composed) -> None:
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
