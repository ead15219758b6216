"""The command line: which commands there are, and how an error reaches the terminal.

Each command is one file beside this one. Only typer is loaded here; a command loads what it needs
when it runs, so `auditor --help` is quick.
"""

from __future__ import annotations

import io
import sys
import traceback
from typing import Protocol, TypeGuard

import typer

from auditor.cli import (
    diff,
    explain,
    init,
    layers,
    plan,
    report,
    review,
    run,
    schema,
    show,
    validate,
    verify,
    words,
)
from auditor.cli import list as list_runs
from auditor.cli.terminal import note, say_error, say_json
from auditor.errors import AuditorError, ExecutionError, SpecError

BROKE = ExecutionError.exit_code

app = typer.Typer(
    name="auditor",
    help="Audit vision models: what a spec asks, a run answers and a report shows.",
    epilog="Exit codes: 0 passed, 1 the policy failed, 2 invalid input, 3 the run broke, "
    "4 inconclusive.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def print_version(wanted: bool) -> None:
    if wanted:
        print(name_and_version())
        raise typer.Exit


def name_and_version() -> str:
    from importlib.metadata import version  # a tenth of the time that `--help` takes

    return f"auditor {version('auditor')}"


@app.callback()
def options(
    _version: bool = typer.Option(
        False, "--version", callback=print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Audit vision models: what a spec asks, a run answers and a report shows."""


app.command("init")(init.command)
app.command("validate")(validate.command)
app.command("schema")(schema.command)
app.command("layers")(layers.command)
app.command("words")(words.command)
app.command("plan")(plan.command)
app.command("run")(run.command)
app.command("report")(report.command)
app.command("review")(review.command)
app.command("diff")(diff.command)
app.command("list")(list_runs.command)
app.command("show")(show.command)
app.command("explain")(explain.command)
app.command("verify")(verify.command)


def main() -> None:
    """Run a command. Errors that a user can mend print one block; defects keep their traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a letter is no reason to break.
            stream.reconfigure(errors="backslashreplace")
    as_json = "--json" in sys.argv[1:]
    try:
        code = app(standalone_mode=False)
    except AuditorError as error:
        say_error(error, as_json=as_json)
        code = error.exit_code
    except Exception as error:
        if is_usage(error):
            error.show()
            code = SpecError.exit_code
            kind, told = "UsageError", error.format_message()
        else:
            traceback.print_exc()
            note(
                "This is a defect of auditor, not of your spec. Please report it with the lines "
                f"above and the version, {name_and_version()}."
            )
            code = BROKE
            kind, told = type(error).__name__, f"a defect of auditor, not of your spec: {error}"
        if as_json:
            fields = {"kind": kind, "message": told, "hint": None}
            say_json({"ok": False, "exit_code": code, "error": fields})
    sys.exit(code)


class Usage(Protocol):
    """A mistake in how a command was typed; where the class of it lives depends on typer's age."""

    def show(self) -> None:
        """Print the usage and what is wrong with it."""

    def format_message(self) -> str:
        """What is wrong, in one sentence."""


def is_usage(error: Exception) -> TypeGuard[Usage]:
    return hasattr(error, "show") and hasattr(error, "format_message")


if __name__ == "__main__":
    main()
