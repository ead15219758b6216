"""Checkpoints of robust networks: wrappers' prefixes, copies of the attacker, normalisation inside.

Two libraries' files are met most often, and both put the network into a larger module:

    robustness (MadryLab)    `model`: module.model.*, module.normalizer.new_mean/new_std, and the
                             same once more under module.attacker.*
    RobustBench (Croce)      `state_dict`, `model` or the keys alone; module., model. or net. before
                             them; normalisation as mu/sigma, mean/std, normalize.mean, or as member
                             0 of a Sequential with the network as member 1
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from auditor.errors import InputError
from auditor.spec.model import Preprocess

PREFIXES = ("module.", "_orig_mod.")
"""Put before every key by `DataParallel` and by `torch.compile`."""
WRAPPED = ("model.", "net.", "network.", "1.")
"""Names of the network inside a module that normalises first; `1.` is a Sequential's second."""
ATTACKER = "attacker."
OWN = ("inner_mean", "inner_std")
"""Names of the buffers that `normalise_inside` adds to a network."""
NORMALISERS = ("normalize", "normalizer", "normalise", "normaliser", "normalization", "norm", "0")
NAMES = (("mean", "std"), ("mu", "sigma"), ("new_mean", "new_std"))
PAIRS = (
    OWN,
    *NAMES,
    *((f"{where}.{mean}", f"{where}.{std}") for where in NORMALISERS for mean, std in NAMES),
)
"""Keys that hold a mean and a standard deviation per channel."""


class Normalisation(NamedTuple):
    """What a checkpoint's network does to images in [0, 1] first: (images - mean) / std."""

    mean: Tensor
    std: Tensor

    def changes_nothing(self) -> bool:
        """Whether images pass as they are."""
        return bool((self.mean == 0).all() and (self.std == 1).all())

    def __str__(self) -> str:
        mean, std = (", ".join(f"{value:.4g}" for value in part.tolist()) for part in self)
        return f"mean ({mean}), std ({std})"


class Checkpoint(NamedTuple):
    """A checkpoint as the bare network sees it.

    Attributes:
        state: Its tensors, by the network's own keys as far as they could be made out.
        normalisation: float32 [3] mean and standard deviation; None where the file has none, or
            one that changes nothing.
    """

    state: dict[str, Tensor]
    normalisation: Normalisation | None


def understood(state: Mapping[str, Tensor], own: Collection[str], where: object) -> Checkpoint:
    """Take a checkpoint's tensors out of the modules that were wrapped around the network.

    Keys that the network has itself are never taken for a wrapper's.

    Args:
        state: Tensors by key, as the file has them.
        own: The network's own keys.
        where: The file, for errors.

    Raises:
        InputError: A normalisation divides by zero or is no number.
    """
    rest = dict(state)
    normalisation: Normalisation | None = None
    before = (-1, "")
    while before != (now := (len(rest), next(iter(rest), ""))):
        before = now
        rest = without_attacker(without_common(rest, PREFIXES), own)
        pair = inner_normalisation(rest, own)
        # A second one would be a network that nobody here knows: its keys stay, and do not fit.
        if pair is not None and normalisation is None:
            normalisation = checked([rest[key] for key in pair], where)
            rest = {key: value for key, value in rest.items() if key not in pair}
        if not any(key in own for key in rest):
            rest = without_common(rest, WRAPPED)
    neutral = normalisation is None or normalisation.changes_nothing()
    return Checkpoint(rest, None if neutral else normalisation)


def without_common(state: dict[str, Tensor], prefixes: Collection[str]) -> dict[str, Tensor]:
    """The state dict without a prefix that all its keys share."""
    for prefix in prefixes:
        if state and all(key.startswith(prefix) for key in state):
            return {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def without_attacker(state: dict[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """The robustness library's attacker holds the network and the normaliser a second time."""
    if any(key.startswith(ATTACKER) for key in own):
        return state
    return {key: value for key, value in state.items() if not key.startswith(ATTACKER)}


def inner_normalisation(
    state: Mapping[str, Tensor], own: Collection[str]
) -> tuple[str, str] | None:
    """Keys of mean and standard deviation that belong to a wrapper and have a value per channel."""
    for pair in PAIRS:
        inside = all(key in state and key not in own for key in pair)
        if inside and all(state[key].numel() in (1, 3) for key in pair):
            return pair
    return None


def checked(found: list[Tensor], where: object) -> Normalisation:
    """The normalisation as float32 [3].

    Raises:
        InputError: It divides by zero or is no number.
    """
    mean, std = (value.detach().float().flatten().expand(3).clone() for value in found)
    normalisation = Normalisation(mean, std)
    if not (mean.isfinite().all() and std.isfinite().all() and (std > 0).all()):
        raise InputError(
            f"the network in {where} normalises its images with {normalisation}",
            hint="A standard deviation is a finite number above zero; is the file damaged?",
        )
    return normalisation


def refuse_double(found: Normalisation, preprocess: Preprocess, where: object) -> None:
    """Refuse a spec that normalises images which the network normalises itself.

    Raises:
        InputError: with both shown.
    """
    neutral = Preprocess()
    if (preprocess.mean, preprocess.std) == (neutral.mean, neutral.std):
        return
    ours = Normalisation(torch.tensor(preprocess.mean), torch.tensor(preprocess.std))
    raise InputError(
        f"the network in {where} normalises its images itself, with {found}, and "
        f"`preprocess` would normalise them before, with {ours}",
        hint="Remove `preprocess.mean` and `preprocess.std`; the network's own values stay in use.",
    )


def normalise_inside(network: nn.Module, found: Normalisation) -> None:
    """Let a network normalise its images itself, with its module paths as they were.

    Mean and standard deviation become buffers, so that they move with the network and are saved
    with it; a hook applies them before the network's own `forward`.
    """
    for name, value in zip(OWN, found, strict=True):
        network.register_buffer(name, value.reshape(3, 1, 1).clone())
    network.register_forward_pre_hook(apply_inner)


def apply_inner(network: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The hook: (images - mean) / std in the precision of the images."""
    mean, std = (network.get_buffer(name) for name in OWN)
    images, *rest = inputs
    return ((images - mean.to(images.dtype)) / std.to(images.dtype), *rest)
