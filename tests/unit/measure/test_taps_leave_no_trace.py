"""Taps read what a module put out and leave the network as they found it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from auditor.errors import InputError
from auditor.measure.taps import cut_open, tap


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5),
        nn.Flatten(), nn.Linear(4 * 36, 5),
    )  # fmt: skip
    network.train()
    network[1].eval()
    network[0].weight.requires_grad_(False)
    network[5].weight.grad = torch.full_like(network[5].weight, 2.0)
    return network


def snapshot(network: nn.Module) -> list[Any]:
    values: list[Any] = [module.training for module in network.modules()]
    values += [len(module._forward_hooks) for module in network.modules()]
    values += [parameter.requires_grad for parameter in network.parameters()]
    values += [None if p.grad is None else p.grad.sum().item() for p in network.parameters()]
    values += [tensor.double().sum().item() for tensor in network.state_dict().values()]
    return [*values, torch.random.get_rng_state().sum().item()]


class Breaks(nn.Module):
    def forward(self, _images: Tensor) -> Tensor:
        raise RuntimeError("boom")


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Linear(4, 4)
        self.unused = nn.Linear(4, 4)
        self.lstm = nn.LSTM(4, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.lstm(self.block(self.block(images)))[0]


@pytest.mark.parametrize(
    "run", [lambda n, x: tap(n, x, ["0", "2"]), lambda n, x: cut_open(n, x, ["0"])]
)
def test_the_network_is_left_as_found(run: Any) -> None:
    network, images = small_network(), torch.randn(2, 3, 8, 8)
    before = snapshot(network)
    run(network, images)
    assert snapshot(network) == before


@pytest.mark.parametrize("run", [lambda n, x: tap(n, x, ["0"]), lambda n, x: cut_open(n, x, ["0"])])
def test_the_network_is_left_as_found_after_a_failure(run: Any) -> None:
    network, images = small_network(), torch.randn(2, 3, 8, 8)
    network.append(Breaks())
    before = snapshot(network)
    with pytest.raises(RuntimeError, match="boom"):
        run(network, images)
    assert snapshot(network) == before


def test_in_place_modules_do_not_change_what_was_read() -> None:
    network, images = small_network(), torch.randn(2, 3, 8, 8)
    network.eval()
    expected = network[1](network[0](images))
    assert torch.equal(tap(network, images, ["1"]).activations["1"], expected)
    assert torch.equal(cut_open(network, images, ["1"]).activations["1"], expected)


def test_a_missing_module_offers_near_names() -> None:
    network = nn.Sequential()
    network.add_module("features", nn.Linear(3, 3))
    with pytest.raises(InputError, match="'feature'") as caught:
        tap(network, torch.zeros(1, 3), ["feature"])
    assert caught.value.hint == "did you mean `features`?"


@pytest.mark.parametrize(
    ("path", "message"),
    [("block", "more than once"), ("unused", "was not called"), ("lstm", "returns tuple")],
)
def test_modules_that_cannot_be_tapped_are_named(path: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tap(Twice(), torch.zeros(2, 3, 4), [path])


def test_a_head_is_only_a_head_when_nothing_happens_in_between() -> None:
    images = torch.randn(2, 3, 8, 8)
    straight = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(), nn.Flatten(), nn.Linear(144, 5))
    assert cut_open(straight, images, ["0"]).heads["0"] is straight[3]
    changed = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(True), nn.Flatten(), nn.Linear(144, 5))
    assert not cut_open(changed, images, ["0"]).heads
    assert cut_open(changed, images, ["1"]).heads["1"] is changed[3]
    followed = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.Tanh())
    assert not cut_open(followed, images, ["0"]).heads
