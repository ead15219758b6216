"""Which device a run computes on: settled once, when the run starts."""

from __future__ import annotations

import platform

import torch

from auditor.errors import PlanError


def settle_device(asked: str) -> torch.device:
    """The device that `engine.device` stands for on this machine.

    `auto` is the first CUDA device where there is one, the CPU otherwise. MPS has to be asked for
    by name, because it lacks float64.

    Raises:
        PlanError: when the device that was asked for is not there.
    """
    if asked == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    device = torch.device(asked)
    if device.type == "cuda":
        return _cuda(device)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise _absent(asked, "this machine has no MPS device")
    return device


def describe(device: torch.device) -> str:
    """The device in words, for the run record."""
    if device.type == "cuda":
        return f"{device}: {torch.cuda.get_device_name(device)}"
    return f"{device}: {platform.processor() or platform.machine()}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out: CUDA has a type for it, the CPU a sentence."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _cuda(device: torch.device) -> torch.device:
    found = torch.cuda.device_count()
    if not found:
        raise _absent(str(device), "torch sees no CUDA device on this machine")
    index = device.index or 0
    if index >= found:
        raise _absent(str(device), f"this machine has CUDA devices 0 to {found - 1}")
    return torch.device("cuda", index)


def _absent(asked: str, why: str) -> PlanError:
    return PlanError(
        f"engine.device is {asked!r}, but {why}", hint="set engine.device=auto or engine.device=cpu"
    )
