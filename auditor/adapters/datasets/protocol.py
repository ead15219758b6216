"""What every dataset offers, wherever its images come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from auditor.context import Concept
from auditor.needs import View


@dataclass(frozen=True)
class Unreadable:
    """Stands in for an image that cannot be decoded; the engine counts it and goes on."""

    reason: str
    """Why, in plain words; the same for every attempt, so that results stay reproducible."""


@dataclass(frozen=True)
class Regions:
    """What the annotation of one image says, at the size of the image as it is stored.

    Attributes:
        concepts: Positions in `Dataset.concepts`, ascending, each once: all that the annotation
            lists, also a region without pixels.
        masks: bool [P, H, W], one per concept.
    """

    concepts: tuple[int, ...]
    masks: Tensor


class Dataset(Protocol):
    """Splits of rows. Tables are in memory; images are read where they are asked for.

    A row is a position in `ids(split)`. Rows keep the order of the files they come from.
    Reading is a pure function of (split, row, view), and threads may read at the same time.
    """

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Class names in output order; None where the dataset has no classes."""
        ...

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """What regions of the images show; empty where the dataset has no regions."""
        ...

    def splits(self) -> tuple[str, ...]:
        """Names of the splits."""
        ...

    def ids(self, split: str) -> Sequence[str]:
        """Sample ids of a split, unique over the dataset.

        Raises:
            PlanError: The dataset has no such split.
        """
        ...

    def column_names(self, split: str) -> tuple[str, ...]:
        """The names that `column` accepts."""
        ...

    def column(self, split: str, name: str) -> NDArray[Any]:
        """One value per row: a number or boolean array, or an object array of `str`.

        Missing numbers are NaN, missing texts are empty.

        Raises:
            PlanError: There is no such column; near names are offered.
        """
        ...

    def labels(self, split: str) -> NDArray[np.int64] | None:
        """Class index per row, -1 where it is unknown; None where the dataset has no labels."""
        ...

    def predictions(self, split: str) -> NDArray[np.int64] | None:
        """Class index per row by a prediction made elsewhere, -1 where it is unknown.

        None where the dataset has no such column.

        Raises:
            InputError: A prediction is none of the classes; all of them are listed.
        """
        ...

    def read(self, split: str, rows: Sequence[int], view: View) -> list[Tensor | Unreadable]:
        """The images of these rows: uint8 [3, H, W] RGB, upright, or why there is none.

        Raises:
            PlanError: The dataset cannot be seen under this view.
            InputError: A row points outside the dataset's root folder. Nothing is read then.
        """
        ...

    def regions(
        self, split: str, rows: Sequence[int], view: View
    ) -> list[Regions | Unreadable | None]:
        """The annotated regions of these rows; None for an image that nobody annotated.

        Masks belong to the upright image that `read` gives; the engine compares their sizes.

        Raises:
            PlanError: The dataset has no regions, or cannot be seen under this view.
            InputError: A row points outside the dataset's root folder. Nothing is read then.
        """
        ...
