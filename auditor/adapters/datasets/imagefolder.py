"""Folders of images, one folder per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from auditor.inventory.digest import existing_folder
from auditor.inventory.imagefolder import ONLY_SPLIT, class_folders, image_files
from auditor.needs import View
from auditor.spec.dataset import ImageFolderDataset, TorchvisionDataset

IMAGENET_SPLITS = ("train", "val")
IMAGENET_HINT = (
    "torchvision's layout is root/train/<wnid>/… and root/val/<wnid>/…; nothing is downloaded."
)


def open_imagefolder(spec: ImageFolderDataset) -> ImageFolder:
    """Images in `root/<split>/<class>/…`, or in `root/<class>/…` as the one split `all`.

    Raises:
        InputError: The root, a split folder or a declared class folder is missing.
    """
    root = existing_folder(Path(spec.root))
    folders = {name: existing_folder(root / name) for name in spec.splits} or {ONLY_SPLIT: root}
    classes = class_folders(spec, folders.values())
    return ImageFolder(root, folders, classes, classes)


def open_imagenet(spec: TorchvisionDataset) -> ImageFolder:
    """ImageNet as torchvision lays it out: classes are the WordNet ids in sorted order.

    Raises:
        InputError: There is neither a training nor a validation folder, or `classes` has another
            number of names than there are class folders.
    """
    root = existing_folder(Path(spec.root))
    folders = {name: root / name for name in IMAGENET_SPLITS if (root / name).is_dir()}
    if not folders:
        raise InputError(f"{root} holds neither train/ nor val/", hint=IMAGENET_HINT)
    found = sorted(
        {child.name for f in folders.values() for child in f.iterdir() if child.is_dir()}
    )
    if spec.classes is not None and len(spec.classes) != len(found):
        raise InputError(
            f"{root} has {len(found)} class folders, but `classes` names {len(spec.classes)}"
        )
    return ImageFolder(root, folders, found, spec.classes)


@final
class ImageFolder:
    """See `auditor.adapters.datasets.protocol.Dataset`. Ids are paths relative to the root."""

    def __init__(
        self,
        root: Path,
        folders: Mapping[str, Path],
        class_names: Sequence[str],
        classes: tuple[str, ...] | None,
    ) -> None:
        """List every image.

        Args:
            root: The folder that no path may leave.
            folders: Split name -> folder below the root.
            class_names: Names of the class folders, in output order.
            classes: How the classes are called.
        """
        self.concepts: tuple[Concept, ...] = ()
        self.classes = classes
        self._root = root
        self._paths: dict[str, tuple[str, ...]] = {}
        self._labels: dict[str, NDArray[np.int64]] = {}
        for split, folder in folders.items():
            of_class = [sorted(path for path, _ in image_files(folder, c)) for c in class_names]
            prefix = folder.relative_to(root)
            self._paths[split] = tuple(
                (prefix / path).as_posix() for paths in of_class for path in paths
            )
            sizes = [len(paths) for paths in of_class]
            self._labels[split] = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)

    def splits(self) -> tuple[str, ...]:
        return tuple(self._paths)

    def ids(self, split: str) -> Sequence[str]:
        return split_of(self._paths, split)

    def column_names(self, split: str) -> tuple[str, ...]:
        return ()

    def column(self, split: str, name: str) -> NDArray[Any]:
        raise no_column(name, self.column_names(split))

    def labels(self, split: str) -> NDArray[np.int64] | None:
        return split_of(self._labels, split)

    def predictions(self, split: str) -> NDArray[np.int64] | None:
        return None

    def read(self, split: str, rows: Sequence[int], view: View) -> list[Tensor | Unreadable]:
        only_clean(view, "an image folder")
        paths = split_of(self._paths, split)
        return [read_image(self._root, paths[row], f"image {paths[row]!r}") for row in rows]

    def regions(
        self, split: str, rows: Sequence[int], view: View
    ) -> list[Regions | Unreadable | None]:
        raise no_regions("an image folder")
