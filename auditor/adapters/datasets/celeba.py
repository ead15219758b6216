"""CelebA in torchvision's layout: face photos with forty attribute columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from auditor.adapters.datasets.folder import read_image
from auditor.adapters.datasets.protocol import Regions, Unreadable
from auditor.adapters.datasets.rows import no_column, no_regions, only_clean, split_of
from auditor.context import Concept
from auditor.errors import InputError
from auditor.inventory.torchvision_files import CELEBA_SPLITS
from auditor.needs import View
from auditor.spec.dataset import TorchvisionDataset

HINT = (
    "torchvision's layout is root/celeba/list_eval_partition.txt, root/celeba/list_attr_celeba.txt "
    "and root/celeba/img_align_celeba/*.jpg; nothing is downloaded."
)


@final
class CelebA:
    """See `auditor.adapters.datasets.protocol.Dataset`. Ids are file names; labels are -1 or +1.

    The two tables are read here rather than by `torchvision.datasets.CelebA`, which also wants
    identities, boxes and landmarks to be there.
    """

    def __init__(self, spec: TorchvisionDataset) -> None:
        """Read the partition and the attribute table.

        Raises:
            InputError: A table or the image folder is missing, or a table is damaged.
        """
        folder = Path(spec.root) / "celeba"
        partition = table_lines(folder / "list_eval_partition.txt")
        header, *table = table_lines(folder / "list_attr_celeba.txt")[1:]
        self.concepts: tuple[Concept, ...] = ()
        self.classes = spec.classes
        self._images = folder / "img_align_celeba"
        self._names = tuple(header)
        if not self._images.is_dir():
            raise InputError(f"there is no folder {self._images}", hint=HINT)
        if [row[0] for row in table] != [row[0] for row in partition]:
            raise InputError(f"the two tables in {folder} do not list the same images", hint=HINT)
        try:
            values = np.array([row[1:] for row in table], dtype=np.int8)
            parts = np.array([row[1] for row in partition], dtype=np.int8)
        except (ValueError, IndexError) as error:
            raise InputError(f"a table in {folder} is damaged: {error}", hint=HINT) from error
        if values.shape != (len(partition), len(self._names)):
            raise InputError(f"{folder / 'list_attr_celeba.txt'} has rows of another length")
        self._ids: dict[str, tuple[str, ...]] = {}
        self._values: dict[str, NDArray[np.int8]] = {}
        for number, split in enumerate(CELEBA_SPLITS):
            rows = np.flatnonzero(parts == number)
            self._ids[split] = tuple(table[row][0] for row in rows)
            self._values[split] = values[rows]

    def splits(self) -> tuple[str, ...]:
        return tuple(self._ids)

    def ids(self, split: str) -> Sequence[str]:
        return split_of(self._ids, split)

    def column_names(self, split: str) -> tuple[str, ...]:
        return self._names

    def column(self, split: str, name: str) -> NDArray[Any]:
        if name not in self._names:
            raise no_column(name, self._names)
        return split_of(self._values, split)[:, self._names.index(name)]

    def labels(self, split: str) -> NDArray[np.int64] | None:
        return None

    def predictions(self, split: str) -> NDArray[np.int64] | None:
        return None

    def read(self, split: str, rows: Sequence[int], view: View) -> list[Tensor | Unreadable]:
        only_clean(view, "CelebA")
        ids = split_of(self._ids, split)
        return [read_image(self._images, ids[row], f"image {ids[row]!r}") for row in rows]

    def regions(
        self, split: str, rows: Sequence[int], view: View
    ) -> list[Regions | Unreadable | None]:
        raise no_regions("CelebA")


def table_lines(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint=HINT) from error
    return [line.split() for line in text.splitlines() if line.strip()]
