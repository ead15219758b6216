"""`auditor verify`: is a run still what was sealed? Exit 0 intact, 1 altered, 2 not a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from auditor.cli.terminal import say, say_json, shown

if TYPE_CHECKING:
    from auditor.store.verify import Verification

ALTERED = 1


def command(
    run: str = typer.Argument(help="A run directory, the name of a spec, or `latest`."),
    out: Path = typer.Option(Path("reports"), help="Folder of all runs."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Check every digest of a run and say what was changed."""
    from auditor.store.find import find_run
    from auditor.store.verify import verify_run

    run_dir = find_run(run, out)
    found = verify_run(run_dir)
    kinds = {"changed": found.changed, "missing": found.missing, "added": found.added}
    if as_json:
        say_json(
            {
                "ok": found.intact,
                "run": shown(run_dir),
                "digest": found.digest,
                "num_files": found.num_files,
                "history": list(found.history),
                **{kind: list(names) for kind, names in kinds.items()},
            }
        )
    else:
        for kind, names in kinds.items():
            for name in names:
                say(f"{kind}: {name}")
        say(f"run: {shown(run_dir)}")
        say(f"manifest digest: {found.digest or 'none'}")
        say(f"verdict: {verdict(found)} ({found.num_files} files sealed)")
    if not found.intact:
        raise typer.Exit(ALTERED)


def verdict(found: Verification) -> str:
    """What became of the run, in words; without a manifest nobody can tell what it was."""
    if found.intact:
        return "intact"
    if found.digest is None:
        return "not sealed: the run was stopped before its report, or its manifest was removed"
    return "altered since it was sealed"
