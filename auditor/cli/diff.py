"""`auditor diff`: what is new, worse, better or fixed between two runs, and what nobody can say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from auditor.cli.terminal import note, say, say_json, shown
from auditor.errors import MissingDependencyError, SpecError

if TYPE_CHECKING:
    from auditor.results.comparison import Comparison, Sweep

FORMATS = ("txt", "json", "html", "pdf")
"""What a comparison can be written as, by file suffix."""


def command(
    before: str = typer.Argument(
        help="The earlier run: a run directory, the name of a spec, or `latest`."
    ),
    after: str = typer.Argument(help="The later run."),
    output: list[Path] = typer.Option(
        [], "-o", "--output", help="Also write it here, as .txt, .json, .html or .pdf; repeatable."
    ),
    out: Path = typer.Option(Path("reports"), help="Folder of all runs."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Compare two runs by the intervals of their numbers.

    Exits 0 if nothing is new or worse, 1 otherwise, 4 if nothing can be compared.
    """
    wanted = {path: comparison_format(path) for path in output}

    from auditor.report.comparison_text import as_text
    from auditor.store.compare import diff_runs
    from auditor.store.find import find_run
    from auditor.store.reader import read_run

    comparison = diff_runs(read_run(find_run(before, out)), read_run(find_run(after, out)))
    exit_code = comparison.exit_code
    written = write_comparison(comparison, wanted)
    if len(written) < len(wanted):
        exit_code = MissingDependencyError.exit_code
    if as_json:
        say_json(as_document(comparison, written, exit_code))
    else:
        for line in as_text(comparison).splitlines():
            say(line)
        for path in written:
            say(f"copy: {shown(path)}")
    raise typer.Exit(exit_code)


def comparison_format(path: Path) -> str:
    """The format that a file name asks for.

    Raises:
        SpecError: the suffix is none that exists.
    """
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in FORMATS:
        existing = ", ".join(f".{name}" for name in FORMATS)
        raise SpecError(
            f"-o {path}: a comparison has no format {path.suffix or 'without a suffix'}",
            hint=f"The formats are {existing}.",
        )
    return suffix


def write_comparison(
    comparison: Comparison | Sweep, wanted: Mapping[Path, str]
) -> tuple[Path, ...]:
    """Write a comparison where it was asked for; a note tells what this machine cannot make.

    Returns:
        The files written.

    Raises:
        ExecutionError: a file cannot be written.
    """
    if not wanted:
        return ()
    from auditor.report.comparison import render_comparison  # what draws pages takes a second
    from auditor.store.atomic import write_bytes

    written = []
    for path, name in wanted.items():
        try:
            write_bytes(path, render_comparison(comparison, name))
        except MissingDependencyError as error:
            note(f"{name}: not written: {error.message}. {error.hint or ''}".rstrip())
        else:
            written.append(path)
    return tuple(written)


def as_document(comparison: Comparison, written: Sequence[Path], exit_code: int) -> dict[str, Any]:
    """The comparison as one JSON document."""
    return {
        "ok": exit_code == 0,
        "exit_code": exit_code,
        "tally": comparison.tally,
        **comparison.model_dump(mode="json"),
        "copies": [shown(path) for path in written],
    }
