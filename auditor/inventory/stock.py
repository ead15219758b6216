"""What is known of a dataset before any image is decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from auditor.context import Concept


@dataclass(frozen=True)
class ColumnInventory:
    """The known values of one column in one split; missing values and NaN do not count.

    Attributes:
        num_distinct: Number of different values.
        low: Smallest value; None where the column holds no numbers.
        high: Largest value; None where the column holds no numbers.
        values: The values as text, sorted (see `inventory.values`); None where there are more than
            `MAX_VALUES`.
    """

    num_distinct: int
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] | None = None


@dataclass(frozen=True)
class SplitInventory:
    """One split.

    Attributes:
        num_rows: Rows.
        num_bytes: Bytes of all its images on disk; 0 where images are drawn, None where unknown.
        digest: SHA-256 that stands for rows, labels and images; see each source for what it sees.
        without_predictions: The same without the column of recorded predictions; None where there
            is no such column.
        columns: The columns that were looked into, by name.
        labels: Names of the classes that occur, in order; None where the split has no labels.
    """

    num_rows: int
    num_bytes: int | None
    digest: str
    columns: Mapping[str, ColumnInventory] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None
    without_predictions: str | None = None


@dataclass(frozen=True)
class DatasetInventory:
    """A dataset.

    Attributes:
        splits: The splits, by name, in the order of the dataset.
        columns: Names of all columns.
        classes: Class names in output order, declared or found; None where there are none.
        concepts: What regions of the images show, in order; empty where there are no regions.
    """

    splits: Mapping[str, SplitInventory]
    columns: tuple[str, ...]
    classes: tuple[str, ...] | None
    concepts: tuple[Concept, ...] = ()
