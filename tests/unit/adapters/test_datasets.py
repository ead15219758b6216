"""Image folders, published datasets and portraits: rows, labels and pictures as stored."""

from __future__ import annotations

import hashlib
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision import datasets as published

from auditor.adapters.datasets.open import open_dataset
from auditor.adapters.datasets.protocol import Dataset, Unreadable
from auditor.errors import InputError, PlanError
from auditor.inventory.dataset import take_dataset
from auditor.needs import View
from auditor.spec.dataset import (
    ImageFolderDataset,
    PortraitsDataset,
    PortraitsSplit,
    TorchvisionDataset,
)
from auditor.spec.portraits import ATTRIBUTES, GROUPS

Picture = Callable[[int], bytes]
CLEAN = View()


def image(dataset: Dataset, split: str, row: int, view: View = CLEAN) -> Tensor:
    (read,) = dataset.read(split, [row], view)
    assert not isinstance(read, Unreadable)
    assert read.dtype == torch.uint8
    return read


def folder_of(tmp_path: Path, picture: Picture, *names: str) -> Path:
    for level, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(picture(level))
    return tmp_path


# Image folders


def test_class_folders_give_labels_and_ids(tmp_path: Path, picture: Picture) -> None:
    names = ["test/dog/b.png", "test/cat/a.JPG", "test/dog/a.png", "test/dog/notes.txt"]
    root = folder_of(tmp_path, picture, *names)
    spec = ImageFolderDataset(source="imagefolder", root=str(root), splits=("test",))
    dataset = open_dataset(spec)
    assert dataset.classes == ("cat", "dog")
    assert dataset.ids("test") == ("test/cat/a.JPG", "test/dog/a.png", "test/dog/b.png")
    labels = dataset.labels("test")
    assert labels is not None
    assert labels.tolist() == [0, 1, 1]
    assert int(image(dataset, "test", 2)[0, 0, 0]) == 0
    assert take_dataset(spec).splits["test"].num_rows == 3


def test_class_folders_may_lie_in_the_root_and_be_ordered(tmp_path: Path, picture: Picture) -> None:
    root = folder_of(tmp_path, picture, "dog/b.png", "cat/a.png")
    spec = ImageFolderDataset(source="imagefolder", root=str(root), classes=("dog", "cat"))
    dataset = open_dataset(spec)
    assert dataset.splits() == ("all",)
    assert dataset.ids("all") == ("dog/b.png", "cat/a.png")


def test_a_link_out_of_an_image_folder_is_refused(tmp_path: Path, picture: Picture) -> None:
    root = folder_of(tmp_path, picture, "secret.png", "root/cat/a.png").joinpath("root")
    (root / "cat" / "b.png").symlink_to(tmp_path / "secret.png")
    dataset = open_dataset(ImageFolderDataset(source="imagefolder", root=str(root)))
    with pytest.raises(InputError, match=r"'cat/b\.png' leads outside"):
        dataset.read("all", [1], CLEAN)


def test_image_folders_have_no_columns(tmp_path: Path, picture: Picture) -> None:
    root = folder_of(tmp_path, picture, "cat/a.png")
    dataset = open_dataset(ImageFolderDataset(source="imagefolder", root=str(root)))
    with pytest.raises(PlanError, match="no column 'hat'"):
        dataset.column("all", "hat")


# Published datasets, in torchvision's layout


def idx(values: np.ndarray) -> bytes:
    header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.astype(np.uint8).tobytes()


def test_mnist_is_read_from_its_folder(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.arange(3 * 28 * 28).reshape(3, 28, 28) % 256
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(pixels))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.array([3, 1, 2])))
    dataset = open_dataset(
        TorchvisionDataset(source="torchvision", name="mnist", root=str(tmp_path))
    )
    assert dataset.splits() == ("train", "test")
    assert dataset.ids("test") == ("test-000000", "test-000001", "test-000002")
    labels = dataset.labels("test")
    assert labels is not None
    assert labels.tolist() == [3, 1, 2]
    assert np.array_equal(image(dataset, "test", 1)[2].numpy(), pixels[1])


def test_cifar_is_read_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32), dtype=np.uint8)
    names = [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch", "batches.meta"]
    sums = {}
    for name in names:
        entry = {"data": pixels.reshape(2, -1), "labels": [6, 9], "label_names": ["a"] * 10}
        (folder / name).write_bytes(pickle.dumps(entry))
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(published.CIFAR10, "train_list", [[n, sums[n]] for n in names[:5]])
    monkeypatch.setattr(published.CIFAR10, "test_list", [[names[5], sums[names[5]]]])
    monkeypatch.setattr(
        published.CIFAR10,
        "meta",
        {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]},
    )
    spec = TorchvisionDataset(source="torchvision", name="cifar10", root=str(tmp_path))
    dataset = open_dataset(spec)
    assert len(dataset.ids("train")) == 10
    assert np.array_equal(image(dataset, "test", 1).numpy(), pixels[1])


def test_a_forged_cifar_pickle_is_never_opened(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch", "batches.meta"]:
        (folder / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    spec = TorchvisionDataset(source="torchvision", name="cifar10", root=str(tmp_path))
    with pytest.raises(InputError, match="as published"):
        open_dataset(spec).labels("test")
    assert not (tmp_path / "sprung").exists()


class Trap:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def celeba(root: Path, picture: Picture) -> TorchvisionDataset:
    names = folder_of(root, picture, *(f"celeba/img_align_celeba/{n}.jpg" for n in range(4)))
    folder = names / "celeba"
    (folder / "list_eval_partition.txt").write_text("0.jpg 0\n1.jpg 2\n2.jpg 0\n3.jpg 1\n")
    rows = [f"{n}.jpg {'-1' if n % 2 else ' 1'} -1" for n in range(4)]
    (folder / "list_attr_celeba.txt").write_text("\n".join(["4", "Smiling Hat ", *rows]) + "\n")
    return TorchvisionDataset(source="torchvision", name="celeba", root=str(root))


def test_celeba_has_attribute_columns(tmp_path: Path, picture: Picture) -> None:
    spec = celeba(tmp_path, picture)
    dataset = open_dataset(spec)
    assert dataset.splits() == ("train", "valid", "test")
    assert dataset.ids("train") == ("0.jpg", "2.jpg")
    assert dataset.column_names("train") == ("Smiling", "Hat")
    assert dataset.column("train", "Smiling").tolist() == [1, 1]
    assert dataset.column("test", "Smiling").tolist() == [-1]
    assert int(image(dataset, "valid", 0)[0, 0, 0]) == 3
    assert take_dataset(spec).splits["train"].num_rows == 2
    with pytest.raises(PlanError, match=r"'smiling'[\s\S]*Smiling"):
        dataset.column("train", "smiling")


def test_a_damaged_celeba_table_is_refused(tmp_path: Path, picture: Picture) -> None:
    spec = celeba(tmp_path, picture)
    table = tmp_path / "celeba" / "list_attr_celeba.txt"
    table.write_text(table.read_text().replace("1.jpg -1", "1.jpg x"))
    with pytest.raises(InputError, match="damaged"):
        open_dataset(spec)


def test_imagenet_is_read_from_its_folders(tmp_path: Path, picture: Picture) -> None:
    folder_of(tmp_path, picture, "val/n02/b.JPEG", "val/n01/a.JPEG", "train/n01/c.JPEG")
    spec = TorchvisionDataset(
        source="torchvision", name="imagenet", root=str(tmp_path), classes=("tench", "goldfish")
    )
    dataset = open_dataset(spec)
    assert dataset.ids("val") == ("val/n01/a.JPEG", "val/n02/b.JPEG")
    labels = dataset.labels("val")
    assert labels is not None
    assert labels.tolist() == [0, 1]
    assert dataset.classes == ("tench", "goldfish")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("celeba", "celeba/list_eval_partition.txt"),
        ("cifar10", "cifar-10-batches-py/data_batch_1"),
        ("cifar100", "cifar-100-python/train"),
        ("fashion_mnist", "FashionMNIST/raw/train-images-idx3-ubyte"),
        ("imagenet", "root/train/<wnid>"),
        ("mnist", "MNIST/raw/t10k-labels-idx1-ubyte"),
        ("svhn", "test_32x32.mat"),
    ],
)
def test_an_absent_dataset_is_not_downloaded_but_its_layout_is_shown(
    tmp_path: Path, name: str, expected: str
) -> None:
    spec = TorchvisionDataset.model_validate(
        {"source": "torchvision", "name": name, "root": str(tmp_path)}
    )
    with pytest.raises(InputError, match="nothing is downloaded") as caught:
        open_dataset(spec)
    assert expected in str(caught.value)
    assert not any(tmp_path.iterdir())


# Portraits


def test_portraits_have_columns_and_the_pictures_their_index_says() -> None:
    spec = PortraitsDataset(
        source="portraits",
        seed=3,
        splits={"a": PortraitsSplit(count=6), "b": PortraitsSplit(count=3, start=6)},
    )
    whole = PortraitsDataset(source="portraits", seed=3, splits={"a": PortraitsSplit(count=9)})
    dataset, other = open_dataset(spec), open_dataset(whole)
    assert dataset.ids("b") == ("6", "7", "8")
    assert dataset.column_names("b") == (*ATTRIBUTES, *GROUPS)
    assert torch.equal(image(dataset, "b", 1), image(other, "a", 7))
    for name in dataset.column_names("b"):
        assert dataset.column("b", name).tolist() == other.column("a", name)[6:].tolist()
    assert set(dataset.column("a", "age")) <= set(GROUPS["age"])
    assert dataset.labels("a") is None
    assert dataset.read("a", [], CLEAN) == []


def test_an_intervention_redraws_the_same_person() -> None:
    dataset = open_dataset(
        PortraitsDataset(source="portraits", splits={"a": PortraitsSplit(count=20)})
    )
    hats = dataset.column("a", "hat")
    on = View(kind="intervention", interventions=(("hat", True),))
    for row in range(20):
        same = torch.equal(image(dataset, "a", row), image(dataset, "a", row, on))
        assert same == bool(hats[row])


def test_interventions_of_the_spec_show_in_columns_and_pictures() -> None:
    spec = PortraitsDataset(source="portraits", interventions={"hat": False})
    dataset = open_dataset(spec)
    assert not dataset.column("test", "hat").any()
    off = View(kind="intervention", interventions=(("hat", False),))
    plain = open_dataset(PortraitsDataset(source="portraits"))
    assert torch.equal(image(dataset, "test", 0), image(plain, "test", 0, off))


def test_overlapping_portrait_splits_are_refused() -> None:
    splits = {"a": PortraitsSplit(count=10), "b": PortraitsSplit(count=5, start=9)}
    with pytest.raises(PlanError, match=r"'a' and 'b' overlap[\s\S]*start at 10"):
        open_dataset(PortraitsDataset(source="portraits", splits=splits))


def test_misspelt_portrait_columns_offer_near_names() -> None:
    dataset = open_dataset(PortraitsDataset(source="portraits"))
    with pytest.raises(PlanError, match=r"'smilling'[\s\S]*smiling"):
        dataset.column("test", "smilling")


def test_reading_twice_gives_the_same_bytes() -> None:
    dataset = open_dataset(PortraitsDataset(source="portraits"))
    one, two = (dataset.read("test", [5, 1, 9], CLEAN) for _ in range(2))
    alone = [image(dataset, "test", row) for row in (5, 1, 9)]
    for first, second, third in zip(one, two, alone, strict=True):
        assert isinstance(first, Tensor)
        assert isinstance(second, Tensor)
        assert torch.equal(first, second)
        assert torch.equal(first, third)
