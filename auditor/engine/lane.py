"""A fold at work in a scan, and what breaks when it breaks: its audit, and nothing else."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, final

from auditor.errors import AuditorError
from auditor.measure.fold import Measurement
from auditor.needs import Fold, Output
from auditor.plan.identity import fold_name

LOG = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class Lane:
    """One fold at work.

    Attributes:
        fold: What it asked for.
        measurement: What turns batches into states.
        kind: Type of its states.
        key: Name of its states in the store.
    """

    fold: Fold
    measurement: Measurement
    kind: type[Any]
    key: str

    @property
    def name(self) -> str:
        return fold_name(self.fold)

    @property
    def sees_images(self) -> bool:
        """Folds that consume outputs of a network see readable images.

        The others see every row, unread; features that come from a file need no image.
        """
        return any(not output.from_file for output in self.fold.outputs)

    @property
    def from_file(self) -> tuple[Output, ...]:
        """Its outputs that are read from a file."""
        return tuple(output for output in self.fold.outputs if output.from_file)

    def room(self, start: int, stop: int) -> int:
        """How many of the rows from `start` to `stop` belong to the prefix that it reads."""
        most = self.fold.max_rows
        return stop - start if most is None else max(0, min(stop, most) - start)


def failure_of(error: Exception, what: str) -> str:
    """Why one audit failed, in a line; its traceback goes to the log.

    Raises:
        AuditorError: the error itself, where it speaks of the user's input: that ends the run.
    """
    if isinstance(error, AuditorError) and error.exit_code == 2:
        raise error
    LOG.error("%s failed", what, exc_info=error)
    return f"{what}: {type(error).__name__}: {error}"
