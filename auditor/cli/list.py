"""`auditor list`: every run with its verdict, the newest first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from auditor.cli.terminal import say, say_json, say_table, shown
from auditor.errors import ArtifactError


def command(
    out: Path = typer.Option(Path("reports"), help="Folder of all runs."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """List the runs of all specs with their verdicts."""
    from auditor.store.find import all_runs

    rows = [row_of(run) for run in reversed(all_runs(out))]
    if as_json:
        say_json({"ok": True, "runs": rows})
    elif rows:
        columns = ("name", "run", "status", "verdict", "title")
        for row in rows:
            # A run that was stopped before its manifest is not finished, whatever it found.
            row["status"] = row["status"] if row["sealed"] else f"{row['status']}, not sealed"
        cells = [[str(row[column] or "–") for column in columns] for row in rows]
        say_table(columns, cells)
    else:
        say(f"no runs in {shown(out)} yet; `auditor run SPEC` makes one")


def row_of(run: Path) -> dict[str, Any]:
    """One run; a damaged record is listed as such, so that it hides no other run."""
    from auditor.store.find import read_record
    from auditor.store.layout import RunPaths

    try:
        record = read_record(run)
    except ArtifactError as error:
        return {
            "name": run.parent.name,
            "run": shown(run),
            "status": "damaged",
            "sealed": False,
            "verdict": None,
            "exit_code": None,
            "started": None,
            "title": error.message,
        }
    return {
        "name": record.name,
        "run": shown(run),
        "status": record.status,
        "sealed": RunPaths(run).manifest.is_file(),
        "verdict": record.verdict,
        "exit_code": record.exit_code,
        "started": record.times.started,
        "title": record.title,
    }
