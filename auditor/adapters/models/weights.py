"""State dicts from local files: nothing in them is ever executed, and misfits are explained.

Safetensors holds tensors and nothing else. Other files go through `torch.load(weights_only=True)`,
whose unpickler builds tensors and plain containers and refuses every other name. What wraps the
network inside a checkpoint is understood in `checkpoints`.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from auditor.adapters.models.checkpoints import normalise_inside, refuse_double, understood
from auditor.errors import InputError
from auditor.inventory.digest import existing_file
from auditor.near import suggest
from auditor.spec.model import Preprocess

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network")
"""Keys under which training scripts put the state dict into a larger checkpoint."""
SHOWN = 5
SAVE_HINT = (
    "Save only the state dict: safetensors.torch.save_file(model.state_dict(), "
    '"weights.safetensors").'
)
CONVERT_HINT = (
    "If you trust the file, convert it once where that does no harm, with the library that wrote "
    'it at hand: state = torch.load(FILE, map_location="cpu", weights_only=False), then '
    'safetensors.torch.save_file({k: v.clone() for k, v in state["model"].items()}, '
    '"weights.safetensors"), where the entry may also be called "state_dict".'
)
REMOTE = ("http://", "https://", "hf://", "s3://", "gs://", "file://")


def load_weights(network: nn.Module, weights: str, *, preprocess: Preprocess | None = None) -> None:
    """Load a local state dict into a network, every tensor of it.

    Where the checkpoint's network normalises images itself, this network does so from now on.

    Args:
        network: The network.
        weights: The file.
        preprocess: How the spec normalises images before the network sees them.

    Raises:
        InputError: The file is missing, holds more than tensors, or does not fit the network; or
            both the checkpoint and the spec normalise.
    """
    path = local_path(weights)
    load_state(network, read_state(path), path, preprocess=preprocess)


def load_state(
    network: nn.Module,
    state: Mapping[str, Tensor],
    path: Path,
    *,
    preprocess: Preprocess | None = None,
) -> None:
    """Load the tensors of a file into a network; see `load_weights`."""
    found = understood(state, network.state_dict().keys(), path)
    if found.normalisation is not None:
        refuse_double(found.normalisation, preprocess or Preprocess(), path)
    fit_state(network, found.state, path)
    if found.normalisation is not None:
        normalise_inside(network, found.normalisation)


def local_path(weights: str) -> Path:
    """The file that `weights` names.

    Raises:
        InputError: It names a download, or there is no such file.
    """
    named = weights.startswith(REMOTE)
    enum = weights == "DEFAULT" or "_Weights" in weights or weights.startswith("IMAGENET1K")
    if (named or enum) and not Path(weights).is_file():
        raise InputError(
            f"`weights: {weights}` names a download, and nothing is ever downloaded",
            hint="Give the path of a local state dict, as safetensors or a plain torch file.",
        )
    return existing_file(Path(weights))


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a file, taken out of the usual wrappings.

    Raises:
        InputError: The file is damaged, holds more than tensors, or holds no state dict.
    """
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path} is not a safetensors file: {error}") from error
    return unwrapped(read_torch_file(path), path)


def read_torch_file(path: Path) -> Any:
    with path.open("rb") as file:
        start = file.read(4)
    if not start.startswith((b"PK\x03\x04", b"\x80")):
        raise InputError(f"{path} is neither a safetensors nor a torch file", hint=SAVE_HINT)
    try:
        with warnings.catch_warnings():
            # torch comments on pickles of other protocols; the refusal below says it in words.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is refused: it is a pickle that holds more than tensors, and opening it could "
            "run code",
            hint=CONVERT_HINT,
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise InputError(
            f"{path} cannot be read as a state dict: {first_line(error)}", hint=SAVE_HINT
        ) from error


def unwrapped(found: Any, path: Path) -> dict[str, Tensor]:
    """The mapping of tensors inside a checkpoint."""
    if isinstance(found, Mapping):
        for candidate in (found, *(found[key] for key in WRAPPERS if key in found)):
            if is_state(candidate):
                return dict(candidate)
        names = ", ".join(repr(str(key)) for key in list(found)[:SHOWN])
        raise InputError(
            f"{path} holds no state dict: its entries are {names or 'none'}",
            hint=f"A state dict may be the whole file or stand under {', '.join(WRAPPERS)}.",
        )
    raise InputError(f"{path} holds a {type(found).__name__}, not a state dict", hint=SAVE_HINT)


def is_state(found: Any) -> bool:
    return (
        isinstance(found, Mapping)
        and len(found) > 0
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items())
    )


def fit_state(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Copy a state dict into a network whose keys and shapes it must have.

    Raises:
        InputError: with the first keys and shapes that do not fit.
    """
    own = network.state_dict()
    # Files older than torch 0.4.1 do not count batches; the counter does not matter in evaluation.
    missing = [k for k in own if k not in state and not k.endswith(".num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    misshapen = [k for k, v in own.items() if k in state and state[k].shape != v.shape]
    if missing or unexpected or misshapen:
        lines = [
            f"the weights in {path} do not fit {type(network).__name__}",
            *(misfit(key, own[key], state[key]) for key in misshapen[:SHOWN]),
            *some("missing in the file", missing),
            *some("not in the network", unexpected),
        ]
        raise InputError("\n    ".join(lines), hint=misfit_hint(missing, unexpected, misshapen))
    network.load_state_dict(dict(state), strict=False)


def misfit(key: str, ours: Tensor, theirs: Tensor) -> str:
    return f"{key}: {list(ours.shape)} in the network, {list(theirs.shape)} in the file"


def some(what: str, keys: Sequence[str]) -> list[str]:
    if not keys:
        return []
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return [f"{what}: {', '.join(keys[:SHOWN])}{more}"]


def misfit_hint(missing: Sequence[str], unexpected: Sequence[str], misshapen: Sequence[str]) -> str:
    if missing and unexpected:
        near = suggest(missing[0], unexpected, "key", most=3)
        return f"the file may hold `{missing[0]}` under another name; {near}"
    if misshapen and not missing and not unexpected:
        return "If only the last layer differs, set `num_outputs` to what the file has."
    return "Is it the right architecture, and are the weights complete?"


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
