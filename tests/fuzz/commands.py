"""Commands called in this process on input that nobody meant, and what they owe all the same."""

from __future__ import annotations

import io
import json
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from auditor.cli import main as command_line

SECONDS = 20
"""Longer than any command takes on the small inputs of these tests; beyond it, it hangs."""

MEMORY = 3 << 30
"""Bytes beyond what the process has: an allocation bomb ends in a traceback, not in swap."""


class Hang(BaseException):
    """No `except Exception` catches it."""


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


def call(*arguments: str) -> Done:
    """`auditor ARGUMENTS` with a limit of time."""

    def hang(_signal: int, _frame: object) -> None:
        raise Hang(f"auditor {' '.join(arguments)} ran for more than {SECONDS} s")

    before, sys.argv = sys.argv, ["auditor", *arguments]
    old = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            command_line.main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
        sys.argv = before
    return Done(code, out.getvalue(), err.getvalue())


@contextmanager
def built_once() -> Iterator[None]:
    """Let typer read the signatures of all commands once, and not for every call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command_line, "app", typer.main.get_command(command_line.app))
        yield


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Let this process allocate `MEMORY` more than it has."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def check(*arguments: str, codes: tuple[int, ...]) -> Done:
    """Call a command; whatever it was given, it ends as the contract says.

    Args:
        arguments: The command line; `--json` asks for one document.
        codes: Exit codes that the command may have.
    """
    done = call(*arguments)
    told = f"auditor {' '.join(arguments)}: exit code {done.code}\n{done.err}"
    assert "Traceback" not in done.err, told
    assert done.code in codes, told
    if "--json" in arguments:
        document = json.loads(done.out, parse_constant=refuse)
        assert document.get("ok", True) is (done.code == 0), told
        assert document.get("exit_code", done.code) == done.code, told
    elif done.code >= 2 and not done.out:
        assert done.err.startswith("error: "), told
    return done


def check_both(*arguments: str, codes: tuple[int, ...]) -> Done:
    """`check` with and without `--json`: how it is told changes nothing of how it ends."""
    plain, asked = check(*arguments, codes=codes), check(*arguments, "--json", codes=codes)
    assert plain.code == asked.code, f"{plain.err}\n{asked.err}"
    return asked


def refuse(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")
