"""How a run tells what it is doing: bars on a terminal, plain lines in a pipe, or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO, final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as RichBars,
)
from rich.text import Text

Advance = Callable[[int], None]
"""Call it with the number of units that were just done."""


class Progress(Protocol):
    """Where a run reports to."""

    def step(self, title: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Enter it for an `Advance`; a step may end before `total` is reached."""
        ...

    def say(self, line: str) -> None:
        """One line that stays."""
        ...


def progress_on(stream: TextIO) -> Progress:
    """Bars where a person looks on, plain lines otherwise."""
    return Bars(stream) if stream.isatty() else Lines(stream)


@final
class Silent:
    """Says nothing."""

    @contextmanager
    def step(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        yield lambda _done: None

    def say(self, line: str) -> None:
        pass


@final
class Lines:
    """One line when a step starts and one when it ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextmanager
    def step(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        done, start = 0, time.monotonic()

        def advance(count: int) -> None:
            nonlocal done
            done += count

        self.say(f"{title}: {total} {unit}")
        yield advance
        seconds = time.monotonic() - start
        self.say(f"{title}: {done} of {total} {unit} in {seconds:.1f} s")

    def say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


@final
class Bars:
    """One bar per step with rate and time left."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream)

    @contextmanager
    def step(self, title: str, total: int, unit: str) -> Iterator[Advance]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(unit),
            TimeRemainingColumn(),
        )
        with RichBars(*columns, console=self._console) as bars:
            task = bars.add_task(title, total=total)
            yield lambda count: bars.advance(task, count)

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False)


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f} {self._unit}/s" if speed else f"– {self._unit}/s")
