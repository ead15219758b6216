"""What commands print: paths as a user would type them, JSON documents, tables, errors.

Light on purpose: it is imported before any command runs.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from auditor.errors import AuditorError, Problem, SpecError

RED, PLAIN = "\033[31m", "\033[0m"

WIDE = 4096
"""Columns of a table in a pipe: whoever reads it wraps it, or does not."""

KEPT = "\n\t\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
"""What `str.isprintable` counts as control although it only sets words and numbers apart."""


def say(line: str) -> None:
    """One plain line on stdout."""
    print(printable(line))


def note(line: str) -> None:
    """One line beside the output, on stderr."""
    print(printable(line), file=sys.stderr)


def say_json(value: Any) -> None:
    """The one JSON document of a command, on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def shown(path: Path) -> str:
    """A path relative to the current directory where it lies inside it."""
    here = Path.cwd()
    whole = Path(os.path.abspath(path))  # noqa: PTH100 (resolve would follow links)
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)


def printable(text: str) -> str:
    """Text without control characters: a run directory may come from a stranger."""
    return "".join(char if char.isprintable() or char in KEPT else "\ufffd" for char in text)


def say_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table that wraps on a terminal and keeps one line per row in a pipe."""
    from rich.console import Console  # rich is not needed for --help
    from rich.table import Table
    from rich.text import Text

    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    table = Table(*headers, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table)


def say_error(error: AuditorError, *, as_json: bool) -> None:
    """An error as one block on stderr, and as the JSON document where one was asked for."""
    head = f"{RED}error{PLAIN}" if sys.stderr.isatty() else "error"
    print(f"{head}: {printable(str(error))}", file=sys.stderr)
    if as_json:
        say_json({"ok": False, "exit_code": error.exit_code, "error": error_fields(error)})


def error_fields(error: AuditorError) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "kind": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
    }
    if isinstance(error, SpecError):
        fields["problems"] = problem_rows(error)
    return fields


def problem_rows(error: SpecError) -> list[dict[str, Any]]:
    """The problems of a spec as JSON; a spec that cannot be opened is one problem without place."""
    problems = error.problems or (Problem(error.message, hint=error.hint),)
    return [
        {
            "file": problem.location.file if problem.location else None,
            "line": problem.location.line if problem.location else None,
            "column": problem.location.column if problem.location else None,
            "path": problem.path,
            "value": problem.value,
            "message": problem.message,
            "hint": problem.hint,
            "source": problem.source,
        }
        for problem in problems
    ]
