"""Layer gradients against closed forms, autograd and Captum."""

from __future__ import annotations

import pytest
import torch
from captum.attr import LayerGradientXActivation
from torch import Tensor, nn

from auditor.errors import InputError
from auditor.measure.jacobians import (
    cosines,
    gram,
    layer_jacobian,
    layer_jacobians,
)
from auditor.measure.taps import find_module, tap


def convolutional(*, outputs: int = 6) -> nn.Sequential:
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, outputs),
    )  # fmt: skip
    return network.eval()


@pytest.mark.parametrize("layer", ["0", "2", "4", "6", "9"])
@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_gradients_equal_captum(layer: str, at_once: int) -> None:
    network, images = convolutional(), torch.randn(3, 3, 12, 12)
    found = layer_jacobian(network, images, layer, [4, 0, 1], at_once=at_once)
    reference = LayerGradientXActivation(
        network, find_module(network, layer), multiply_by_inputs=False
    )
    for row, output in enumerate([4, 0, 1]):
        expected = reference.attribute(images.clone(), target=output)
        torch.testing.assert_close(found.jacobian[:, row], expected)
    torch.testing.assert_close(found.logits, network(images)[:, [4, 0, 1]])


def test_images_do_not_mix_in_a_batch() -> None:
    network, images = convolutional(), torch.randn(3, 3, 12, 12)
    together = layer_jacobian(network, images, "2", range(6)).jacobian
    alone = [layer_jacobian(network, image[None], "2", range(6)).jacobian for image in images]
    torch.testing.assert_close(together, torch.cat(alone))


def test_gradient_times_activation_plus_rest_is_the_score_on_relu_networks() -> None:
    """ν·x + β = Y with β = Σ over later biases: on a ReLU and max-pool network β is exact."""
    network = convolutional().double()
    images = torch.randn(4, 3, 12, 12, dtype=torch.float64)
    found = layer_jacobian(network, images, "2", range(6))
    linear = torch.einsum("bn...,b...->bn", found.jacobian, found.activation)
    # β by its definition: what every later bias contributes, through the gates of this image.
    bias_part = torch.zeros_like(linear)
    for index in (4, 8, 10):
        rows = layer_jacobian(network, images, str(index), range(6)).jacobian
        bias = network[index].bias.detach()
        shaped = bias.reshape(-1, *[1] * (rows.dim() - 3)).expand(rows.shape[2:])
        bias_part += (rows * shaped).flatten(2).sum(-1)
    torch.testing.assert_close(linear + bias_part, found.logits)


def test_the_layer_before_the_head_has_the_weight_rows_as_gradients() -> None:
    network, images = convolutional(), torch.randn(3, 3, 12, 12)
    found = layer_jacobian(network, images, "9", [5, 2]).jacobian
    assert torch.equal(found, network[10].weight.detach()[[5, 2]].expand(3, 2, 16))


def test_linear_networks_give_the_cosines_of_their_weight_rows() -> None:
    head = nn.Linear(50, 4)
    network = nn.Sequential(nn.Flatten(), nn.Identity(), head, nn.Identity())
    found = layer_jacobian(network, torch.randn(3, 50), "1", range(4)).jacobian
    expected = nn.functional.cosine_similarity(head.weight[:, None], head.weight[None], dim=-1)
    for values in cosines(gram(found)).values:
        torch.testing.assert_close(values.float(), expected.detach())


def test_sharing_m_of_k_unit_weights_gives_m_over_k() -> None:
    weights = torch.zeros(2, 20)
    weights[0, 0:8] = 1
    weights[1, 5:13] = 1
    values, valid = cosines(gram(weights[None]))
    assert valid.all()
    assert values[0, 0, 1].item() == pytest.approx(3 / 8, abs=1e-15)


@pytest.mark.parametrize("factor", [3.5, -0.25])
def test_a_scaled_output_gives_the_sign_of_its_factor(factor: float) -> None:
    row = torch.randn(1, 1, 200)
    values = cosines(gram(torch.cat([row, factor * row], 1))).values
    assert values[0, 0, 1].item() == pytest.approx(1.0 if factor > 0 else -1.0, abs=1e-6)


def test_a_zero_gradient_is_flagged_not_nan() -> None:
    rows = torch.randn(2, 3, 10)
    rows[1, 2] = 0
    values, valid = cosines(gram(rows))
    assert valid[0].all()
    assert not valid[1, 2].any()
    assert not valid[1, :, 2].any()
    assert values.isfinite().all()


def test_masks_and_chunks_agree_with_the_definition() -> None:
    rows, mask = torch.randn(2, 3, 5, 7), torch.rand(3, 5, 7) > 0.4
    masked = (rows * mask).flatten(2).double()
    expected = masked @ masked.transpose(1, 2)
    torch.testing.assert_close(gram(rows, mask=mask, chunk=8), expected, rtol=1e-5, atol=1e-5)


def test_outputs_that_do_not_exist_are_named() -> None:
    with pytest.raises(InputError, match="output 6 does not exist"):
        layer_jacobian(convolutional(), torch.randn(1, 3, 12, 12), "0", [0, 6])


def test_a_layer_that_the_logits_ignore_is_an_error() -> None:
    class Ignores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.side, self.main = nn.Linear(3, 3), nn.Linear(3, 2)

        def forward(self, images: Tensor) -> Tensor:
            self.side(images)
            return self.main(images)

    with pytest.raises(InputError, match="do not depend"):
        layer_jacobian(Ignores(), torch.randn(1, 3), "side", [0])


def test_several_layers_share_one_forward_pass_and_agree_with_one_at_a_time() -> None:
    network, images, calls = convolutional(), torch.randn(3, 3, 12, 12), []
    network.register_forward_hook(lambda *_: calls.append(1))
    found = layer_jacobians(network, images, {"2": [3, 1], "0": range(6)}, read=["5"])
    assert len(calls) == 1
    for layer, outputs in {"2": [3, 1], "0": list(range(6))}.items():
        alone = layer_jacobian(network, images, layer, outputs)
        assert torch.equal(found.activations[layer], alone.activation)
        torch.testing.assert_close(found.jacobians[layer], alone.jacobian)
    assert torch.equal(found.activations["5"], tap(network, images, ["5"]).activations["5"])
    assert torch.equal(found.logits, network(images))
