"""Checkpoints of robust networks load out of their wrappers and keep their own normalisation."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from auditor.adapters.models.networks import build_network
from auditor.adapters.models.open import open_network, start_network
from auditor.adapters.models.training import fit
from auditor.adapters.models.weights import load_weights
from auditor.errors import InputError
from auditor.measure.jacobians import layer_jacobians
from auditor.measure.taps import tap
from auditor.spec.model import (
    BuiltinModel,
    Preprocess,
    TorchvisionModel,
    TrainedModel,
    TrainRecipe,
)

State = dict[str, Tensor]
MEAN, STD = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2471, 0.2435, 0.2616])
IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def bare() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return build_network("robust_resnet2b", num_outputs=10).eval()


STATE: State = bare().state_dict()
NORMALISED = (IMAGES - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)


def expected() -> Tensor:
    with torch.no_grad():
        logits: Tensor = bare()(NORMALISED)
    return logits


def under(prefix: str, state: State) -> State:
    return {f"{prefix}{key}": value for key, value in state.items()}


def statistics(mean: str, std: str, shape: tuple[int, ...] = (3, 1, 1)) -> State:
    return {mean: MEAN.reshape(shape), std: STD.reshape(shape)}


def attacker_model() -> State:
    """`robustness.attacker.AttackerModel`: normaliser, attacker with copies of both, model."""
    return (
        statistics("normalizer.new_mean", "normalizer.new_std")
        | under("model.", STATE)
        | statistics("attacker.normalize.new_mean", "attacker.normalize.new_std")
        | under("attacker.model.", STATE)
    )


def robustness_file() -> dict[str, Any]:
    """As `robustness.train` saves it, the pickled arguments left out."""
    return {
        "model": OrderedDict(under("module.", attacker_model())),
        "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": []},
        "schedule": None, "epoch": 104, "amp": None, "nat_prec1": 57.9, "adv_prec1": 35.2,
    }  # fmt: skip


ROBUSTBENCH: dict[str, Callable[[], dict[str, Any]]] = {
    "mu and sigma beside the layers": lambda: STATE | statistics("mu", "sigma", (1, 3, 1, 1)),
    "mean and std beside the layers": lambda: {"state_dict": STATE | statistics("mean", "std")},
    "data parallel": lambda: under("module.", STATE | statistics("mu", "sigma")),
    "normalize before model": lambda: {
        "state_dict": statistics("normalize.mean", "normalize.std", (1, 3, 1, 1))
        | under("model.", STATE)
    },
    "normalizer before net": lambda: {
        "model": statistics("normalizer.mean", "normalizer.std") | under("net.", STATE)
    },
    "a sequential": lambda: statistics("0.mean", "0.std", (1, 3, 1, 1)) | under("1.", STATE),
    "a sequential in data parallel": lambda: {
        "state_dict": under("module.", statistics("0.mean", "0.std") | under("1.", STATE)),
        "epoch": 3,
    },
    "wrapped twice": lambda: {
        "net": under("module.model.", statistics("mu", "sigma") | under("model.", STATE))
    },
}


def model(path: Path, **changes: Any) -> BuiltinModel:
    return BuiltinModel(
        source="builtin", name="robust_resnet2b", num_outputs=10, weights=str(path), **changes
    )


def opened(path: Path, **changes: Any) -> nn.Module:
    return open_network(model(path, **changes))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A file of the robustness library."""
    torch.save(robustness_file(), tmp_path / "robust.pt")
    return tmp_path / "robust.pt"


def test_a_checkpoint_of_the_robustness_library_normalises_inside(checkpoint: Path) -> None:
    network = opened(checkpoint)
    assert torch.equal(network(IMAGES), expected())
    assert [path for path, _ in network.named_modules()] == [p for p, _ in bare().named_modules()]


@pytest.mark.parametrize("layout", ROBUSTBENCH)
def test_layouts_of_robustbench_normalise_inside(layout: str, tmp_path: Path) -> None:
    torch.save(ROBUSTBENCH[layout](), tmp_path / "w.pt")
    assert torch.equal(opened(tmp_path / "w.pt")(IMAGES), expected())


def test_safetensors_are_understood_in_the_same_way(tmp_path: Path) -> None:
    save_file({k: v.clone() for k, v in attacker_model().items()}, tmp_path / "w.safetensors")
    assert torch.equal(opened(tmp_path / "w.safetensors")(IMAGES), expected())


@pytest.mark.parametrize("prefix", ["module.", "model.", "net.", "module.model.", "_orig_mod."])
def test_prefixes_alone_are_stripped_and_nothing_is_normalised(prefix: str, tmp_path: Path) -> None:
    torch.save({"state_dict": under(prefix, STATE)}, tmp_path / "w.pt")
    network = opened(tmp_path / "w.pt", preprocess=Preprocess(mean=(0.5, 0.5, 0.5)))
    assert torch.equal(network(IMAGES), bare()(IMAGES))
    assert network.state_dict().keys() == STATE.keys()


def test_one_value_for_all_channels_will_do(tmp_path: Path) -> None:
    torch.save(STATE | {"mu": torch.tensor(0.5), "sigma": torch.tensor([0.25])}, tmp_path / "w.pt")
    assert torch.equal(opened(tmp_path / "w.pt")(IMAGES), bare()((IMAGES - 0.5) / 0.25))


def test_a_normalisation_that_changes_nothing_allows_one_in_the_spec(tmp_path: Path) -> None:
    neutral = {"mu": torch.zeros(3), "sigma": torch.ones(3)}
    torch.save(STATE | neutral, tmp_path / "w.pt")
    network = opened(tmp_path / "w.pt", preprocess=Preprocess(mean=(0.5, 0.5, 0.5)))
    assert torch.equal(network(IMAGES), bare()(IMAGES))


@pytest.mark.parametrize(
    "preprocess",
    [
        Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        Preprocess(mean=(0.4914, 0.4822, 0.4465), std=(0.2471, 0.2435, 0.2616)),
        Preprocess(std=(0.5, 0.5, 0.5)),
    ],
)
def test_a_spec_that_normalises_too_is_refused_with_both_shown(
    checkpoint: Path, preprocess: Preprocess
) -> None:
    with pytest.raises(InputError) as caught:
        opened(checkpoint, preprocess=preprocess)
    message = str(caught.value)
    assert str(checkpoint) in message
    assert "mean (0.4914, 0.4822, 0.4465), std (0.2471, 0.2435, 0.2616)" in message
    assert f"std ({preprocess.std[0]:.4g}, " in message
    assert "Remove `preprocess.mean` and `preprocess.std`" in message
    geometry = Preprocess(resize=32, crop=32)
    assert torch.equal(opened(checkpoint, preprocess=geometry)(IMAGES), expected())


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan"), float("inf")])
def test_a_normalisation_that_is_none_is_refused(std: float, tmp_path: Path) -> None:
    broken = {"mu": torch.zeros(3), "sigma": torch.tensor([1.0, std, 1.0])}
    torch.save(STATE | broken, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"w\.pt normalises its images with[\s\S]*above zero"):
        opened(tmp_path / "w.pt")


@pytest.mark.parametrize(
    "extra",
    [
        {"mu": torch.zeros(3)},  # no sigma with it
        {"mu": torch.zeros(7), "sigma": torch.ones(7)},
        statistics("mu", "sigma") | statistics("mean", "std"),  # twice
    ],
)
def test_what_is_no_normalisation_is_named_as_a_misfit(extra: State, tmp_path: Path) -> None:
    torch.save(STATE | extra, tmp_path / "w.pt")
    with pytest.raises(InputError, match="not in the network: "):
        opened(tmp_path / "w.pt")


class Named(nn.Module):
    """Its own keys look like those of wrappers."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Linear(3, 2)
        self.attacker = nn.Linear(3, 2)
        self.mean = nn.Parameter(torch.rand(3))
        self.std = nn.Parameter(torch.rand(3))

    def forward(self, images: Tensor) -> Tensor:
        """Nobody calls it."""
        return images


def test_keys_of_the_network_itself_are_left_alone(tmp_path: Path) -> None:
    source, target = Named(), Named()
    torch.save({"state_dict": under("module.", source.state_dict())}, tmp_path / "w.pt")
    load_weights(target, str(tmp_path / "w.pt"))
    for key, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[key], value)
    assert "inner_mean" not in target.state_dict()


class Arguments:
    """Stands for the pickled arguments in files of the robustness library."""


def test_a_checkpoint_with_more_than_tensors_is_refused_with_a_way_to_convert(
    tmp_path: Path,
) -> None:
    torch.save(robustness_file() | {"args": Arguments()}, tmp_path / "w.pt")
    with pytest.raises(InputError) as caught:
        opened(tmp_path / "w.pt")
    assert "refused" in str(caught.value)
    assert 'state["model"]' in str(caught.value)
    assert "save_file" in str(caught.value)


# The network that normalises inside is an ordinary network


def test_layers_gradients_and_copies_see_the_normalised_image(checkpoint: Path) -> None:
    network, reference = opened(checkpoint), bare()
    for layer in ("conv1", "layer1.0.shortcut.0", "relu1"):
        seen = tap(network, IMAGES, [layer]).activations[layer]
        assert torch.equal(seen, tap(reference, NORMALISED, [layer]).activations[layer])
    ours = layer_jacobians(network, IMAGES, {"relu1": [0, 3]})
    theirs = layer_jacobians(reference, NORMALISED, {"relu1": [0, 3]})
    torch.testing.assert_close(ours.jacobians["relu1"], theirs.jacobians["relu1"])
    assert torch.equal(copy.deepcopy(network)(IMAGES), expected())


def test_functional_calls_and_other_precisions_work(checkpoint: Path) -> None:
    network = opened(checkpoint)
    called = torch.func.functional_call(network, network.state_dict(), (IMAGES,))
    assert torch.equal(called, expected())
    per_image = torch.func.vmap(
        lambda image: torch.func.functional_call(network, network.state_dict(), (image[None],))[0]
    )(IMAGES)
    torch.testing.assert_close(per_image, expected())
    torch.testing.assert_close(
        network.double()(IMAGES.double()).float(), expected(), rtol=1e-4, atol=1e-4
    )
    meta = opened(checkpoint).to("meta")
    assert meta(IMAGES.to("meta")).shape == (2, 10)


def test_a_network_fitted_from_such_a_checkpoint_keeps_its_normalisation(
    checkpoint: Path, tmp_path: Path
) -> None:
    recipe = TrainRecipe(epochs=1, loss="multi_class")
    spec = TrainedModel(
        source="train", network=model(checkpoint), replace_head="linear2", recipe=recipe
    )
    network = start_network(spec, 4)
    pixels = (IMAGES * 255).to(torch.uint8)
    fit(
        network, pixels, torch.tensor([0, 3]), recipe,
        preprocess=spec.preprocess, device=torch.device("cpu"),
    )  # fmt: skip
    save_file(network.state_dict(), tmp_path / "fitted.safetensors")
    again = open_network(spec, trained=tmp_path / "fitted.safetensors")
    assert torch.equal(again(IMAGES), network.eval()(IMAGES))
    assert torch.equal(again.get_buffer("inner_mean").flatten(), MEAN)
    normalising = spec.model_copy(update={"preprocess": Preprocess(std=(0.5, 0.5, 0.5))})
    with pytest.raises(InputError, match="normalises its images itself"):
        start_network(normalising, 4)


def test_an_imagenet_network_of_the_robustness_library_fits_torchvisions(tmp_path: Path) -> None:
    spec = TorchvisionModel(source="torchvision", name="resnet18", num_outputs=5)
    state = open_network(spec).state_dict()
    wrapped = under("module.model.", state) | under("module.attacker.model.", state)
    wrapped |= statistics("module.normalizer.new_mean", "module.normalizer.new_std")
    torch.save({"model": wrapped, "epoch": 105}, tmp_path / "imagenet_l2_3_0.pt")
    loaded = open_network(spec.model_copy(update={"weights": str(tmp_path / "imagenet_l2_3_0.pt")}))
    assert torch.equal(loaded(IMAGES), open_network(spec)(NORMALISED))


@pytest.mark.parametrize("name", ["resnet50", "wide_resnet50_2"])
def test_the_name_of_published_weights_is_still_no_download(name: str) -> None:
    spec = TorchvisionModel(source="torchvision", name=name, weights="IMAGENET1K_V2")
    with pytest.raises(InputError, match="nothing is ever downloaded"):
        open_network(spec)
