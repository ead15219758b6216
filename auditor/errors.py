"""Every error that a user can mend, and nothing else.

    AuditorError                  one block on the terminal, no traceback
    ├── SpecError                 the spec, an override or the usage is wrong            exit 2
    ├── PlanError                 the spec is sound, but an input cannot fit it          exit 2
    ├── InputError                a model, image, table or weight file is not usable     exit 2
    ├── MissingDependencyError    an optional package or system library is absent        exit 2
    ├── ExecutionError            the run broke: disk, memory, permission, bad images    exit 3
    ├── ArtifactError             a run directory is not one, is damaged or too new      exit 2
    └── RenderError               a report could not be made from a sound run            exit 3

Anything that is not an AuditorError is a defect of this package and keeps its traceback.
Argument mistakes in Python calls stay `ValueError` and `TypeError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Location:
    """A place in a text file, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a spec: what, where, which value, the next move."""

    message: str
    path: str = ""
    """Dotted path of the value inside the composed spec, such as `audits.failures.max_depth`."""
    location: Location | None = None
    """Where the file that set the value says so; None where an override did, or nothing."""
    source: str = "file"
    """`file`, or the override that set the value, as the user typed it."""
    value: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        override = "" if self.source == "file" else f"override {self.source}"
        head = "  ".join(part for part in (str(self.location or override), self.path) if part)
        message = self.message if self.value is None else f"{self.message} (got {self.value})"
        return "\n    ".join(line for line in (head, message, self.hint) if line)


class AuditorError(Exception):
    """Base of everything a user can mend. `hint` is the next move, in one sentence."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n    {self.hint}" if self.hint else self.message


class SpecError(AuditorError):
    """The spec does not compose or does not validate; carries every problem found."""

    def __init__(
        self, message: str, *, problems: Sequence[Problem] = (), hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        head = f"{self.message}\n    {self.hint}" if self.hint else self.message
        return "\n\n".join([head, *(str(problem) for problem in self.problems)])


class PlanError(AuditorError):
    """The spec is valid, but a named input cannot fit it: a layer, a column, a class."""


class InputError(AuditorError):
    """A file that the spec names cannot be used: missing, a pickle, the wrong keys or shapes."""


class MissingDependencyError(AuditorError):
    """An optional package or a system library is not installed; `hint` is the command."""


class ExecutionError(AuditorError):
    """The run broke on this machine: permission, disk, memory, too many unreadable images."""

    exit_code = 3


class ArtifactError(AuditorError):
    """A run directory cannot be read: not one, damaged, or written by a newer version."""


class RenderError(AuditorError):
    """A sound run directory could not be turned into a report."""

    exit_code = 3
