"""Stock of an image folder: `root/<split>/<class>/image.jpg`, or `root/<class>/…` for one split."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from auditor.errors import InputError
from auditor.inventory.digest import existing_folder, listing_digest
from auditor.inventory.stock import DatasetInventory, SplitInventory
from auditor.near import suggest
from auditor.spec.dataset import ImageFolderDataset

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
)
"""Files with these suffixes, in either case, are images; others are left alone."""

ONLY_SPLIT = "all"
"""Name of the split of a dataset that does not tell its splits apart."""


def take_imagefolder(spec: ImageFolderDataset) -> DatasetInventory:
    """Stock of an image folder.

    A split's digest covers the sorted relative paths and sizes of its images: see
    `inventory.digest.listing_digest` for what that can see.

    Raises:
        InputError: when the root, a split folder or a declared class folder is missing.
    """
    root = existing_folder(Path(spec.root))
    folders = {name: existing_folder(root / name) for name in spec.splits} or {ONLY_SPLIT: root}
    classes = class_folders(spec, folders.values())
    splits = {name: take_folder(folder, classes) for name, folder in folders.items()}
    return DatasetInventory(splits, (), classes)


def take_folder(folder: Path, classes: Sequence[str]) -> SplitInventory:
    """Stock of one split: every image below the folders of its classes."""
    images: list[tuple[str, int | None]] = []
    found = []
    for name in classes:
        of_class = sorted(image_files(folder, name)) if (folder / name).is_dir() else []
        found += [name] if of_class else []
        images += of_class
    return SplitInventory(
        num_rows=len(images),
        num_bytes=sum(size or 0 for _, size in images),
        digest=listing_digest(images),
        labels=tuple(found),
    )


def image_files(folder: Path, class_name: str) -> Iterator[tuple[str, int | None]]:
    """Path relative to the split's folder, with `/`, and size of each image of one class.

    The size is None where a link leads to no file; a run will count that image as unreadable.
    """
    for parent, _, names in os.walk(folder / class_name):
        for name in names:
            file = Path(parent, name)
            if file.suffix.lower() in SUFFIXES:
                size = file.stat().st_size if file.is_file() else None
                yield file.relative_to(folder).as_posix(), size


def class_folders(spec: ImageFolderDataset, folders: Iterable[Path]) -> tuple[str, ...]:
    present = sorted(
        {child.name for folder in folders for child in folder.iterdir() if child.is_dir()}
    )
    if not present:
        raise InputError(
            f"{spec.root} has no class folders",
            hint="Images lie in one folder per class; name split folders under `splits`.",
        )
    for name in spec.classes or ():
        if name not in present:
            raise InputError(
                f"{spec.root} has no folder for the class {name!r}",
                hint=suggest(name, present, "class folder", most=3),
            )
    return spec.classes or tuple(present)
