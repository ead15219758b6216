"""Slices are shown by heat maps and feature attacks of their most activating images."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from auditor.audits.failures.pictures import BATCH, step_size, take_pictures
from auditor.audits.failures.spec import AttackSpec, FailuresSpec, PicturesSpec
from auditor.audits.failures.states import GrownState, PicturesState
from auditor.context import Context, Extractor
from auditor.errors import InputError
from auditor.measure.fold import Visited

MEAN, STD = 0.4, 0.25


@dataclass(frozen=True)
class Glass:
    """A network on the CPU behind the usual normalisation."""

    module: nn.Module
    device: torch.device = torch.device("cpu")  # noqa: RUF009 (a device is immutable)

    def prepare(self, pixels: Tensor) -> Tensor:
        return self.normalised(pixels.float() / 255)

    def normalised(self, images: Tensor) -> Tensor:
        return (images - MEAN) / STD


def linear_network() -> nn.Sequential:
    """Three units that are weighted sums of the pixels, plus a bias."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 3), nn.Linear(3, 2))


def convolutional_network() -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, stride=2), nn.ReLU(inplace=True),
        nn.Flatten(), nn.Linear(6 * 9, 8), nn.ReLU(inplace=True), nn.Linear(8, 2),
    )  # fmt: skip
    return network.eval().requires_grad_(False)


class Tokens(nn.Module):
    """Patches as tokens with a linear mix."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(3, 6, 2, stride=2)
        self.mix = nn.Linear(6, 5)
        self.head = nn.Linear(5, 2)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.mix(self.patches(images).flatten(2).transpose(1, 2))
        logits: Tensor = self.head(tokens.mean(1))
        return logits


def context_of(
    layer: str | None, pool: Literal["mean", "max"] = "mean", heatmap_layer: str | None = None
) -> Context:
    extractor = Extractor(
        title="a small network", network="extractor" if layer else None, layer=layer,
        pool=pool if layer else None, heatmap_layer=heatmap_layer, names=None, classifies=False,
    )  # fmt: skip
    return Context(
        audit="failures", attributes=(), rules=(), relations=(), head="multi_class",
        num_available={"test": 100}, seed=0, extractor=extractor,
    )  # fmt: skip


def spec_of(**attack: float) -> FailuresSpec:
    pictures = PicturesSpec(attack=AttackSpec.model_validate(attack))
    return FailuresSpec(kind="failures", pictures=pictures)


def grown_of(feature: list[int], activating: list[list[int]]) -> GrownState:
    wanted = torch.tensor(activating)
    none = torch.full((len(feature), 0), -1)
    rows = wanted[wanted >= 0].unique()
    return GrownState(
        torch.zeros(0, dtype=torch.uint8), rows, torch.tensor(feature), wanted, none, none
    )


def images(rows: list[int], size: int = 8, low: int = 0, high: int = 256) -> Tensor:
    """Each row has an image of its own, whatever else is visited."""
    drawn = torch.randint(
        low, high, (64, 3, size, size), generator=torch.Generator().manual_seed(3)
    )
    return drawn[torch.tensor(rows)].to(torch.uint8)


def visited_of(rows: list[int], pixels: Tensor, module: nn.Module | None) -> Visited:
    lens = None if module is None else Glass(module)
    return Visited(torch.tensor(rows), tuple(map(str, rows)), pixels, lens)


def test_an_attack_on_a_linear_extractor_follows_the_closed_form() -> None:
    network, eps = linear_network(), 0.2
    rows = [2, 5]
    pixels = images(rows, size=4, low=100, high=150)
    grown = grown_of([1, 2], [[5, 2], [2, 5]])
    state = take_pictures(
        spec_of(eps=eps, num_steps=10), context_of("1"), grown, visited_of(rows, pixels, network)
    )
    weight = network[1].weight.detach().reshape(3, 3, 4, 4)
    for s, (unit, order) in enumerate([(1, [1, 0]), (2, [0, 1])]):
        unit_weight = weight[unit] / weight[unit].norm()
        expected = pixels[order].float() / 255 + eps * unit_weight
        assert (state.attacked[s].float() / 255 - expected).abs().max() <= 0.5 / 255 + 1e-6
        # Normalisation divides by the standard deviation, and so multiplies the gradient.
        gain = eps * weight[unit].norm() / STD
        rounding = weight[unit].abs().sum() / STD * 0.5 / 255
        assert ((state.after - state.before)[s] - gain).abs().max() <= rounding
    assert torch.allclose(state.distance, torch.full((2, 2), eps), atol=1e-5)


def test_an_attack_stays_in_ball_and_box_and_raises_the_feature() -> None:
    network, rows = linear_network(), [0, 1, 2]
    pixels = images(rows, size=4, low=0, high=2) * 255
    state = take_pictures(
        spec_of(eps=1.5, num_steps=40), context_of("1"), grown_of([0], [rows]),
        visited_of(rows, pixels, network),
    )  # fmt: skip
    assert (state.distance <= 1.5 + 1e-5).all()
    assert (state.distance > 0.5).all()
    assert (state.after > state.before).all()
    # Pixels at the edge of the box move inwards or not at all, by the sign of the weight.
    moved = state.attacked[0].int() - pixels.int()
    weight = network[1].weight[0].detach().reshape(3, 4, 4)
    assert ((moved == 0) | (moved.sign() == weight.sign().int())).all()


LAYERS = [("2", "mean"), ("3", "max"), ("4", "mean"), ("6", "mean"), ("7", "mean")]


@pytest.mark.parametrize(("layer", "pool"), LAYERS)
def test_features_of_any_layer_are_shown(layer: str, pool: Any) -> None:
    network, rows = convolutional_network(), [0, 3, 4]
    pixels = images(rows)
    features = _features(network, pixels, layer, pool)
    # Units that are alive somewhere: a ReLU that is off everywhere cannot be raised.
    units = features.amin(0).topk(2).indices.tolist()
    state = take_pictures(
        spec_of(eps=0.5, num_steps=20), context_of(layer, pool), grown_of(units, [[0, 3], [4, 0]]),
        visited_of(rows, pixels, network),
    )  # fmt: skip
    assert state.shown.tolist() == [[1, 1], [1, 1]]
    expected = torch.stack([features[[0, 1], units[0]], features[[2, 0], units[1]]])
    assert torch.allclose(state.before, expected, atol=1e-5)
    after = _features(network, state.attacked.flatten(0, 1), layer, pool).reshape(2, 2, -1)
    expected = torch.stack([after[0, :, units[0]], after[1, :, units[1]]])
    assert torch.allclose(state.after, expected, atol=1e-5)
    assert (state.after > state.before).all()
    size = {"2": 8, "3": 3, "4": 3, "6": 3, "7": 3}[layer]
    assert state.maps.shape == (2, 2, size, size)
    assert torch.equal(state.maps.amin((2, 3)), torch.zeros(2, 2))
    assert torch.equal(state.maps.amax((2, 3)), torch.ones(2, 2))


def _features(network: nn.Sequential, pixels: Tensor, layer: str, pool: str) -> Tensor:
    with torch.no_grad():
        activation = network[: int(layer) + 1]((pixels.float() / 255 - MEAN) / STD)
    if activation.dim() == 2:
        return activation
    places = activation.flatten(2)
    return places.mean(2) if pool == "mean" else places.amax(2)


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_features_of_a_token_layer_are_shown_on_the_patches(pool: Any) -> None:
    rows = [1, 2]
    state = take_pictures(
        spec_of(eps=0.5, num_steps=20), context_of("mix", pool), grown_of([3], [[2, 1]]),
        visited_of(rows, images(rows), Tokens()),
    )  # fmt: skip
    assert state.maps.shape == (1, 2, 4, 4)
    assert (state.after > state.before).all()
    if pool == "max":
        # The unit is that of one token, so at most one patch raises it.
        assert ((state.maps > 0).sum((2, 3)) <= 1).all()


def test_the_spec_may_name_the_layer_of_the_heat_maps() -> None:
    rows = [0]
    visited = visited_of(rows, images(rows), convolutional_network())
    spec, grown = spec_of(num_steps=1), grown_of([0], [[0]])
    assert take_pictures(spec, context_of("7"), grown, visited).maps.shape == (1, 1, 3, 3)
    named = context_of("7", heatmap_layer="2")
    assert take_pictures(spec, named, grown, visited).maps.shape == (1, 1, 8, 8)


def test_a_feature_that_is_off_stays_put_with_an_empty_map() -> None:
    network = convolutional_network()
    network[6].bias[2] = -1e6
    rows = [0, 1]
    state = take_pictures(
        spec_of(), context_of("7"), grown_of([2], [rows]), visited_of(rows, images(rows), network)
    )
    assert state.after.tolist() == state.before.tolist() == [[0.0, 0.0]]
    assert state.distance.tolist() == [[0.0, 0.0]]
    assert torch.equal(state.attacked[0], images(rows))
    assert not state.maps.any()


def test_all_together_equal_one_by_one() -> None:
    network = convolutional_network()
    count = BATCH + 2
    rows = list(range(60))
    activating = [[(7 * s + k) % 60 for k in range(3)] for s in range(count // 3)]
    units = [s % 8 for s in range(count // 3)]
    spec, context = spec_of(eps=0.3, num_steps=4), context_of("6")
    together = take_pictures(
        spec, context, grown_of(units, activating), visited_of(rows, images(rows), network)
    )
    assert together.shown.sum() > BATCH
    for s, (unit, several) in enumerate(zip(units, activating, strict=True)):
        for k, row in enumerate(several):
            alone = take_pictures(
                spec, context, grown_of([unit], [[row]]), visited_of([row], images([row]), network)
            )
            for name in ("maps", "before", "after", "distance"):
                one, all_ = getattr(alone, name)[0, 0], getattr(together, name)[s, k]
                assert torch.allclose(one, all_, atol=1e-4), name
            difference = alone.attacked[0, 0].int() - together.attacked[s, k].int()
            assert difference.abs().max() <= 1


def test_images_that_are_missing_or_unreadable_are_not_shown() -> None:
    network = convolutional_network()
    grown = grown_of([0, 1, 2], [[9, 4, -1], [50, 9, 2], [-1, -1, -1]])
    rows = [4, 9, 20]  # 2 and 50 could not be read; 20 is a failure, shown without the network
    state = take_pictures(
        spec_of(num_steps=2), context_of("6"), grown, visited_of(rows, images(rows), network)
    )
    assert state.shown.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert state.rows.tolist() == rows
    hidden = state.shown == 0
    for field in (state.maps, state.attacked, state.before, state.after, state.distance):
        assert not field[hidden].any()
    assert state.attacked[~hidden].flatten(1).any(1).all()
    features = _features(network, images(rows), "6", "mean")
    expected = torch.stack([features[1, 0], features[0, 0], features[1, 1]])
    assert torch.allclose(state.before[~hidden], expected, atol=1e-5)


@pytest.mark.parametrize("rows", [[], [7]])
def test_nothing_readable_leaves_no_maps(rows: list[int]) -> None:
    pixels = images(rows) if rows else torch.zeros(0, 3, 8, 8, dtype=torch.uint8)
    visited = visited_of(rows, pixels, convolutional_network())
    state = take_pictures(spec_of(), context_of("6"), grown_of([0, 1], [[3], [4]]), visited)
    _refuse_pictures(state, 2)
    assert not state.shown.any()


def test_no_slices_leave_no_maps() -> None:
    grown = replace(grown_of([0], [[3]]), feature=torch.zeros(0).long())
    grown = replace(grown, activating=torch.zeros(0, 1).long())
    visited = visited_of([3], images([3]), convolutional_network())
    _refuse_pictures(take_pictures(spec_of(), context_of("6"), grown, visited), 0)


def test_without_a_network_the_images_are_kept_without_maps() -> None:
    grown = grown_of([0, 1], [[3], [4]])
    state = take_pictures(
        spec_of(), context_of(None), grown, visited_of([3, 4], images([3, 4]), None)
    )
    _refuse_pictures(state, 2)
    assert state.shown.tolist() == [[1], [1]]
    assert torch.equal(state.pixels, images([3, 4]))


def _refuse_pictures(state: PicturesState, num_slices: int) -> None:
    assert state.maps.shape == state.attacked.shape == (0,)
    assert state.attacked.dtype == torch.uint8
    for field in (state.before, state.after, state.distance):
        assert torch.equal(field, torch.zeros(num_slices, 1))


def test_the_kept_types_are_those_of_the_state() -> None:
    visited = visited_of([3], images([3]), convolutional_network())
    state = take_pictures(spec_of(num_steps=1), context_of("6"), grown_of([0], [[3]]), visited)
    kinds = {field.name: getattr(state, field.name).dtype for field in fields(state)}
    uint8, float32 = torch.uint8, torch.float32
    assert kinds == {
        "rows": torch.int64, "pixels": uint8, "shown": uint8, "maps": float32, "attacked": uint8,
        "before": float32, "after": float32, "distance": float32,
    }  # fmt: skip


def test_a_step_lets_the_attack_reach_the_edge_and_turn() -> None:
    assert math.isclose(step_size(AttackSpec(eps=2.0, num_steps=50)), 0.1)
    assert step_size(AttackSpec(eps=2.0, num_steps=50, step_size=0.7)) == 0.7


def test_the_network_is_left_as_found() -> None:
    network = convolutional_network()
    network.train()
    network[0].requires_grad_(True)
    modes = [module.training for module in network.modules()]
    flags = [parameter.requires_grad for parameter in network.parameters()]
    values = {name: value.clone() for name, value in network.state_dict().items()}
    visited = visited_of([3], images([3]), network)
    take_pictures(spec_of(num_steps=2), context_of("6"), grown_of([0], [[3]]), visited)
    with pytest.raises(InputError, match="no places"):
        take_pictures(
            spec_of(num_steps=2), context_of("7", heatmap_layer="6"), grown_of([0], [[3]]), visited
        )
    assert [module.training for module in network.modules()] == modes
    assert [parameter.requires_grad for parameter in network.parameters()] == flags
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(value, values[name]) for name, value in network.state_dict().items())
