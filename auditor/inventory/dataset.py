"""Taking stock of a dataset: rows, bytes, digests and label columns, without torch."""

from __future__ import annotations

from collections.abc import Collection
from typing import assert_never

from auditor.inventory.coco import take_coco
from auditor.inventory.imagefolder import take_imagefolder
from auditor.inventory.index_masks import take_index_masks
from auditor.inventory.manifest import take_manifest
from auditor.inventory.portraits import take_portraits
from auditor.inventory.stock import DatasetInventory
from auditor.inventory.torchvision_files import take_torchvision
from auditor.spec.dataset import (
    CocoDataset,
    DatasetSpec,
    ImageFolderDataset,
    IndexMasksDataset,
    ManifestDataset,
    PortraitsDataset,
    TorchvisionDataset,
)


def take_dataset(spec: DatasetSpec, look_into: Collection[str] = ()) -> DatasetInventory:
    """Take stock of a dataset.

    Args:
        spec: The dataset of the spec.
        look_into: Names of columns whose values are counted; names that the dataset lacks are
            left out of the answer, so that the plan can say so in its own words.

    Raises:
        InputError: when a file or folder is missing or is not what its source needs.
    """
    match spec:
        case ManifestDataset():
            return take_manifest(spec, look_into)
        case ImageFolderDataset():
            return take_imagefolder(spec)
        case TorchvisionDataset():
            return take_torchvision(spec, look_into)
        case PortraitsDataset():
            return take_portraits(spec, look_into)
        case CocoDataset():
            return take_coco(spec, look_into)
        case IndexMasksDataset():
            return take_index_masks(spec, look_into)
        case _:
            assert_never(spec)
