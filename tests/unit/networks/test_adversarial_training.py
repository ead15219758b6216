"""Fitting against an adversary: the loop of the textbook, deterministic, and it helps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from auditor.adapters.models.losses import image_losses
from auditor.adapters.models.training import FitReport, fit
from auditor.measure.attacks import ascend
from auditor.spec.model import AdversarySpec, Preprocess, TrainRecipe

CPU = torch.device("cpu")
PREPROCESS = Preprocess(mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.5))
MEAN, STD = (torch.tensor(each).view(3, 1, 1) for each in (PREPROCESS.mean, PREPROCESS.std))
Step = Callable[[nn.Module, Tensor, Tensor], Tensor]


def drawn_images(num_images: int = 90) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    shape = (num_images, 3, 4, 4)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


IMAGES = drawn_images()
CLASSES = (IMAGES[:, 0].float().mean((1, 2)) > 127).long()
SIGNS = torch.stack([CLASSES * 2 - 1, 1 - CLASSES * 2], dim=1).float()


def linear_network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return nn.Sequential(nn.Flatten(), nn.Linear(48, 2))


def weights(network: nn.Module) -> Tensor:
    return torch.cat([value.detach().flatten() for value in network.state_dict().values()])


def recipe(**changes: Any) -> TrainRecipe:
    values = {
        "epochs": 4, "batch_size": 40, "optimizer": "sgd", "learning_rate": 0.05,
        "schedule": "constant", "loss": "multi_class",
    }  # fmt: skip
    return TrainRecipe.model_validate(values | changes)


def fitted(used: TrainRecipe, network: nn.Module | None = None) -> tuple[Tensor, FitReport]:
    network = network or linear_network()
    targets = CLASSES if used.loss == "multi_class" else SIGNS
    report = fit(network, IMAGES, targets, used, preprocess=PREPROCESS, device=CPU)
    return weights(network), report


def textbook(used: TrainRecipe, attack: Step, rate: Callable[[int], float]) -> Tensor:
    """Stochastic gradient descent with momentum 0.9, written out."""
    network = linear_network()
    generator = torch.Generator().manual_seed(used.seed)
    parameters = list(network.parameters())
    velocity = [torch.zeros_like(value) for value in parameters]
    for epoch in range(used.epochs):
        for rows in torch.split(torch.randperm(len(IMAGES), generator=generator), used.batch_size):
            images = attack(network, IMAGES[rows] / 255, CLASSES[rows])
            logits = network((images - MEAN) / STD)
            loss = nn.functional.cross_entropy(logits, CLASSES[rows])
            slopes = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for value, speed, slope in zip(parameters, velocity, slopes, strict=True):
                    speed.mul_(0.9).add_(slope)
                    value.sub_(rate(epoch) * speed)
    return weights(network)


def unchanged(_network: nn.Module, images: Tensor, _classes: Tensor) -> Tensor:
    return images


def fast_gradient_sign(network: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """One sign step in pixel space (Goodfellow et al., ICLR 2015), kept inside [0, 1]."""
    moving = images.clone().requires_grad_(True)
    loss = nn.functional.cross_entropy(network((moving - MEAN) / STD), classes, reduction="sum")
    (slope,) = torch.autograd.grad(loss, moving)
    return (images + 0.1 * slope.sign()).clamp(0, 1)


def test_a_clean_recipe_is_plain_gradient_descent() -> None:
    expected = textbook(recipe(), unchanged, lambda _: 0.05)
    torch.testing.assert_close(fitted(recipe())[0], expected)


def test_the_step_schedule_divides_the_rate_by_ten_every_so_many_epochs() -> None:
    used = recipe(schedule="step", step_epochs=2, epochs=5)
    expected = textbook(used, unchanged, lambda epoch: 0.05 * 0.1 ** (epoch // 2))
    torch.testing.assert_close(fitted(used)[0], expected)


def test_batches_are_attacked_in_pixels_before_they_are_normalised() -> None:
    adversary = {
        "norm": "linf", "eps": 0.1, "num_steps": 1, "step_size": 0.1, "random_start": False,
    }  # fmt: skip
    used = recipe(adversary=adversary)
    expected = textbook(used, fast_gradient_sign, lambda _: 0.05)
    found = fitted(used)[0]
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, fitted(recipe())[0], atol=1e-3)


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("loss", ["multi_class", "multi_label"])
def test_the_same_adversary_gives_the_same_weights_to_the_last_bit(norm: str, loss: str) -> None:
    used = recipe(adversary={"norm": norm, "eps": 0.2, "num_steps": 3}, loss=loss, augment=True)
    first, report = fitted(used)
    assert report.diverged is None
    torch.rand(7)  # the global state must not matter
    assert torch.equal(first, fitted(used)[0])
    assert not torch.equal(first, fitted(used.model_copy(update={"seed": 1}))[0])


def test_without_a_gpu_mixed_precision_changes_nothing() -> None:
    adversary = {"norm": "l2", "eps": 0.2, "num_steps": 2}
    one, two = (fitted(recipe(adversary=adversary, mixed_precision=x))[0] for x in (True, False))
    assert torch.equal(one, two)


def test_the_attack_leaves_batch_statistics_alone() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    modes: list[bool] = []
    network[1].register_forward_pre_hook(lambda module, _: modes.append(module.training))
    _, report = fitted(recipe(adversary={"eps": 0.2, "num_steps": 5}), network)
    assert int(network[1].num_batches_tracked) == report.num_steps == 12  # type: ignore[arg-type]
    assert modes == ([False] * 5 + [True]) * 12


def test_images_without_a_known_target_are_not_attacked() -> None:
    logits = torch.randn(2, 3, requires_grad=True)
    for targets, loss in (
        (torch.tensor([-1, 2]), "multi_class"),
        (torch.tensor([[0.0, 0.0, 0.0], [1.0, -1.0, 0.0]]), "multi_label"),
    ):
        found = image_losses(logits, targets, loss)  # type: ignore[arg-type]
        (slope,) = torch.autograd.grad(found.sum(), logits)
        assert found[0] == 0
        assert not slope[0].any()
        assert slope[1].any()


def pattern_data(num_images: int = 400) -> tuple[Tensor, Tensor]:
    """Channel 0 tells the class nearly always and by a lot, channel 1 always, but faintly."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.randint(0, 2, (num_images,), generator=generator)
    signs = classes.float() * 2 - 1
    wrong = torch.rand(num_images, generator=generator) < 0.1
    strong = torch.where(wrong, -signs, signs) * 60
    images = torch.full((num_images, 3, 8, 8), 127.0)
    images[:, 0] += strong[:, None, None]
    images[:, 1] += 6 * signs[:, None, None]
    images += torch.randn(images.shape, generator=generator)
    return images.round().clamp(0, 255).to(torch.uint8), classes


def robust_share(network: nn.Module, images: Tensor, classes: Tensor, eps: float) -> float:
    def loss(batch: Tensor) -> Tensor:
        logits = network((batch - MEAN) / STD)
        return nn.functional.cross_entropy(logits, classes, reduction="none")

    found = ascend(loss, images / 255, norm="linf", eps=eps, num_steps=20, step_size=eps / 4)
    preds = network((found - MEAN) / STD).argmax(dim=1)
    return float((preds == classes).float().mean())


def test_an_adversary_makes_a_network_drop_the_faint_evidence_that_it_can_erase() -> None:
    images, classes = pattern_data()
    shares = {}
    for name, adversary in (
        ("clean", None), ("robust", AdversarySpec(norm="linf", eps=0.08, num_steps=5)),
    ):  # fmt: skip
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 2))
        used = recipe(epochs=25, learning_rate=0.01, adversary=adversary)
        fit(network, images, classes, used, preprocess=PREPROCESS, device=CPU)
        shares[name] = (
            robust_share(network, images, classes, 1e-6),
            robust_share(network, images, classes, 0.08),
        )
    assert shares["clean"][0] > 0.98  # it reads the faint channel
    assert shares["clean"][1] < 0.6  # which an adversary erases
    assert shares["robust"][1] > 0.85


@pytest.mark.parametrize("adversary", [None, {"norm": "l2", "eps": 0.2, "num_steps": 2}])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_fit_that_breaks_down_stops_at_once_and_says_where(
    adversary: dict[str, Any] | None, optimizer: Literal["sgd", "adamw"]
) -> None:
    used = recipe(
        adversary=adversary, optimizer=optimizer, learning_rate=1e30, epochs=50,
        loss="multi_label",
    )  # fmt: skip
    # Two layers: the product of their weights outgrows float32.
    layers = nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 2)
    _, report = fitted(used, nn.Sequential(nn.Flatten(), *layers))
    assert report.diverged is not None
    assert "no longer" in report.diverged
    assert report.num_steps < 20
    assert all(torch.tensor(report.epoch_losses).isfinite())


def test_weights_that_break_in_the_last_step_are_noticed() -> None:
    used = recipe(epochs=1, batch_size=90, learning_rate=1e38, weight_decay=1e38)
    values, report = fitted(used)
    assert not values.isfinite().all()
    assert report.diverged == "the weights were no longer numbers after step 1"
    assert report.num_steps == 1


def test_an_adversary_needs_a_network_that_can_change() -> None:
    used = recipe(adversary={"eps": 0.2})
    with pytest.raises(ValueError, match="adversary while the backbone is frozen"):
        fit(linear_network(), IMAGES, CLASSES, used, preprocess=PREPROCESS, device=CPU, head="1")


@pytest.mark.gpu
def test_on_a_gpu_layers_compute_in_bfloat16_and_weights_stay_float32() -> None:
    device = torch.device("cuda")
    for mixed, expected in ((True, torch.bfloat16), (False, torch.float32)):
        network = linear_network()
        kinds: set[torch.dtype] = set()
        network[1].register_forward_hook(lambda *seen, kinds=kinds: kinds.add(seen[2].dtype))  # type: ignore[index]
        used = recipe(adversary={"eps": 0.2, "num_steps": 2}, mixed_precision=mixed)
        report = fit(network, IMAGES, CLASSES, used, preprocess=PREPROCESS, device=device)
        assert report.diverged is None
        assert kinds == {expected}
        assert {value.dtype for value in network.parameters()} == {torch.float32}
