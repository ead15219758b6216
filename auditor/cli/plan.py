"""`auditor plan`: what a run would do, before it does anything."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer


class Format(StrEnum):
    """How the plan is written."""

    TEXT = "text"
    JSON = "json"
    MERMAID = "mermaid"


def command(
    spec: str = typer.Argument(help="A .yaml file, or the name of a packaged spec."),
    overrides: list[str] = typer.Argument(None, help="Changes such as engine.device=cpu."),
    written_as: Format = typer.Option(Format.TEXT, "--format", help="How the plan is written."),
    probe: bool = typer.Option(
        False, "--probe", help="Measure FLOPs and memory on a few images first; loads torch."
    ),
    allow_code: bool = typer.Option(
        False, "--allow-code", help="With --probe: let models run code of their own."
    ),
    cache_dir: Path = typer.Option(
        Path(".auditor-cache"), envvar="AUDITOR_CACHE", help="Trained networks and probes."
    ),
    out: Path = typer.Option(Path("reports"), help="Folder of all runs."),
    as_json: bool = typer.Option(False, "--json", help="The same as --format json."),
) -> None:
    """Show the steps of a run, what they share, what they cost and what is already there."""
    from auditor.compose.load import load_spec
    from auditor.plan.explain import explain
    from auditor.plan.make import make_plan
    from auditor.plan.mermaid import to_mermaid
    from auditor.store.history import look_back

    composed = load_spec(spec, tuple(overrides or ()))
    if probe:
        from auditor.engine.probe import probe as measure

        measure(composed, make_plan(composed), cache_dir=cache_dir, allow_code=allow_code)

    history = look_back(composed.spec.name, composed.digest, out=out, cache_dir=cache_dir)
    plan = make_plan(composed, history=history)
    match Format.JSON if as_json else written_as:
        case Format.JSON:
            typer.echo(plan.model_dump_json(indent=2))
        case Format.MERMAID:
            typer.echo(to_mermaid(plan), nl=False)
        case Format.TEXT:
            typer.echo(explain(plan), nl=False)
