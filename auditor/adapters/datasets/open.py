"""The one way from a dataset of the spec to a dataset that can be read."""

from __future__ import annotations

from typing import assert_never

from auditor.adapters.datasets.celeba import CelebA
from auditor.adapters.datasets.coco import CocoImages
from auditor.adapters.datasets.drawn import DrawnPortraits
from auditor.adapters.datasets.imagefolder import open_imagefolder, open_imagenet
from auditor.adapters.datasets.index_masks import IndexMasks
from auditor.adapters.datasets.manifest import Manifest
from auditor.adapters.datasets.protocol import Dataset
from auditor.spec.dataset import (
    CocoDataset,
    DatasetSpec,
    ImageFolderDataset,
    IndexMasksDataset,
    ManifestDataset,
    PortraitsDataset,
    TorchvisionDataset,
)


def open_dataset(spec: DatasetSpec) -> Dataset:
    """Open a dataset: tables are read, images are not.

    Raises:
        InputError: A file or folder is missing or damaged, ids repeat, or a path leaves the root.
        PlanError: Splits overlap.
    """
    match spec:
        case ManifestDataset():
            return Manifest(spec)
        case ImageFolderDataset():
            return open_imagefolder(spec)
        case PortraitsDataset():
            return DrawnPortraits(spec)
        case CocoDataset():
            return CocoImages(spec)
        case IndexMasksDataset():
            return IndexMasks(spec)
        case TorchvisionDataset(name="celeba"):
            return CelebA(spec)
        case TorchvisionDataset(name="imagenet"):
            return open_imagenet(spec)
        case TorchvisionDataset():
            # Importing torchvision costs seconds, which other datasets need not pay.
            from auditor.adapters.datasets.archives import Archives

            return Archives(spec)
        case _:
            assert_never(spec)
