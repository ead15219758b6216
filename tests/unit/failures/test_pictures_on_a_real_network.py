"""On real images and a robust network: heat maps lie where the evidence is, attacks are seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from auditor.adapters.datasets.image import decode
from auditor.adapters.models.networks import build_network
from auditor.audits.failures.pictures import take_pictures
from auditor.audits.failures.spec import AttackSpec, FailuresSpec, PicturesSpec
from auditor.audits.failures.states import GrownState, PicturesState
from auditor.context import Context, Extractor
from auditor.measure.features import evidence_maps, features_at
from auditor.measure.fold import Visited

MEAN = torch.tensor([0.4914, 0.4822, 0.4465]).view(1, 3, 1, 1)
STD = torch.tensor([0.2471, 0.2435, 0.2616]).view(1, 3, 1, 1)
EPS = 3.0
IMAGES = 5

pytestmark = pytest.mark.data


@dataclass(frozen=True)
class Glass:
    """The network on the CPU behind its normalisation."""

    module: nn.Module
    device: torch.device = torch.device("cpu")  # noqa: RUF009 (a device is immutable)

    def prepare(self, pixels: Tensor) -> Tensor:
        return self.normalised(pixels.float() / 255)

    def normalised(self, images: Tensor) -> Tensor:
        return (images - MEAN) / STD


class Real(NamedTuple):
    """The robust network, its images uint8 [N, 3, 32, 32] and their features [N, 100]."""

    lens: Glass
    pixels: Tensor
    features: Tensor


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Real:
    network = build_network("robust_resnet4b", num_outputs=10)
    network.load_state_dict(load_file(shared_data / "models/cifar10_robust_resnet4b.safetensors"))
    table = pq.read_table(shared_data / "images/cifar10_test_lossless200.parquet")
    images = [decode(row["bytes"]) for row in table["image"].to_pylist()]
    pixels = torch.stack([image for image in images if isinstance(image, Tensor)])
    assert len(pixels) == 200
    lens = Glass(network)
    with torch.no_grad():
        features = features_at(network, lens.prepare(pixels), "relu1", "mean")
    return Real(lens, pixels, features)


def pictures_of(real: Real, units: Tensor, **attack: float) -> tuple[PicturesState, Tensor]:
    """The five most activating images of each unit, shown, and their rows [S, 5]."""
    rows = real.features.topk(IMAGES, dim=0).indices.T[units]
    none = torch.full((len(units), 0), -1)
    visited = rows.unique()
    grown = GrownState(torch.zeros(0, dtype=torch.uint8), visited, units, rows, none, none)
    extractor = Extractor(
        title="robust", network="extractor", layer="relu1", pool="mean", heatmap_layer="layer1",
        names=None, classifies=True,
    )  # fmt: skip
    context = Context(
        audit="failures", attributes=(), rules=(), relations=(), head="multi_class",
        num_available={"test": 200}, seed=0, extractor=extractor,
    )  # fmt: skip
    pictures = PicturesSpec(attack=AttackSpec.model_validate(attack))
    spec = FailuresSpec(kind="failures", pictures=pictures)
    ids = tuple(map(str, visited.tolist()))
    seen = Visited(visited, ids, real.pixels[visited], real.lens)
    return take_pictures(spec, context, grown, seen), rows


def test_an_attack_raises_robust_features_far_beyond_those_of_any_image(real: Real) -> None:
    state, _ = pictures_of(real, torch.arange(0, 100, 10), eps=EPS, num_steps=60)
    assert state.shown.all()
    assert (state.distance <= EPS + 1e-4).all()
    highest = real.features.amax(0)[torch.arange(0, 100, 10)].unsqueeze(1)
    assert (state.after > state.before + 1.0).all()
    assert (state.after > highest).float().mean() > 0.9


def test_the_hot_part_of_a_heat_map_holds_the_evidence(real: Real) -> None:
    units = torch.arange(100)
    state, rows = pictures_of(real, units, eps=0.1, num_steps=1)
    assert state.maps.shape == (100, IMAGES, 8, 8)
    pixels = real.pixels[rows].float() / 255
    heat = state.maps.flatten(2).argsort(dim=2)
    drops = []
    for places in (heat[..., -8:], heat[..., :8]):
        cover = torch.zeros(100, IMAGES, 64).scatter(2, places, 1.0).reshape(-1, 1, 8, 8)
        cover = functional.interpolate(cover, size=(32, 32), mode="nearest")
        hidden = torch.lerp(pixels.flatten(0, 1), MEAN, cover)
        with torch.no_grad():
            module, layer = real.lens.module, "relu1"
            values = features_at(module, real.lens.normalised(hidden), layer, "mean")
        chosen = values.gather(1, units.repeat_interleave(IMAGES).unsqueeze(1))
        drops.append(state.before - chosen.reshape(100, IMAGES))
    hot, cold = drops
    # Covering an eighth of the picture takes the feature down where the map is hot.
    assert (hot > cold).float().mean() > 0.8
    assert hot.mean() > 4 * cold.mean().abs()


def test_evidence_adds_up_to_the_feature_minus_what_biases_add(real: Real) -> None:
    units = torch.arange(100)
    inputs = real.lens.prepare(real.pixels[real.features.argmax(0)])
    module = real.lens.module
    maps = evidence_maps(module, inputs, "relu1", units, start="layer2")
    bias = module.get_submodule("linear1").bias.detach()
    value = real.features.amax(0)
    assert (value > 0).all()
    # Only the linear layer of the unit lies between: its bias is all that is missing.
    assert torch.allclose(maps.sum((1, 2)) + bias, value, atol=1e-3)
