"""Networks open in evaluation mode; code runs only where it was allowed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from auditor.adapters.models.head import check_logits
from auditor.adapters.models.networks import build_network
from auditor.adapters.models.open import open_network, start_network
from auditor.context import Attribute
from auditor.errors import InputError, PlanError
from auditor.spec.model import (
    BuiltinModel,
    ExportedModel,
    ModelSpec,
    PredictionsModel,
    PythonModel,
    TorchScriptModel,
    TorchvisionModel,
    TrainedModel,
    TrainRecipe,
)

# torch deprecates TorchScript; archives of it are audited all the same.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
RESNET = BuiltinModel(source="builtin", name="cifar_resnet20", num_outputs=10)


def resnet() -> nn.Module:
    torch.manual_seed(3)
    return build_network("cifar_resnet20", num_outputs=10).eval()


def scripted(network: nn.Module, path: Path) -> TorchScriptModel:
    torch.jit.save(torch.jit.script(network), path)
    return TorchScriptModel(source="torchscript", path=str(path))


def exported(network: nn.Module, path: Path) -> ExportedModel:
    shapes = ({0: torch.export.Dim.AUTO},)
    torch.export.save(torch.export.export(network, (IMAGES,), dynamic_shapes=shapes), path)
    return ExportedModel(source="torch_export", path=str(path))


def trained(head: str | None = "linear", **network: object) -> TrainedModel:
    architecture = RESNET.model_copy(update=network)
    recipe = TrainRecipe(epochs=1, seed=5)
    return TrainedModel(source="train", network=architecture, replace_head=head, recipe=recipe)


# Built-in and torchvision architectures


@pytest.mark.parametrize(
    "spec",
    [
        RESNET,
        BuiltinModel(source="builtin", name="portraits_net", num_outputs=20),
        TorchvisionModel(source="torchvision", name="squeezenet1_0", num_outputs=7),
    ],
)
def test_networks_open_for_evaluation(spec: BuiltinModel | TorchvisionModel) -> None:
    network = open_network(spec)
    assert not any(module.training for module in network.modules())
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    images = torch.rand(2, 3, 64, 64)
    assert check_logits(network(images), []).shape == (2, spec.num_outputs)


def test_random_weights_are_the_same_every_time_and_cost_no_randomness() -> None:
    before = torch.get_rng_state()
    one, two = open_network(RESNET).state_dict(), open_network(RESNET).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, two[key]) for key, value in one.items())


def test_a_misspelt_torchvision_network_offers_near_names() -> None:
    with pytest.raises(InputError, match=r"'reznet50'[\s\S]*resnet50"):
        open_network(TorchvisionModel(source="torchvision", name="reznet50"))


def test_networks_that_would_download_a_backbone_are_not_offered() -> None:
    with pytest.raises(InputError, match="no classification network"):
        open_network(TorchvisionModel(source="torchvision", name="fasterrcnn_resnet50_fpn"))


def test_a_torchvision_enum_in_place_of_weights_is_explained() -> None:
    spec = TorchvisionModel(source="torchvision", name="resnet18", weights="IMAGENET1K_V1")
    with pytest.raises(InputError, match="nothing is ever downloaded"):
        open_network(spec)


def test_predictions_are_no_network() -> None:
    with pytest.raises(PlanError, match="column of predictions"):
        open_network(PredictionsModel(source="predictions"))


# Networks that are fitted from a recipe


def test_a_recipe_starts_from_a_new_head_of_the_right_size() -> None:
    network = start_network(trained(), 17)
    assert network.training
    network.eval()
    assert check_logits(network(IMAGES), []).shape == (2, 17)
    again = start_network(trained(), 17).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in network.state_dict().items())


def test_a_recipe_keeps_the_weights_it_starts_from(tmp_path: Path) -> None:
    weights = resnet().state_dict()
    save_file(weights, tmp_path / "w.safetensors")
    start = start_network(trained(weights=str(tmp_path / "w.safetensors")), 3).state_dict()
    assert torch.equal(start["conv1.weight"], weights["conv1.weight"])
    assert start["linear.weight"].shape == (3, 64)


def test_a_fitted_network_opens_with_its_head(tmp_path: Path) -> None:
    fitted = start_network(trained(), 17)
    save_file(fitted.state_dict(), tmp_path / "fitted.safetensors")
    network = open_network(trained(), trained=tmp_path / "fitted.safetensors")
    assert torch.equal(network(IMAGES), fitted.eval()(IMAGES))


def test_a_network_without_a_new_head_needs_an_output_per_target() -> None:
    assert start_network(trained(head=None), 10).training
    with pytest.raises(PlanError, match=r"10 outputs[\s\S]*17[\s\S]*num_outputs: 17"):
        start_network(trained(head=None), 17)


def test_a_network_that_is_not_fitted_yet_does_not_open() -> None:
    with pytest.raises(PlanError, match="has not run yet"):
        open_network(trained())


@pytest.mark.parametrize(("head", "what"), [("liner", "has no module"), ("relu1", "ReLU")])
def test_a_head_that_is_no_linear_layer_is_refused(head: str, what: str) -> None:
    with pytest.raises(InputError, match=rf"{what}[\s\S]*linear"):
        start_network(trained(head=head), 3)


# Networks that come as code


def python(tmp_path: Path, text: str, function: str = "build") -> PythonModel:
    (tmp_path / "net.py").write_text(text)
    return PythonModel(source="python", file=str(tmp_path / "net.py"), function=function)


TRAP = "from pathlib import Path\nPath(__file__).with_name('sprung').touch()\n"


@pytest.mark.parametrize("make", [scripted, exported])
def test_archives_need_permission(
    tmp_path: Path, make: Callable[[nn.Module, Path], ModelSpec]
) -> None:
    spec = make(resnet(), tmp_path / "net.pt2")
    with pytest.raises(InputError, match=r"net\.pt2[\s\S]*--allow-code"):
        open_network(spec)


def test_python_needs_permission(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"net\.py[\s\S]*--allow-code"):
        open_network(python(tmp_path, TRAP))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("make", [scripted, exported])
@pytest.mark.parametrize("layer", ["relu1", "layer1.0.relu2", "layer3.2", "linear"])
def test_layers_of_archives_can_be_tapped(
    tmp_path: Path, make: Callable[[nn.Module, Path], ModelSpec], layer: str
) -> None:
    original = resnet()
    network = open_network(make(original, tmp_path / "net.pt2"), allow_code=True)
    seen: dict[str, Tensor] = {}
    for name, one in (("ours", network), ("theirs", original)):
        module = dict(one.named_modules())[layer]
        module.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out}))
    torch.testing.assert_close(network(IMAGES), original(IMAGES))
    torch.testing.assert_close(seen["ours"], seen["theirs"])
    assert not network.training


def test_traced_archives_can_be_tapped_too(tmp_path: Path) -> None:
    original = resnet()
    torch.jit.save(torch.jit.trace(original, IMAGES), tmp_path / "net.pt")
    spec = TorchScriptModel(source="torchscript", path=str(tmp_path / "net.pt"))
    network = open_network(spec, allow_code=True)
    assert set(dict(original.named_modules())) == set(dict(network.named_modules()))
    torch.testing.assert_close(network(IMAGES), original(IMAGES))


class Winding(nn.Module):
    """Calls functions, branches, loops, changes a list and unpacks a shape."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([2.0]))
        self.parts = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.num_turns = 3

    def forward(self, x: Tensor) -> Tensor:
        batch, width = x.shape
        kept = [x]
        for part in self.parts:
            kept.append(torch.nn.functional.relu(part(kept[-1])))
        for turn in range(self.num_turns):
            x = x * self.scale + turn
        if batch > 2 and not self.training:
            x = x - 1
        kept.append(x)
        kept[0] = kept[1:][0] + kept[0]
        return torch.cat(kept, dim=1).view(batch, 4 * width)


@pytest.mark.parametrize("batch", [1, 5])
def test_torchscript_is_followed_through_calls_branches_and_loops(
    tmp_path: Path, batch: int
) -> None:
    network = Winding().eval()
    found = open_network(scripted(network, tmp_path / "net.pt"), allow_code=True)
    x = torch.randn(batch, 4)
    assert torch.equal(found(x), network(x))
    assert set(dict(found.named_parameters())) == set(dict(network.named_parameters()))


class Keyed(nn.Module):
    """Returns its result by way of a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        kept = {"x": x}
        kept["y"] = self.linear(x)
        return kept["y"]


def test_torchscript_that_cannot_be_followed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be followed[\s\S]*torch\.export"):
        open_network(scripted(Keyed().eval(), tmp_path / "net.pt"), allow_code=True)


def test_gradients_flow_through_torchscript_layers(tmp_path: Path) -> None:
    network = resnet()
    found = open_network(scripted(network, tmp_path / "net.pt"), allow_code=True)
    grads = []
    for one in (network, found):
        images = IMAGES.clone().requires_grad_()
        (grad,) = torch.autograd.grad(one(images)[:, 3].sum(), images)
        grads.append(grad)
    torch.testing.assert_close(grads[0], grads[1])


def test_an_archive_for_one_batch_size_is_refused(tmp_path: Path) -> None:
    torch.export.save(torch.export.export(resnet(), (IMAGES,)), tmp_path / "net.pt2")
    spec = ExportedModel(source="torch_export", path=str(tmp_path / "net.pt2"))
    with pytest.raises(InputError, match=r"exactly 2[\s\S]*dynamic_shapes"):
        open_network(spec, allow_code=True)


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch comments on a file that is no archive
@pytest.mark.parametrize(
    "make",
    [
        lambda path: TorchScriptModel(source="torchscript", path=path),
        lambda path: ExportedModel(source="torch_export", path=path),
    ],
)
@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 broken"])
def test_what_is_no_archive_is_refused(
    tmp_path: Path, make: Callable[[str], ModelSpec], content: bytes
) -> None:
    (tmp_path / "net.pt2").write_bytes(content)
    with pytest.raises(InputError, match=r"net\.pt2 is not a"):
        open_network(make(str(tmp_path / "net.pt2")), allow_code=True)


def test_a_python_function_builds_the_network(tmp_path: Path) -> None:
    text = """
from torch import nn
def make():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).double()
"""
    network = open_network(python(tmp_path, text, "make"), allow_code=True)
    assert check_logits(network(torch.rand(5, 3, 2, 2)), []).shape == (5, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def biuld():\n    pass\n", r"no function 'build'[\s\S]*biuld"),
        ("def build():\n    return 3\n", r"returns a int"),
        ("def build(:\n", r"net\.py"),
        ("def build():\n    return 1 / 0\n", r"net\.py[\s\S]*division by zero"),
        ("import no_such_module\n", r"net\.py[\s\S]*no_such_module"),
    ],
)
def test_python_files_that_build_nothing_are_explained(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        open_network(python(tmp_path, text), allow_code=True)


# Outputs


def test_an_attribute_beyond_the_outputs_is_named() -> None:
    hat = Attribute(name="hat", title="hat", output=10, index=0)
    with pytest.raises(PlanError, match=r"'hat' is scored by output 10, but the network has 10"):
        check_logits(torch.zeros(2, 10), [hat])


@pytest.mark.parametrize("output", [(torch.zeros(2, 3),), {"out": 1}, torch.zeros(2, 3, 4)])
def test_what_is_no_logits_is_refused(output: object) -> None:
    with pytest.raises(InputError, match="one row of logits per image"):
        check_logits(output, [])
