"""`auditor run`: from a spec to a report, and to an exit code that CI can act on."""

from __future__ import annotations

from pathlib import Path

import typer

from auditor.cli.rendering import named_formats, requested_format, say_ending
from auditor.cli.running import Request, compose, read_baseline, run_fields, run_one
from auditor.cli.terminal import note, say, say_json
from auditor.spec.formats import FORMATS

INTERRUPTED = 130

BASELINE = typer.Option(
    None,
    metavar="RUN",
    help="An earlier run: what it found before fails this one only where it got worse.",
)
MULTIRUN = typer.Option(
    False,
    "--multirun",
    help="Run every combination of overrides with several values, such as model=a,b, and compare "
    "the runs; -o then names files of the comparison.",
)


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
    baseline: str | None = BASELINE,
    multirun: bool = MULTIRUN,
    sign_key: Path | None = typer.Option(None, help="Ed25519 key (PEM) to sign the run with."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Plan, run, judge and report. Continues an interrupted run of the same spec."""
    named, changes = named_formats(formats), tuple(overrides or ())
    copies = {} if multirun else {path: requested_format(path) for path in output}

    from auditor.store.sign import signer_from

    request = Request(
        out=out,
        cache_dir=cache_dir,
        fresh=fresh,
        only=tuple(only),
        allow_code=allow_code,
        copies=copies,
        formats=named,
        signer=signer_from(sign_key),
        baseline=read_baseline(baseline, out) if baseline is not None else None,
    )
    try:
        code = carry_out(spec, changes, request, output if multirun else None, as_json=as_json)
    except KeyboardInterrupt:
        note("interrupted: nothing that was finished is lost; the same command resumes the run")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(code)


def carry_out(
    spec: str,
    overrides: tuple[str, ...],
    request: Request,
    sweep_output: list[Path] | None,
    *,
    as_json: bool,
) -> int:
    """Run a spec once, or once per combination where a sweep was asked for; the exit code."""
    if sweep_output is not None:
        from auditor.cli.sweep import run_sweep

        return run_sweep(spec, overrides, request, sweep_output, as_json=as_json)
    done = run_one(compose(spec, overrides, request), request)
    if as_json:
        say_json(run_fields(done))
    else:
        if done.comparison is not None:
            say(f"baseline: {done.comparison}")
        say_ending(done.run_dir, done.rendered)
    return done.exit_code
