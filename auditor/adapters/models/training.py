"""Fit a network to images in memory: one plain loop, deterministic for its seed.

The same network, data, recipe, kind of device and number of threads give the same weights to the
last bit, where torch's deterministic kernels are on (the engine switches them on). Global random
states come back as they were.

With an adversary (Madry et al., ICLR 2018) every batch is perturbed before it is learnt from: in
pixels in [0, 1], after augmentation and before normalisation. As in the robustness library, the
perturbation is sought with the network in evaluation mode, so that it does not depend on the other
images of the batch and does not move batch statistics; the step that learns from it runs in
training mode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import assert_never, final

import torch
from torch import Tensor, nn

from auditor.adapters.models.losses import batch_loss, image_losses
from auditor.adapters.models.preprocess import normalise, standardised
from auditor.measure.attacks import ascend, random_start
from auditor.spec.model import AdversarySpec, Preprocess, TrainRecipe

FEATURE_BATCH = 256
MOMENTUM = 0.9
OVERSTEP = 2.5
"""Steps add up to 2.5 radii by default, so that every point of the ball can be reached from every
other one and the boundary can be walked along (Madry et al., ICLR 2018, section 5)."""

Prepare = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""From a part of the inputs, its targets on the device, and the source of the augmentation's draws
to what the fitted module takes."""


@final
@dataclass(frozen=True)
class FitReport:
    """What a fit did."""

    num_images: int
    """Images per epoch."""
    num_steps: int
    """Steps of the optimiser."""
    epoch_losses: tuple[float, ...]
    """Training loss per finished epoch: the mean over its batches, weighted by their images."""
    diverged: str | None = None
    """What stopped being a number, and when; the network is then of no use."""


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
        recipe: Epochs, optimiser, schedule, loss, augmentation, adversary and seed.
        preprocess: The network's mean and standard deviation.
        device: Where to compute.
        head: Module path of the layer to fit alone. The rest of the network is frozen, batch
            statistics included, so the layer's inputs are computed once.
        on_epoch: Called after each epoch.

    Raises:
        ValueError: Images, targets and loss do not fit each other, or a recipe augments or attacks
            images although the backbone is frozen.
    """
    _check(images, targets, recipe, head)
    network.to(device)
    with _random_state_kept(device), _mode_kept(network):
        torch.manual_seed(recipe.seed)
        if head is None:
            prepare = _image_batches(network.train(), recipe, preprocess, device)
            return _descend(network, images, targets, recipe, prepare, device, on_epoch)
        layer = network.get_submodule(head)
        inputs = _inputs_of(layer, network.eval(), images, preprocess, device)
        # A single layer is cheap and stays in float32 everywhere.
        recipe = recipe.model_copy(update={"mixed_precision": False})
        return _descend(
            layer, inputs, targets, recipe, lambda part, *_: part.to(device), device, on_epoch
        )


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


def perturbed(
    objective: Callable[[Tensor], Tensor],
    images: Tensor,
    adversary: AdversarySpec,
    *,
    num_steps: int,
    step_size: float,
    generator: torch.Generator,
) -> Tensor:
    """Images that an adversary has changed, from a random start where it takes one.

    Args:
        objective: Loss of each image [B] from images [B, 3, H, W] in [0, 1].
        images: float [B, 3, H, W] in [0, 1].
        adversary: Norm, radius and start.
        num_steps: Gradient steps.
        step_size: Length of each.
        generator: Draws of the random start.
    """
    norm, eps = adversary.norm, adversary.eps
    start = None
    if adversary.random_start:
        start = random_start(images, norm=norm, eps=eps, generator=generator)
    return ascend(
        objective, images, norm=norm, eps=eps, num_steps=num_steps, step_size=step_size, start=start
    )


def training_step_size(adversary: AdversarySpec) -> float:
    """Length of a step while a network is fitted."""
    return adversary.step_size or OVERSTEP * adversary.eps / adversary.num_steps


def _image_batches(
    network: nn.Module, recipe: TrainRecipe, preprocess: Preprocess, device: torch.device
) -> Prepare:
    """From uint8 images to the network's input: augmented, attacked, normalised."""
    adversary = recipe.adversary
    starts = torch.Generator(device).manual_seed(recipe.seed)

    def prepare(part: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
        pixels = (augmented(part, generator) if recipe.augment else part).to(device)
        if adversary is None:
            return normalise(pixels, preprocess, torch.float32)

        def objective(images: Tensor) -> Tensor:
            logits = _forward(network, standardised(images, preprocess), recipe)
            return image_losses(logits, targets, recipe.loss)

        network.eval()
        images = perturbed(
            objective,
            pixels.float() / 255.0,
            adversary,
            num_steps=adversary.num_steps,
            step_size=training_step_size(adversary),
            generator=starts,
        )
        network.train()
        return standardised(images, preprocess)

    return prepare


def _descend(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    recipe: TrainRecipe,
    prepare: Prepare,
    device: torch.device,
    on_epoch: Callable[[], object] | None,
) -> FitReport:
    """The loop. A loss that is no number ends it before it reaches the weights."""
    generator = torch.Generator().manual_seed(recipe.seed)
    epoch_steps = -(-len(inputs) // recipe.batch_size)
    optimizer = _optimizer(module, recipe)
    schedule = _schedule(optimizer, recipe, epoch_steps)
    losses: list[float] = []
    step = 0

    def report(diverged: str | None) -> FitReport:
        optimizer.zero_grad()
        return FitReport(len(inputs), step, tuple(losses), diverged)

    for epoch in range(recipe.epochs):
        order = torch.randperm(len(inputs), generator=generator)
        total = torch.zeros((), device=device)
        for rows in torch.split(order, recipe.batch_size):
            wanted = targets[rows].to(device)
            batch = prepare(inputs[rows], wanted, generator)
            loss = batch_loss(_forward(module, batch, recipe), wanted, recipe.loss)
            if not torch.isfinite(loss):
                where = f"step {step + 1} of {recipe.epochs * epoch_steps} (epoch {epoch + 1})"
                return report(f"the training loss was no longer a number at {where}")
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            step += 1
            total += loss.detach() * len(rows)
        losses.append(float(total) / len(inputs))
        if on_epoch is not None:
            on_epoch()
    sound = all(bool(value.isfinite().all()) for value in module.state_dict().values())
    return report(None if sound else f"the weights were no longer numbers after step {step}")


def _forward(module: nn.Module, batch: Tensor, recipe: TrainRecipe) -> Tensor:
    """Logits in float32; on a GPU the layers compute in bfloat16 where the recipe allows it."""
    mixed = recipe.mixed_precision and batch.device.type == "cuda"
    with torch.autocast(batch.device.type, dtype=torch.bfloat16, enabled=mixed):
        logits: Tensor = module(batch)
    return logits.float() if mixed else logits


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
    optimizer: torch.optim.Optimizer, recipe: TrainRecipe, epoch_steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    schedulers = torch.optim.lr_scheduler
    num_steps = recipe.epochs * epoch_steps
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
        case "step":
            every = recipe.step_epochs * epoch_steps
            return schedulers.StepLR(optimizer, step_size=every, gamma=0.1)
        case _:
            assert_never(recipe.schedule)


def _check(images: Tensor, targets: Tensor, recipe: TrainRecipe, head: str | None) -> None:
    if not len(images):
        raise ValueError("there are no images to fit a network to")
    if len(images) != len(targets):
        raise ValueError(f"{len(images)} images came with {len(targets)} targets")
    if targets.ndim != (2 if recipe.loss == "multi_label" else 1):
        raise ValueError(f"targets of shape {list(targets.shape)} do not fit loss {recipe.loss}")
    if head is not None and recipe.augment:
        raise ValueError("a recipe cannot augment images while the backbone is frozen")
    if head is not None and recipe.adversary is not None:
        raise ValueError(
            "a recipe cannot fit against an adversary while the backbone is frozen: its features "
            "would stay as they are"
        )
