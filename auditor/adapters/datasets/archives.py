"""Small published datasets that torchvision reads whole from a few local archive files.

torchvision unpickles CIFAR's files only after their MD5 sums agree with the published ones, so
no other pickle can run.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import datasets

from auditor.adapters.datasets.protocol import Regions, Unreadable
from auditor.adapters.datasets.rows import no_column, no_regions, only_clean, split_of
from auditor.context import Concept
from auditor.errors import InputError
from auditor.inventory.torchvision_files import FIXED
from auditor.needs import View
from auditor.spec.dataset import TorchvisionDataset


@dataclass(frozen=True)
class Images:
    """One split in memory: uint8 [N, 3 or 1, H, W] and class indices [N]."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    ids: tuple[str, ...]


@final
class Archives:
    """See `auditor.adapters.datasets.protocol.Dataset`. Ids are the split and the row number."""

    def __init__(self, spec: TorchvisionDataset) -> None:
        """Find out which splits are there; a split is read when it is first asked for.

        Raises:
            InputError: None of them is.
        """
        self.concepts: tuple[Concept, ...] = ()
        self.classes = spec.classes
        self._spec = spec
        self._lock = threading.Lock()
        root = Path(spec.root)
        self._loaded: dict[str, Images | None] = {
            name: None
            for name, split in FIXED[spec.name].items()
            if all((root / file).is_file() for file in split.files)
        }
        if not self._loaded:
            raise InputError(f"{root} does not hold {spec.name}", hint=layout(spec))

    def splits(self) -> tuple[str, ...]:
        return tuple(self._loaded)

    def ids(self, split: str) -> Sequence[str]:
        return self._images(split).ids

    def column_names(self, split: str) -> tuple[str, ...]:
        return ()

    def column(self, split: str, name: str) -> NDArray[Any]:
        raise no_column(name, self.column_names(split))

    def labels(self, split: str) -> NDArray[np.int64] | None:
        return self._images(split).labels

    def predictions(self, split: str) -> NDArray[np.int64] | None:
        return None

    def read(self, split: str, rows: Sequence[int], view: View) -> list[Tensor | Unreadable]:
        only_clean(view, self._spec.name)
        pixels = self._images(split).pixels
        return [torch.from_numpy(pixels[row].copy()).expand(3, -1, -1).contiguous() for row in rows]

    def regions(
        self, split: str, rows: Sequence[int], view: View
    ) -> list[Regions | Unreadable | None]:
        raise no_regions(self._spec.name)

    def _images(self, split: str) -> Images:
        with self._lock:
            found = split_of(self._loaded, split)
            if found is None:
                found = self._loaded[split] = load(self._spec, split)
            return found


def load(spec: TorchvisionDataset, split: str) -> Images:
    """Read one split with torchvision.

    Raises:
        InputError: A file is missing or is not the published one.
    """
    try:
        pixels, labels = arrays(spec, split)
    except (RuntimeError, ValueError, AssertionError, OSError) as error:
        raise InputError(
            f"{spec.root} does not hold the split {split!r} of {spec.name} as published: {error}",
            hint=layout(spec),
        ) from error
    if spec.classes is not None and labels.max(initial=-1) >= len(spec.classes):
        raise InputError(f"{spec.name} has labels beyond the {len(spec.classes)} declared classes")
    return Images(pixels, labels, tuple(f"{split}-{row:06d}" for row in range(len(labels))))


def arrays(spec: TorchvisionDataset, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels [N, C, H, W] and labels [N] as torchvision reads them."""
    train = split == "train"
    match spec.name:
        case "cifar10" | "cifar100":
            cifar = datasets.CIFAR10 if spec.name == "cifar10" else datasets.CIFAR100
            found = cifar(spec.root, train=train, download=False)
            return found.data.transpose(0, 3, 1, 2), np.asarray(found.targets, dtype=np.int64)
        case "mnist" | "fashion_mnist":
            mnist = datasets.MNIST if spec.name == "mnist" else datasets.FashionMNIST
            found = mnist(spec.root, train=train, download=False)
            return found.data[:, None].numpy(), found.targets.numpy().astype(np.int64)
        case "svhn":
            found = datasets.SVHN(spec.root, split=split, download=False)
            return found.data, found.labels
        case "celeba" | "imagenet":
            raise ValueError(f"{spec.name} comes as loose image files")
        case _:
            assert_never(spec.name)


def layout(spec: TorchvisionDataset) -> str:
    """Where torchvision expects the files."""
    files = [file for split in FIXED[spec.name].values() for file in split.files]
    expected = ", ".join(f"{spec.root}/{file}" for file in files)
    return f"torchvision's layout is {expected}; nothing is downloaded."
