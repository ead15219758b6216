"""Stock of torchvision's datasets, from the files that torchvision itself expects in the root."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.errors import InputError
from auditor.inventory.digest import existing_file, file_digest, listing_digest
from auditor.inventory.imagefolder import take_folder
from auditor.inventory.stock import ColumnInventory, DatasetInventory, SplitInventory
from auditor.inventory.values import known_values
from auditor.results.base import digest_of
from auditor.spec.dataset import TorchvisionDataset


@dataclass(frozen=True)
class Fixed:
    """A split whose files and number of rows never change: paths below the root, rows."""

    files: tuple[str, ...]
    num_rows: int


def _idx(folder: str) -> dict[str, Fixed]:
    def pair(prefix: str, rows: int) -> Fixed:
        names = (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
        return Fixed(tuple(f"{folder}/raw/{name}" for name in names), rows)

    return {"train": pair("train", 60_000), "test": pair("t10k", 10_000)}


FIXED: dict[str, dict[str, Fixed]] = {
    "cifar10": {
        "train": Fixed(
            tuple(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)), 50_000
        ),
        "test": Fixed(("cifar-10-batches-py/test_batch",), 10_000),
    },
    "cifar100": {
        "train": Fixed(("cifar-100-python/train",), 50_000),
        "test": Fixed(("cifar-100-python/test",), 10_000),
    },
    "mnist": _idx("MNIST"),
    "fashion_mnist": _idx("FashionMNIST"),
    "svhn": {
        "train": Fixed(("train_32x32.mat",), 73_257),
        "test": Fixed(("test_32x32.mat",), 26_032),
        "extra": Fixed(("extra_32x32.mat",), 531_131),
    },
}
"""The datasets that come as a few archive files (torchvision.datasets, release 0.26)."""

CELEBA_SPLITS = ("train", "valid", "test")
"""The splits 0, 1 and 2 of CelebA's `list_eval_partition.txt`."""


def take_torchvision(spec: TorchvisionDataset, look_into: Collection[str] = ()) -> DatasetInventory:
    """Stock of a torchvision dataset.

    Archive files count with every byte. Loose images (CelebA, ImageNet) count with path and size:
    see `inventory.digest.listing_digest` for what that can see. The columns of CelebA, the only
    ones here, hold -1 and 1 as published; they are named, not read.

    Raises:
        InputError: when a file of every split is missing.
    """
    root = Path(spec.root)
    if spec.name == "celeba":
        return _take_celeba(root / "celeba", spec, look_into)
    if spec.name == "imagenet":
        return _take_imagenet(root, spec)
    return _take_fixed(root, FIXED[spec.name], spec)


def _take_fixed(root: Path, known: dict[str, Fixed], spec: TorchvisionDataset) -> DatasetInventory:
    splits = {
        name: SplitInventory(
            num_rows=split.num_rows,
            num_bytes=sum((root / file).stat().st_size for file in split.files),
            digest=digest_of([file_digest(root / file) for file in split.files]),
        )
        for name, split in known.items()
        if all((root / file).is_file() for file in split.files)
    }
    if not splits:
        existing_file(root / next(iter(known.values())).files[0])
    return DatasetInventory(splits, (), spec.classes)


def _take_celeba(
    folder: Path, spec: TorchvisionDataset, look_into: Collection[str]
) -> DatasetInventory:
    partition = existing_file(folder / "list_eval_partition.txt")
    labels = existing_file(folder / "list_attr_celeba.txt")
    tables = [file_digest(partition), file_digest(labels)]
    images: dict[str, list[tuple[str, int | None]]] = {name: [] for name in CELEBA_SPLITS}
    for number, line in enumerate(partition.read_text().splitlines(), start=1):
        image, _, part = line.partition(" ")
        if part.strip() not in ("0", "1", "2"):
            raise InputError(f"{partition}:{number} is not an image name and 0, 1 or 2: {line!r}")
        file = folder / "img_align_celeba" / image
        size = file.stat().st_size if file.is_file() else None
        images[CELEBA_SPLITS[int(part)]].append((image, size))
    with labels.open() as stream:
        stream.readline()  # the number of images
        columns = tuple(stream.readline().split())
    signs = ColumnInventory(2, -1.0, 1.0, known_values((-1, 1)))
    splits = {
        name: SplitInventory(
            num_rows=len(entries),
            num_bytes=sum(size or 0 for _, size in entries),
            digest=digest_of([*tables, name, listing_digest(entries)]),
            columns={column: signs for column in columns if column in look_into},
        )
        for name, entries in images.items()
    }
    return DatasetInventory(splits, columns, spec.classes)


def _take_imagenet(root: Path, spec: TorchvisionDataset) -> DatasetInventory:
    splits = {}
    for name in ("train", "val"):
        folder = root / name
        if folder.is_dir():
            classes = sorted(child.name for child in folder.iterdir() if child.is_dir())
            stock = take_folder(folder, classes)
            splits[name] = replace(stock, labels=None)
    if not splits:
        raise InputError(
            f"{root} holds neither train/ nor val/ of ImageNet",
            hint="Unpack the archives as torchvision.datasets.ImageNet does.",
        )
    return DatasetInventory(splits, (), spec.classes)
