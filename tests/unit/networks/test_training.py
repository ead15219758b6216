"""Fitting: deterministic, learns, leaves everything else as found."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from auditor.adapters.datasets.portraits.batch import portraits
from auditor.adapters.models.networks import PortraitsNet
from auditor.adapters.models.training import augmented, fit
from auditor.spec.model import Preprocess, TrainRecipe
from auditor.spec.portraits import ATTRIBUTES

CPU = torch.device("cpu")
PREPROCESS = Preprocess(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def signs(attributes: Tensor) -> Tensor:
    return attributes.float() * 2 - 1


def new_network(seed: int = 0) -> PortraitsNet:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return PortraitsNet(len(ATTRIBUTES))


def weights(network: nn.Module) -> Tensor:
    return torch.cat([value.flatten() for value in network.state_dict().values()])


@pytest.fixture(scope="module")
def images() -> Tensor:
    return portraits(0, torch.arange(192)).images


@pytest.fixture(scope="module")
def targets() -> Tensor:
    return signs(portraits(0, torch.arange(192)).attributes)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_the_same_recipe_gives_the_same_weights_to_the_last_bit(
    optimizer: Literal["adamw", "sgd"],
    schedule: Literal["constant", "cosine", "one_cycle"],
    images: Tensor,
    targets: Tensor,
) -> None:
    recipe = TrainRecipe(
        epochs=2, batch_size=80, optimizer=optimizer, schedule=schedule, augment=True
    )
    fitted = []
    for _ in range(2):
        torch.rand(7)  # the global state must not matter
        network = new_network()
        report = fit(network, images, targets, recipe, preprocess=PREPROCESS, device=CPU)
        fitted.append(weights(network))
        assert report.num_steps == 6
    assert torch.equal(fitted[0], fitted[1])
    other = new_network()
    reseeded = recipe.model_copy(update={"seed": 1})
    fit(other, images, targets, reseeded, preprocess=PREPROCESS, device=CPU)
    assert not torch.equal(fitted[0], weights(other))


def test_a_fit_leaves_random_state_mode_and_gradients_as_found(
    images: Tensor, targets: Tensor
) -> None:
    network = new_network().eval()
    state = torch.random.get_rng_state()
    epochs: list[int] = []
    fit(
        network, images, targets, TrainRecipe(epochs=3), preprocess=PREPROCESS, device=CPU,
        on_epoch=lambda: epochs.append(1),
    )  # fmt: skip
    assert torch.equal(state, torch.random.get_rng_state())
    assert not any(module.training for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert len(epochs) == 3


def test_a_network_learns_in_a_few_epochs(images: Tensor, targets: Tensor) -> None:
    recipe = TrainRecipe(epochs=12, batch_size=32, learning_rate=3e-3)
    network = new_network()
    report = fit(network, images, targets, recipe, preprocess=PREPROCESS, device=CPU)
    assert report.epoch_losses[0] > 0.6
    assert report.epoch_losses[-1] < 0.58


def test_a_frozen_backbone_keeps_its_weights_and_statistics(
    images: Tensor, targets: Tensor
) -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=4), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
        nn.Linear(8 * 11 * 11, 20),
    )  # fmt: skip
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recipe = TrainRecipe(epochs=5, learning_rate=1e-3)
    report = fit(network, images, targets, recipe, preprocess=PREPROCESS, device=CPU, head="4")
    changed = {
        name for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"4.weight", "4.bias"}
    assert report.epoch_losses[-1] < report.epoch_losses[0]


def test_unknown_targets_do_not_count(images: Tensor, targets: Tensor) -> None:
    hidden = targets.clone()
    hidden[:, 3] = 0
    garbled = images.clone()
    recipe = TrainRecipe(epochs=2)
    network = new_network()
    row = network.classifier[2].weight[3].detach().clone()
    fit(network, garbled, hidden, recipe, preprocess=PREPROCESS, device=CPU)
    assert torch.equal(row, network.classifier[2].weight[3])
    classes = torch.full((len(images),), -1)
    still = new_network()
    before = weights(still)
    multi_class = recipe.model_copy(update={"loss": "multi_class"})
    report = fit(still, images, classes, multi_class, preprocess=PREPROCESS, device=CPU)
    assert report.epoch_losses == (0.0, 0.0)
    assert torch.equal(before, weights(still))


def test_classes_are_learnt_by_cross_entropy(images: Tensor, targets: Tensor) -> None:
    classes = (targets[:, ATTRIBUTES.index("hat")] > 0).long()
    recipe = TrainRecipe(epochs=10, batch_size=32, learning_rate=3e-3, loss="multi_class")
    report = fit(new_network(), images, classes, recipe, preprocess=PREPROCESS, device=CPU)
    assert report.epoch_losses[-1] < 0.4 < report.epoch_losses[0]


def test_augmentation_flips_and_shifts_whole_images_and_keeps_the_border() -> None:
    ramp = torch.arange(16, dtype=torch.uint8).expand(64, 1, 16, 16)
    found = augmented(ramp, torch.Generator().manual_seed(0))
    assert found.shape == ramp.shape
    assert torch.equal(found, found[:, :, :1].expand_as(found))  # rows stay alike
    steps = found[:, 0, 0].int().diff(dim=1)
    assert ((steps.abs() <= 1) & (steps.sum(1, keepdim=True).sign() * steps >= 0)).all()
    flipped = steps.sum(1) < 0
    assert 15 < int(flipped.sum()) < 49
    offsets = found[:, 0, 0, 8].int() - torch.where(flipped, 7, 8)
    assert set(offsets.tolist()) == {-2, -1, 0, 1, 2}


def test_what_does_not_fit_together_is_refused(images: Tensor, targets: Tensor) -> None:
    network, recipe = new_network(), TrainRecipe(epochs=1)
    with pytest.raises(ValueError, match="no images"):
        fit(network, images[:0], targets[:0], recipe, preprocess=PREPROCESS, device=CPU)
    with pytest.raises(ValueError, match="192 images came with 5 targets"):
        fit(network, images, targets[:5], recipe, preprocess=PREPROCESS, device=CPU)
    with pytest.raises(ValueError, match="do not fit loss multi_label"):
        fit(network, images, targets[:, 0], recipe, preprocess=PREPROCESS, device=CPU)
    augmenting = recipe.model_copy(update={"augment": True})
    with pytest.raises(ValueError, match="backbone is frozen"):
        fit(
            network, images, targets, augmenting,
            preprocess=PREPROCESS, device=CPU, head="classifier.2",
        )  # fmt: skip
