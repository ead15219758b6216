"""Fit a network to images in memory: one plain loop, deterministic for its seed.

The same network, data, recipe, kind of device and number of threads give the same weights to the
last bit, where torch's deterministic kernels are on (the engine switches them on). Global random
states come back as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import assert_never, final

import torch
from torch import Tensor, nn

from auditor.adapters.models.preprocess import normalise
from auditor.spec.model import Preprocess, TrainRecipe

FEATURE_BATCH = 256
MOMENTUM = 0.9
UNKNOWN_CLASS = -1


@final
@dataclass(frozen=True)
class FitReport:
    """What a fit did."""

    num_images: int
    """Images per epoch."""
    num_steps: int
    """Steps of the optimiser."""
    epoch_losses: tuple[float, ...]
    """Training loss per epoch: the mean over its batches, weighted by their images."""


def fit(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    recipe: TrainRecipe,
    *,
    preprocess: Preprocess,
    device: torch.device,
    head: str | None = None,
    on_epoch: Callable[[], object] | None = None,
) -> FitReport:
    """Fit a network in place. It stays on `device`, without gradients, in the mode it was in.

    Args:
        network: From normalised images [B, 3, H, W] to logits.
        images: uint8 [N, 3, H, W] after resize and crop, on the CPU.
        targets: [N, outputs] in {+1, −1, 0 unknown} for `multi_label`; int64 [N] class indices,
            −1 unknown, for `multi_class`.
        recipe: Epochs, optimiser, schedule, loss, augmentation and seed.
        preprocess: The network's mean and standard deviation.
        device: Where to compute.
        head: Module path of the layer to fit alone. The rest of the network is frozen, batch
            statistics included, so the layer's inputs are computed once.
        on_epoch: Called after each epoch.

    Raises:
        ValueError: Images, targets and loss do not fit each other, or a recipe augments images
            although the backbone is frozen.
    """
    _check(images, targets, recipe, head)
    network.to(device)
    with _random_state_kept(device), _mode_kept(network):
        torch.manual_seed(recipe.seed)
        if head is None:
            network.train()
            augment = recipe.augment
            return _descend(network, images, targets, recipe, preprocess, augment, device, on_epoch)
        layer = network.get_submodule(head)
        inputs = _inputs_of(layer, network.eval(), images, preprocess, device)
        return _descend(layer, inputs, targets, recipe, None, False, device, on_epoch)


def augmented(images: Tensor, generator: torch.Generator) -> Tensor:
    """Random horizontal flips, and shifts by up to an eighth of the side that repeat the border.

    Args:
        images: [B, C, H, W] on the CPU.
        generator: CPU generator of every draw.

    Returns:
        Images of the same shape and type.
    """
    num_images, _, height, width = images.shape
    flip = torch.rand(num_images, generator=generator) < 0.5
    images = torch.where(flip[:, None, None, None], images.flip(-1), images)
    down = torch.randint(-(height // 8), height // 8 + 1, (num_images, 1), generator=generator)
    right = torch.randint(-(width // 8), width // 8 + 1, (num_images, 1), generator=generator)
    rows = (torch.arange(height) + down).clamp(0, height - 1)
    columns = (torch.arange(width) + right).clamp(0, width - 1)
    image = torch.arange(num_images)[:, None, None]
    shifted = images.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]
    return shifted.permute(0, 3, 1, 2).contiguous()


def _descend(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    recipe: TrainRecipe,
    preprocess: Preprocess | None,
    augment: bool,
    device: torch.device,
    on_epoch: Callable[[], object] | None,
) -> FitReport:
    """The loop. Inputs are images where there is a `preprocess`, features otherwise."""
    generator = torch.Generator().manual_seed(recipe.seed)
    num_steps = recipe.epochs * -(-len(inputs) // recipe.batch_size)
    optimizer = _optimizer(module, recipe)
    schedule = _schedule(optimizer, recipe, num_steps)
    losses = []
    for _ in range(recipe.epochs):
        order = torch.randperm(len(inputs), generator=generator)
        total = torch.zeros((), device=device)
        for rows in torch.split(order, recipe.batch_size):
            batch = augmented(inputs[rows], generator) if augment else inputs[rows]
            batch = batch.to(device)
            if preprocess is not None:
                batch = normalise(batch, preprocess, torch.float32)
            loss = _loss(module(batch), targets[rows].to(device), recipe)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(rows)
        losses.append(float(total) / len(inputs))
        if on_epoch is not None:
            on_epoch()
    optimizer.zero_grad()
    return FitReport(num_images=len(inputs), num_steps=num_steps, epoch_losses=tuple(losses))


@torch.no_grad()
def _inputs_of(
    layer: nn.Module,
    network: nn.Module,
    images: Tensor,
    preprocess: Preprocess,
    device: torch.device,
) -> Tensor:
    """What flows into the layer for each image: [N, features], on the CPU."""
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].cpu()))
    try:
        for batch in torch.split(images, FEATURE_BATCH):
            network(normalise(batch.to(device), preprocess, torch.float32))
    finally:
        handle.remove()
    return torch.cat(seen)


@contextmanager
def _random_state_kept(device: torch.device) -> Iterator[None]:
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


@contextmanager
def _mode_kept(network: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in network.modules()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _optimizer(module: nn.Module, recipe: TrainRecipe) -> torch.optim.Optimizer:
    rate, decay = recipe.learning_rate, recipe.weight_decay
    match recipe.optimizer:
        case "adamw":
            return torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(
                module.parameters(), lr=rate, momentum=MOMENTUM, weight_decay=decay
            )
        case _:
            assert_never(recipe.optimizer)


def _schedule(
    optimizer: torch.optim.Optimizer, recipe: TrainRecipe, num_steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    schedulers = torch.optim.lr_scheduler
    match recipe.schedule:
        case "constant":
            return schedulers.ConstantLR(optimizer, factor=1.0, total_iters=0)
        case "cosine":
            return schedulers.CosineAnnealingLR(optimizer, T_max=num_steps)
        case "one_cycle":
            # One step more than there are: `schedule.step()` after the last one needs a value too.
            return schedulers.OneCycleLR(
                optimizer, max_lr=recipe.learning_rate, total_steps=num_steps + 1
            )
        case _:
            assert_never(recipe.schedule)


def _loss(logits: Tensor, targets: Tensor, recipe: TrainRecipe) -> Tensor:
    """The mean over what is known of a batch; 0 where nothing is."""
    match recipe.loss:
        case "multi_label":
            # log(1 + exp(−yY)) with y in {−1, +1}: Zhang, Wang and Zhu, AAAI 2018.
            known = targets != 0
            losses = nn.functional.softplus(-targets * logits) * known
        case "multi_class":
            known = targets != UNKNOWN_CLASS
            losses = nn.functional.cross_entropy(
                logits, targets, ignore_index=UNKNOWN_CLASS, reduction="none"
            )
        case _:
            assert_never(recipe.loss)
    return losses.sum() / known.sum().clamp(min=1)


def _check(images: Tensor, targets: Tensor, recipe: TrainRecipe, head: str | None) -> None:
    if not len(images):
        raise ValueError("there are no images to fit a network to")
    if len(images) != len(targets):
        raise ValueError(f"{len(images)} images came with {len(targets)} targets")
    if targets.ndim != (2 if recipe.loss == "multi_label" else 1):
        raise ValueError(f"targets of shape {list(targets.shape)} do not fit loss {recipe.loss}")
    if head is not None and recipe.augment:
        raise ValueError("a recipe cannot augment images while the backbone is frozen")
