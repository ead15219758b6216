"""`auditor validate`: is this a spec? Every mistake at once, and nothing but the spec is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from auditor.cli.terminal import note, problem_rows, say, say_json
from auditor.errors import SpecError

if TYPE_CHECKING:
    from auditor.compose.composed import Composed


def command(
    spec: str = typer.Argument(help="A .yaml file, or the name of a packaged spec."),
    overrides: list[str] = typer.Argument(None, help="Changes such as engine.device=cpu."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Compose a spec with its groups and overrides, and check everything that needs no data."""
    from auditor.compose.load import load_spec

    try:
        composed = load_spec(spec, tuple(overrides or ()))
    except SpecError as error:
        if not as_json:
            raise
        say_json({"ok": False, "digest": None, "warnings": [], "errors": problem_rows(error)})
        raise typer.Exit(error.exit_code) from error

    if as_json:
        warnings = list(composed.warnings)
        say_json({"ok": True, "digest": composed.digest, "warnings": warnings, "errors": []})
        return
    for warning in composed.warnings:
        note(f"warning: {warning}")
    say(f"ok: {composed.path} ({contents(composed)})")
    say(f"digest: {composed.digest}")


def contents(composed: Composed) -> str:
    """`1 audit, 20 attributes, 190 rules`."""
    counts = {
        "audit": len(composed.spec.audits),
        "attribute": len(composed.spec.attributes),
        "rule": len(composed.rules),
    }
    return ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for word, n in counts.items())
