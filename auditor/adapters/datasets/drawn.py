"""The built-in portraits as a dataset: drawn where they are asked for, nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auditor.adapters.datasets.portraits.batch import Portraits, portraits
from auditor.adapters.datasets.portraits.causal import sample_people
from auditor.adapters.datasets.protocol import Regions, Unreadable
from auditor.adapters.datasets.rows import no_column, split_of
from auditor.errors import PlanError
from auditor.inventory.portraits import PART_CONCEPTS
from auditor.needs import View
from auditor.spec.dataset import PortraitsDataset
from auditor.spec.portraits import ATTRIBUTES, GROUPS

PEOPLE_AT_ONCE = 16_384


@final
class DrawnPortraits:
    """See `auditor.adapters.datasets.protocol.Dataset`. Ids are the indices of the portraits.

    Columns are the twenty attributes (booleans) and the groups (names). Under an intervention a
    view shows other pictures; the columns stay those of the spec.
    """

    def __init__(self, spec: PortraitsDataset) -> None:
        """Check the splits.

        Raises:
            PlanError: Two splits overlap: the same portrait would be in both.
        """
        self.concepts = PART_CONCEPTS
        self.classes = spec.classes
        self._spec = spec
        self._tables: dict[str, dict[str, NDArray[Any]]] = {}
        self._indices = {
            name: range(split.start, split.start + split.count)
            for name, split in spec.splits.items()
        }
        check_apart(self._indices)

    def splits(self) -> tuple[str, ...]:
        return tuple(self._indices)

    def ids(self, split: str) -> Sequence[str]:
        return tuple(str(index) for index in split_of(self._indices, split))

    def column_names(self, split: str) -> tuple[str, ...]:
        return (*ATTRIBUTES, *GROUPS)

    def column(self, split: str, name: str) -> NDArray[Any]:
        if name not in self.column_names(split):
            raise no_column(name, self.column_names(split))
        if split not in self._tables:
            self._tables[split] = self._table(split)
        return self._tables[split][name]

    def labels(self, split: str) -> NDArray[np.int64] | None:
        return None

    def predictions(self, split: str) -> NDArray[np.int64] | None:
        return None

    def read(self, split: str, rows: Sequence[int], view: View) -> list[Tensor | Unreadable]:
        return list(self._drawn(split, rows, view).images) if rows else []

    def regions(
        self, split: str, rows: Sequence[int], view: View
    ) -> list[Regions | Unreadable | None]:
        """The visible pixels of each part; a part without any is not there at all."""
        if not rows:
            return []
        masks = self._drawn(split, rows, view, with_masks=True).masks
        assert masks is not None
        found: list[Regions | Unreadable | None] = []
        for each in masks:
            present = each.flatten(1).any(dim=1).nonzero().flatten()
            found.append(Regions(tuple(present.tolist()), each[present]))
        return found

    def _drawn(
        self, split: str, rows: Sequence[int], view: View, *, with_masks: bool = False
    ) -> Portraits:
        indices = split_of(self._indices, split)
        return portraits(
            self._spec.seed,
            torch.tensor([indices[row] for row in rows]),
            size=self._spec.size,
            planted=self._spec.splits[split].planted,
            do=self._spec.interventions | dict(view.interventions),
            with_masks=with_masks,
        )

    def _table(self, split: str) -> dict[str, NDArray[Any]]:
        """Attributes and groups of everybody in a split, without drawing anybody."""
        found = split_of(self._indices, split)
        people = [
            sample_people(
                self._spec.seed,
                part,
                planted=self._spec.splits[split].planted,
                do=self._spec.interventions,
            )
            for part in torch.split(torch.arange(found.start, found.stop), PEOPLE_AT_ONCE)
        ]
        attributes = torch.cat([person.attributes for person in people]).numpy()
        table: dict[str, NDArray[Any]] = dict(zip(ATTRIBUTES, attributes.T, strict=True))
        for name, values in GROUPS.items():
            members = torch.cat([person.groups[name] for person in people]).numpy()
            table[name] = np.array(values, dtype=object)[members]
        return table


def check_apart(indices: Mapping[str, range]) -> None:
    """Refuse splits that share portraits.

    Raises:
        PlanError: naming the two splits.
    """
    ordered = sorted(indices, key=lambda name: indices[name].start)
    for first, second in pairwise(ordered):
        if indices[second].start < indices[first].stop:
            raise PlanError(
                f"the portraits splits {first!r} and {second!r} overlap",
                hint=f"Let {second!r} start at {indices[first].stop} or later.",
            )
