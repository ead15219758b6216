"""Features are the units of any layer, and heat maps say where a unit found its evidence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from auditor.errors import InputError
from auditor.measure.features import (
    evidence_maps,
    feature_maps,
    features_at,
    pooled,
    spatial_layer_before,
)


class Tokens(nn.Module):
    """Patches as tokens, mixed linearly, and a head on their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 2, stride=2)
        self.mix = nn.Linear(6, 5)
        self.head = nn.Linear(5, 2)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.mix(self.patches(images).flatten(2).transpose(1, 2))
        logits: Tensor = self.head(tokens.mean(1))
        return logits


class Branches(nn.Module):
    """A side branch that runs before the head without feeding it, and a module that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.late = nn.Conv2d(4, 4, 3, padding=1)
        self.side = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.relu(self.late(self.relu(self.conv(images))))
        self.side(images)
        logits: Tensor = self.head(maps.mean((2, 3)))
        return logits


def classifier() -> nn.Sequential:
    """Convolution, pooling to a vector, hidden units; in training mode and partly frozen."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5), nn.ReLU(inplace=True),
        nn.Linear(5, 2),
    )  # fmt: skip
    network.train()
    network[1].eval()
    network[0].weight.requires_grad_(False)
    return network


def snapshot(network: nn.Module) -> list[Any]:
    values: list[Any] = [module.training for module in network.modules()]
    values += [len(module._forward_hooks) for module in network.modules()]
    values += [parameter.requires_grad for parameter in network.parameters()]
    values += [parameter.grad is None for parameter in network.parameters()]
    return [*values, *(tensor.double().sum().item() for tensor in network.state_dict().values())]


def test_places_are_pooled_by_mean_or_maximum() -> None:
    maps = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert pooled(maps, "mean").tolist() == [[5.5, 17.5]]
    assert pooled(maps, "max").tolist() == [[11.0, 23.0]]
    tokens = maps.flatten(2).transpose(1, 2)
    assert torch.equal(pooled(tokens, "mean"), pooled(maps, "mean"))
    assert torch.equal(pooled(tokens, "max"), pooled(maps, "max"))
    vector = torch.randn(3, 5)
    assert torch.equal(pooled(vector, "mean"), vector)
    assert torch.equal(pooled(vector, "max"), vector)


@pytest.mark.parametrize("shape", [(4,), (1, 2, 3, 4, 5)])
def test_an_output_without_units_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="no units") as caught:
        pooled(torch.zeros(shape), "mean")
    assert str(list(shape)) in caught.value.message


@pytest.mark.parametrize("layer", ["0", "2", "3", "4", "5", "6"])
@pytest.mark.parametrize("pool", ["mean", "max"])
def test_features_equal_a_plain_forward_pass(layer: str, pool: Any) -> None:
    network, images = classifier(), torch.randn(3, 3, 8, 8)
    found = features_at(network, images, layer, pool)
    network.eval()
    expected = pooled(network[: int(layer) + 1](images.clone()), pool)
    assert torch.allclose(found, expected, atol=1e-6)


def test_gradients_of_features_reach_the_images_and_no_parameter() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    images = torch.randn(2, 3, 2, 2, requires_grad=True)
    features_at(network, images, "1", "mean")[:, 3].sum().backward()
    assert images.grad is not None
    assert torch.equal(images.grad.flatten(1), network[1].weight[3].expand(2, -1))
    assert all(parameter.grad is None for parameter in network.parameters())


def test_tokens_are_features_too() -> None:
    network, images = Tokens(), torch.randn(2, 3, 6, 6)
    tokens = network.mix(network.patches(images).flatten(2).transpose(1, 2))
    assert torch.allclose(features_at(network, images, "mix", "max"), tokens.amax(1))


def test_the_map_of_a_channel_is_shown_as_it_is() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.ReLU())
    weight = torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]])
    network[0].weight.data = weight[..., None, None]
    images = torch.rand(2, 3, 4, 5)
    maps = feature_maps(network, images, "0", torch.tensor([0, 1]), heatmap_layer=None)
    assert torch.allclose(maps[0], images[0, 0] - images[0, 2])
    assert torch.allclose(maps[1], 2 * images[1, 1])


def test_behind_global_pooling_a_unit_is_shown_by_its_channel() -> None:
    network, images = classifier(), torch.randn(4, 3, 8, 8)
    units = torch.tensor([0, 1, 2, 3])
    vector = feature_maps(network, images, "4", units, heatmap_layer=None)
    channel = feature_maps(network, images, "2", units, heatmap_layer=None)
    assert torch.allclose(vector, channel / 36, atol=1e-7)
    assert vector.amax() > 0


def test_evidence_of_a_piecewise_linear_network_adds_up_to_the_unit() -> None:
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3, bias=False), nn.ReLU(),
        nn.Flatten(), nn.Linear(6 * 16, 7, bias=False), nn.ReLU(), nn.Linear(7, 5),
    ).double()  # fmt: skip
    images, units = torch.randn(5, 3, 8, 8).double(), torch.arange(5)
    # The bias of the unit itself is the only one after module 1.
    expected = network(images)[units, units] - network[7].bias[units]
    for start in ("1", "2", "3"):
        maps = evidence_maps(network, images, "7", units, start=start)
        assert torch.allclose(maps.sum((1, 2)).double(), expected, atol=1e-6)
    shown = feature_maps(network, images, "7", units, heatmap_layer="1")
    signed = evidence_maps(network, images, "7", units, start="1")
    assert (signed < 0).any()
    assert torch.equal(shown, signed.clamp(min=0))


def test_evidence_of_a_token_layer_lies_in_its_patches() -> None:
    torch.manual_seed(0)
    network, images = Tokens().double(), torch.randn(3, 3, 6, 6).double()
    units = torch.tensor([4, 0, 2])
    assert spatial_layer_before(network, images, "mix") == "patches"
    maps = evidence_maps(network, images, "mix", units, start="patches", pool="mean")
    expected = (
        features_at(network, images, "mix", "mean")[range(3), units] - network.mix.bias[units]
    )
    assert maps.shape == (3, 3, 3)
    assert torch.allclose(maps.sum((1, 2)), expected.float(), atol=1e-6)
    # The largest token alone holds the evidence of a maximum.
    largest = evidence_maps(network, images, "mix", units, start="patches", pool="max")
    assert [(row != 0).sum().item() for row in largest] == [1, 1, 1]


def test_without_a_spatial_layer_the_evidence_lies_in_the_image() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    images = torch.randn(2, 3, 4, 4)
    assert spatial_layer_before(network, images, "1") is None
    maps = feature_maps(network, images, "1", torch.tensor([2, 0]), heatmap_layer=None)
    weight = network[1].weight.detach()[[2, 0]].reshape(2, 3, 4, 4)
    assert torch.allclose(maps, (weight * images).sum(1).clamp(min=0), atol=1e-6)


def test_the_last_spatial_layer_is_the_last_that_runs_and_runs_once() -> None:
    images = torch.randn(1, 3, 8, 8)
    assert spatial_layer_before(classifier(), images, "4") == "2"
    assert spatial_layer_before(classifier(), images, "6") == "2"
    assert spatial_layer_before(classifier(), images, "2") == "1"
    assert spatial_layer_before(classifier(), images, "0") is None
    assert spatial_layer_before(Branches(), images, "side") == "late"


@pytest.mark.parametrize(
    ("heatmap_layer", "message"),
    [
        ("3", "no places"),
        ("5", "'5' has no places of its own"),
        ("6", "no places"),
        ("absent", "no module 'absent'"),
    ],
)
def test_a_heat_map_layer_that_cannot_serve_is_refused(heatmap_layer: str, message: str) -> None:
    network, images = classifier(), torch.randn(1, 3, 8, 8)
    with pytest.raises(InputError, match=message):
        feature_maps(network, images, "5", torch.tensor([0]), heatmap_layer=heatmap_layer)


def test_a_heat_map_layer_that_does_not_feed_the_feature_is_refused() -> None:
    images = torch.randn(1, 3, 8, 8)
    with pytest.raises(InputError, match="'head' does not depend on 'side'") as caught:
        feature_maps(Branches(), images, "head", torch.tensor([0]), heatmap_layer="side")
    assert "heatmap_layer" in (caught.value.hint or "")


def test_a_layer_that_runs_twice_has_no_one_place_in_the_order() -> None:
    with pytest.raises(InputError, match="'relu' does not run exactly once"):
        spatial_layer_before(Branches(), torch.randn(1, 3, 8, 8), "relu")


def _looks(network: nn.Module, images: Tensor) -> None:
    units = torch.zeros(len(images), dtype=torch.int64)
    features_at(network, images.clone().requires_grad_(), "5", "mean").sum().backward()
    feature_maps(network, images, "0", units, heatmap_layer=None)
    feature_maps(network, images, "5", units, heatmap_layer=None)


def test_the_network_is_left_as_found() -> None:
    network, images = classifier(), torch.randn(2, 3, 8, 8)
    before = snapshot(network)
    _looks(network, images)
    assert snapshot(network) == before


@pytest.mark.parametrize("layer", ["0", "5"])
def test_the_network_is_left_as_found_after_a_failure(layer: str) -> None:
    network = classifier()
    before = snapshot(network)
    wrong = torch.randn(2, 4, 8, 8)
    for look in (
        lambda: features_at(network, wrong, layer, "mean"),
        lambda: feature_maps(network, wrong, layer, torch.zeros(2).long(), heatmap_layer=None),
        lambda: spatial_layer_before(network, wrong, layer),
        lambda: evidence_maps(network, wrong, "5", torch.zeros(2).long(), start="2"),
    ):
        with pytest.raises(RuntimeError):
            look()
        assert snapshot(network) == before
