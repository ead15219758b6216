"""The built-in networks: names, sizes, published state dicts, no hidden ReLU."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from auditor.adapters.models.networks import GridMean, PortraitsNet, build_network
from auditor.adapters.models.preprocess import normalise
from auditor.measure.attacks import ascend
from auditor.spec.model import BuiltinName, Preprocess

CIFAR = Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


@pytest.mark.parametrize("size", [48, 56, 64])
def test_the_portraits_net_takes_every_size_of_portraits(size: int) -> None:
    network = build_network("portraits_net", num_outputs=20)
    assert network(torch.rand(2, 3, size, size)).shape == (2, 20)


@pytest.mark.parametrize(
    ("name", "num_weights"),
    [
        ("cifar_resnet20", 269_722),
        ("cifar_resnet32", 464_154),
        ("cifar_resnet44", 658_586),
        ("cifar_resnet56", 853_018),
    ],
)
def test_cifar_networks_have_the_published_number_of_weights(
    name: BuiltinName, num_weights: int
) -> None:
    network = build_network(name, num_outputs=10)
    assert sum(parameter.numel() for parameter in network.parameters()) == num_weights
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "num_weights"), [("robust_resnet2b", 112_006), ("robust_resnet4b", 123_734)]
)
def test_robust_networks_have_the_published_number_of_weights(
    name: BuiltinName, num_weights: int
) -> None:
    network = build_network(name, num_outputs=10)
    assert sum(parameter.numel() for parameter in network.parameters()) == num_weights
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("name", ["portraits_net", "cifar_resnet20", "robust_resnet4b"])
def test_every_relu_is_a_named_module_out_of_place_and_used_once(name: BuiltinName) -> None:
    network = build_network(name, num_outputs=3).eval()
    calls: dict[str, int] = {}

    def count(path: str) -> None:
        calls[path] = calls.get(path, 0) + 1

    for path, module in network.named_modules():
        if isinstance(module, nn.ReLU):
            assert not module.inplace
            module.register_forward_hook(lambda *_, path=path: count(path))
    network(torch.rand(1, 3, 32, 32))
    assert calls
    assert set(calls.values()) == {1}


def test_gradients_predict_a_small_step_of_the_portraits_net_exactly() -> None:
    network = PortraitsNet(4).double().eval()
    images = torch.rand(3, 3, 48, 48, dtype=torch.float64, requires_grad=True)
    logits = network(images)
    slope = torch.autograd.grad(logits[:, 0].sum(), images)[0]
    step = 1e-7 * torch.rand_like(images)
    moved = network(images + step)[:, 0] - logits[:, 0]
    torch.testing.assert_close(moved, (slope * step).flatten(1).sum(1), rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("side", [6, 7, 8, 11])
def test_the_grid_mean_is_adaptive_average_pooling(side: int) -> None:
    maps = torch.rand(2, 5, side, side)
    expected = nn.functional.adaptive_avg_pool2d(maps, 6)
    torch.testing.assert_close(GridMean(6)(maps), expected)


def cifar_images(path: Path) -> tuple[Tensor, Tensor]:
    rows = pq.read_table(path).to_pydict()
    images = [
        np.asarray(Image.open(io.BytesIO(cell["bytes"])).convert("RGB")) for cell in rows["image"]
    ]
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return pixels, torch.tensor([CLASSES.index(name) for name in rows["label"]])


@pytest.mark.data
@pytest.mark.parametrize(("depth", "accuracy"), [(20, 0.925), (56, 0.945)])
def test_published_weights_reach_their_measured_accuracy(
    depth: int, accuracy: float, shared_data: Path
) -> None:
    name: BuiltinName = "cifar_resnet20" if depth == 20 else "cifar_resnet56"
    network = build_network(name, num_outputs=10).eval()
    network.load_state_dict(load_file(shared_data / f"models/cifar10_resnet{depth}.safetensors"))
    pixels, targets = cifar_images(shared_data / "images/cifar10_test_lossless200.parquet")
    with torch.no_grad():
        preds = network(normalise(pixels, CIFAR, torch.float32)).argmax(dim=1)
    assert float((preds == targets).float().mean()) == pytest.approx(accuracy, abs=0.0051)


ROBUST = Preprocess(mean=(0.4914, 0.4822, 0.4465), std=(0.2471, 0.2435, 0.2616))


@pytest.mark.data
@pytest.mark.parametrize(("blocks", "accuracy"), [("2b", 0.687), ("4b", 0.765)])
def test_published_robust_weights_reach_their_measured_accuracy(
    blocks: str, accuracy: float, shared_data: Path
) -> None:
    network = build_network(f"robust_resnet{blocks}", num_outputs=10).eval()  # type: ignore[arg-type]
    weights = load_file(shared_data / f"models/cifar10_robust_resnet{blocks}.safetensors")
    network.load_state_dict(weights)
    pixels, targets = cifar_images(shared_data / "images/cifar10_test.parquet")
    with torch.no_grad():
        preds = network(normalise(pixels, ROBUST, torch.float32)).argmax(dim=1)
    assert float((preds == targets).float().mean()) == pytest.approx(accuracy, abs=0.0006)


@pytest.mark.data
def test_a_robust_network_keeps_its_accuracy_under_attack_and_its_hundred_units(
    shared_data: Path,
) -> None:
    network = build_network("robust_resnet4b", num_outputs=10).eval().requires_grad_(False)
    network.load_state_dict(load_file(shared_data / "models/cifar10_robust_resnet4b.safetensors"))
    pixels, targets = cifar_images(shared_data / "images/cifar10_test_lossless200.parquet")
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (ROBUST.mean, ROBUST.std))
    units: list[Tensor] = []
    network.get_submodule("relu1").register_forward_hook(lambda *seen: units.append(seen[2]))

    def loss(images: Tensor) -> Tensor:
        logits = network((images - mean) / std)
        return nn.functional.cross_entropy(logits, targets, reduction="none")

    eps, images = 2 / 255, pixels / 255
    found = ascend(loss, images, norm="linf", eps=eps, num_steps=20, step_size=2.5 * eps / 20)
    clean, attacked = (
        float((network((x - mean) / std).argmax(1) == targets).float().mean())
        for x in (images, found)
    )
    # On all 10,000 compressed test images: 76.5 % and 61.6 %.
    assert 0.70 < clean < 0.85
    assert 0.52 < attacked < clean - 0.05
    assert units[0].shape == (200, 100)
    assert (units[0] >= 0).all()
