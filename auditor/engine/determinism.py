"""Everything that could make two runs differ, pinned while a run computes and put back after.

Seeds of Python, numpy and torch; torch's deterministic kernels; no autotuning and no TF32; a fixed
number of threads. What was in force is returned as plain text for the run record.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import numpy as np
import torch

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
WORKSPACE = ":4096:8"
"""The workspace with which cuBLAS promises equal bits; it is read when CUDA starts."""


@contextmanager
def deterministic(seed: int, num_threads: int) -> Iterator[dict[str, str]]:
    """Pin flags, threads and seeds inside; leave all of them as found outside.

    Yields:
        Flag -> value in force.
    """
    with _flags(), _threads(num_threads), random_state():
        reseed(seed)
        yield {
            "seed": str(seed),
            "num_threads": str(torch.get_num_threads()),
            "deterministic_algorithms": "warn only",
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "cudnn": "deterministic, no autotuning, no TF32",
            CUBLAS: os.environ.get(CUBLAS, "unset"),
        }


@contextmanager
def random_state() -> Iterator[None]:
    """Give back the random states of Python, numpy and torch as they were on entry."""
    python, numpy_state = random.getstate(), np.random.get_state()
    # A CUDA that was not started has no state to give back, and asking would start it.
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = range(torch.cuda.device_count()) if started else ()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)


def reseed(seed: int, *parts: str | int) -> None:
    """Seed every generator from a seed and the name of what is about to run.

    A step that starts from its own seed gives the same numbers whatever ran before it, so a
    resumed run needs no generator states on disk.
    """
    text = "/".join(str(part) for part in (seed, *parts))
    value = int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "little")
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)


@contextmanager
def _flags() -> Iterator[None]:
    cudnn = torch.backends.cudnn
    found = (cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32)
    matmul = torch.get_float32_matmul_precision()
    algorithms = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    workspace = os.environ.get(CUBLAS)
    try:
        os.environ.setdefault(CUBLAS, WORKSPACE)
        cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = False, True, False
        torch.set_float32_matmul_precision("highest")
        # Some backward kernels have no deterministic twin: torch then says so and goes on.
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling fresh memory finds bugs in kernels; here it would only cost a pass over it.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = found
        torch.set_float32_matmul_precision(matmul)
        torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        if workspace is None:
            os.environ.pop(CUBLAS, None)


@contextmanager
def _threads(num_threads: int) -> Iterator[None]:
    found = torch.get_num_threads()
    try:
        torch.set_num_threads(num_threads)
        yield
    finally:
        torch.set_num_threads(found)
