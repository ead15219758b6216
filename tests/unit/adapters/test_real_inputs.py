"""Real networks on real images, through the whole path from file to logits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from auditor.adapters.datasets.open import open_dataset
from auditor.adapters.models.open import open_network
from auditor.adapters.models.preprocess import fit_geometry, normalise
from auditor.errors import InputError
from auditor.needs import View
from auditor.spec.dataset import Columns, ManifestDataset
from auditor.spec.model import BuiltinModel, Preprocess, TorchvisionModel

pytestmark = pytest.mark.data

CIFAR10 = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
IMAGENET_STATISTICS = Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def cifar(shared_data: Path, name: str) -> ManifestDataset:
    path = shared_data / "images" / f"{name}.parquet"
    return ManifestDataset(source="manifest", path=str(path), classes=CIFAR10)


def resnet(shared_data: Path, depth: int) -> BuiltinModel:
    weights = shared_data / "models" / f"cifar10_resnet{depth}.safetensors"
    return BuiltinModel.model_validate(
        {
            "source": "builtin",
            "name": f"cifar_resnet{depth}",
            "num_outputs": 10,
            "weights": str(weights),
            "preprocess": IMAGENET_STATISTICS.model_dump(),
        },
        strict=False,
    )


def accuracy(model: BuiltinModel, data: ManifestDataset, num_rows: int) -> float:
    dataset, network = open_dataset(data), open_network(model)
    labels = dataset.labels("all")
    assert labels is not None
    correct = 0
    for start in range(0, num_rows, 100):
        rows = range(start, min(start + 100, num_rows))
        images = [image for image in dataset.read("all", rows, View()) if isinstance(image, Tensor)]
        assert len(images) == len(rows)
        pixels = torch.stack([fit_geometry(image, model.preprocess) for image in images])
        with torch.no_grad():
            preds = network(normalise(pixels, model.preprocess, torch.float32)).argmax(dim=1)
        correct += int((preds.numpy() == labels[start : start + 100]).sum())
    return correct / num_rows


@pytest.mark.parametrize(("depth", "expected"), [(20, 0.92), (56, 0.94)])
def test_cifar_resnets_reach_their_accuracy(shared_data: Path, depth: int, expected: float) -> None:
    found = accuracy(
        resnet(shared_data, depth), cifar(shared_data, "cifar10_test_lossless200"), 200
    )
    assert found >= expected


def test_jpeg_rows_of_several_row_groups_read_in_any_order(shared_data: Path) -> None:
    dataset = open_dataset(cifar(shared_data, "cifar10_test"))
    rows = [9_999, 0, 5_000, 2_001]
    together = dataset.read("all", rows, View())
    for row, image in zip(rows, together, strict=True):
        (alone,) = dataset.read("all", [row], View())
        assert isinstance(image, Tensor)
        assert isinstance(alone, Tensor)
        assert image.shape == (3, 32, 32)
        assert torch.equal(image, alone)


def test_squeezenet_loads_and_sees_photos(shared_data: Path) -> None:
    photos = open_dataset(
        ManifestDataset(
            source="manifest",
            path=str(shared_data / "images" / "coco299" / "objects80.csv"),
            columns=Columns(label="none"),
        )
    )
    spec = TorchvisionModel(
        source="torchvision",
        name="squeezenet1_0",
        weights=str(shared_data / "models" / "imagenet_squeezenet1_0.safetensors"),
        preprocess=Preprocess(
            resize=256, crop=227, mean=(0.4824, 0.4588, 0.4078), std=(1 / 255,) * 3
        ),
    )
    network = open_network(spec)
    names = (shared_data / "models" / "imagenet_labels.txt").read_text().splitlines()
    zebras = photos.column("all", "zebra").nonzero()[0][:6]
    images = photos.read("all", [int(row) for row in zebras], View())
    pixels = torch.stack(
        [fit_geometry(i, spec.preprocess) for i in images if isinstance(i, Tensor)]
    )
    with torch.no_grad():
        top = network(normalise(pixels, spec.preprocess, torch.float32)).topk(5).indices
    seen = [any("zebra" in names[int(index)] for index in row) for row in top]
    assert len(seen) == len(zebras) > 0
    assert sum(seen) > len(seen) / 2


def test_an_onnx_file_is_no_state_dict(shared_data: Path) -> None:
    weights = shared_data / "models" / "cifar10_robust_resnet4b.onnx"
    model = BuiltinModel(
        source="builtin", name="cifar_resnet20", num_outputs=10, weights=str(weights)
    )
    with pytest.raises(InputError, match="neither a safetensors nor a torch file"):
        open_network(model)


def test_weights_of_another_architecture_are_refused(shared_data: Path) -> None:
    weights = shared_data / "models" / "cifar10_robust_resnet2b.safetensors"
    model = BuiltinModel(
        source="builtin", name="cifar_resnet20", num_outputs=10, weights=str(weights)
    )
    with pytest.raises(InputError, match="do not fit CifarResNet"):
        open_network(model)
