"""Gradients of 40 attributes at AlexNet's first layer, against the two plain ways to take them.

The plain ways: Captum's layer gradients, which make one forward and one backward pass per
attribute; and one shared forward pass with a loop of backward passes, each side at the batch size
that suits it best. Both sides end with the same gradients. The weights are random.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from captum.attr import LayerGradientXActivation
from torch import Tensor, nn
from torchvision.models import alexnet

from auditor.measure.jacobians import layer_jacobian

LAYER = "features.0"
NUM_ATTRIBUTES = 40
SMALL_BATCHES = (1, 4)
BATCHES = {"cpu": (8, 16), "cuda": (16, 32, 64)}
REPEATS = 2

Gradients = Callable[[Tensor], Tensor]


def ours(network: nn.Module, images: Tensor) -> Tensor:
    """Gradients [B, n, *L], as a run takes them."""
    return layer_jacobian(network, images, LAYER, range(NUM_ATTRIBUTES)).jacobian


def captum(network: nn.Module, images: Tensor) -> Tensor:
    """One forward and one backward pass per attribute."""
    gradient = LayerGradientXActivation(
        network, network.get_submodule(LAYER), multiply_by_inputs=False
    )
    rows = [gradient.attribute(images, target=index) for index in range(NUM_ATTRIBUTES)]
    return torch.stack(rows, 1).detach()


def shared_forward(network: nn.Module, images: Tensor) -> Tensor:
    """One forward pass, then a loop of backward passes that end at the layer."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        kept.append(output)
        return output.clone()  # AlexNet's next module works in place

    handle = network.get_submodule(LAYER).register_forward_hook(keep)
    logits = network(images)
    handle.remove()
    rows = [
        torch.autograd.grad(logits[:, index].sum(), kept[0], retain_graph=True)[0]
        for index in range(NUM_ATTRIBUTES)
    ]
    return torch.stack(rows, 1)


def seconds_per_image(gradients: Gradients, images: Tensor) -> float:
    """Wall time of one call, per image."""
    if images.is_cuda:
        torch.cuda.synchronize()
    started = time.perf_counter()
    gradients(images)
    if images.is_cuda:
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / len(images)


def against(mine: tuple[Gradients, Tensor], plain: tuple[Gradients, Tensor]) -> tuple[float, float]:
    """Best of some alternating repeats of each side, in seconds per image."""
    times = [(seconds_per_image(*mine), seconds_per_image(*plain)) for _ in range(REPEATS + 1)]
    # The first repeat warms both sides up.
    return min(own for own, _ in times[1:]), min(other for _, other in times[1:])


def small_batches(network: nn.Module, images: Tensor) -> list[dict[str, object]]:
    """Against Captum, at batches of 1 to 4."""
    rows = []
    for size in SMALL_BATCHES:
        batch = images[:size]
        mine = partial(ours, network)
        own, other = against((mine, batch), (partial(captum, network), batch))
        difference = (mine(batch) - captum(network, batch)).abs().max().item()
        name = f"gradients, batch {size}, against captum"
        rows.append(row(name, images, own, other, difference))
    return rows


def best_batches(network: nn.Module, images: Tensor, sizes: Sequence[int]) -> dict[str, object]:
    """Against one shared forward pass and a loop, each side at its own best batch size."""
    mine, plain = partial(ours, network), partial(shared_forward, network)
    own_size, size = (
        min(sizes, key=lambda size: seconds_per_image(side, images[:size]))
        for side in (mine, plain)
    )
    own, other = against((mine, images[:own_size]), (plain, images[:size]))
    difference = (mine(images[:4]) - plain(images[:4])).abs().max().item()
    measured = row("gradients, best batches, against a loop", images, own, other, difference)
    return {**measured, "ours_batch": own_size, "other_batch": size}


def row(name: str, images: Tensor, own: float, other: float, diff: float) -> dict[str, object]:
    """One line of the benchmark; times are seconds per image."""
    return {
        "name": f"{name}, {images.device.type}",
        "ratio": round(other / own, 3),
        "ours_s": round(own, 5),
        "other_s": round(other, 5),
        "max_abs_diff": diff,
    }


def main() -> None:
    """Print one JSON line per row."""
    torch.manual_seed(0)
    network = alexnet(weights=None, num_classes=NUM_ATTRIBUTES).eval()
    for device, sizes in BATCHES.items():
        if device == "cuda" and not torch.cuda.is_available():
            for name in ("batch 1 to 4, against captum", "best batches, against a loop"):
                print(json.dumps({"name": f"gradients, {name}, cuda", "ratio": "not measured"}))
            continue
        images = torch.randn(max(sizes), 3, 224, 224, device=device)
        network.to(device)
        for measured in small_batches(network, images):
            print(json.dumps(measured), flush=True)
        print(json.dumps(best_batches(network, images, sizes)), flush=True)


if __name__ == "__main__":
    main()
