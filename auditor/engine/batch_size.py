"""`batch_size: auto`: chosen for each scan before its first image, then kept for the whole run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from auditor.engine.device import is_out_of_memory
from auditor.engine.network import PlacedNetwork, compute_all
from auditor.engine.progress import Progress
from auditor.errors import ExecutionError
from auditor.needs import NetworkRole, Output

CPU_GRADIENTS = 16
"""Images per batch where gradients are taken on a CPU: measured as fast as any larger batch, and
twice as fast as single images (AlexNet conv1, 40 attributes, 2 cores)."""

CPU_FORWARD = 64
"""Images per batch where a CPU only runs forward."""

CPU_BYTES = 256 << 20
"""Memory that the outputs of one batch may take on a CPU."""

CUDA_IMAGES = 512
"""Largest batch that is tried on a GPU."""

CUDA_SHARE = 0.25
"""Share of the free GPU memory that the outputs of one batch may take."""

UNREAD = 4096
"""Rows per batch where no image is looked at."""


def choose_batch_size(
    networks: Mapping[NetworkRole, PlacedNetwork],
    sample: Mapping[NetworkRole, Tensor] | None,
    outputs: Sequence[Output],
    say: Progress,
) -> int:
    """Images per batch for a scan.

    On a CPU a rule decides, which gives the same answer every time: a run that was killed before
    its first image then still ends in the same bytes. On a GPU the rule's answer is tried on
    copies of one image, and halved until it fits all networks with what they compute side by side.

    Args:
        networks: The networks by role; none where no image is looked at.
        sample: Any image of the scan, uint8 [3, h, w] per network; None where none could be read.
        outputs: What is computed for each image.
        say: Where a halved batch is reported.

    Raises:
        ExecutionError: the device does not hold the outputs of a single image.
    """
    if not networks:
        regions = any(output.kind == "masks" for output in outputs)
        return CPU_FORWARD if regions else UNREAD
    if sample is None:
        return CPU_GRADIENTS
    images = {role: pixels.unsqueeze(0) for role, pixels in sample.items()}
    found = compute_all(networks, images, outputs).values()
    values = [value for computed in found for value in computed.outputs.values()]
    device = next(iter(networks.values())).device
    size = rule_of_thumb(
        device,
        sum(value.numel() * value.element_size() for value in values),
        gradients=any(output.kind in ("jacobian", "evidence") for output in outputs),
    )
    if device.type != "cuda":
        return size

    def attempt(count: int) -> object:
        copies = {role: pixels.expand(count, -1, -1, -1) for role, pixels in images.items()}
        return compute_all(networks, copies, outputs)

    return largest_that_fits(size, attempt, say.say)


def rule_of_thumb(device: torch.device, bytes_per_image: int, *, gradients: bool) -> int:
    """Images per batch before anything was tried: a power of two that fits the memory.

    Args:
        device: Where the scan runs.
        bytes_per_image: Size of all outputs of one image.
        gradients: Whether Jacobians are among the outputs.
    """
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        return power_of_two(free * CUDA_SHARE / max(bytes_per_image, 1), CUDA_IMAGES)
    most = CPU_GRADIENTS if gradients else CPU_FORWARD
    return power_of_two(CPU_BYTES / max(bytes_per_image, 1), most)


def largest_that_fits(
    size: int, attempt: Callable[[int], object], say: Callable[[str], None]
) -> int:
    """Halve a batch size until a batch of it runs.

    Raises:
        ExecutionError: a single image does not fit.
    """
    while True:
        try:
            attempt(size)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise ExecutionError(
                    "the memory of the device does not hold a single image's outputs",
                    hint="name a layer with fewer units, fewer attributes, or another device",
                ) from error
            size //= 2
            say(f"out of memory: trying batches of {size} images")
        else:
            return size


def power_of_two(fitting: float, most: int) -> int:
    """The largest power of two that is neither above `fitting` nor above `most`; at least 1."""
    size = 1
    while size * 2 <= min(fitting, most):
        size *= 2
    return size
