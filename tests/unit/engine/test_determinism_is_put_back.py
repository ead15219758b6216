"""Flags, threads and generators are pinned inside and as found outside."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
import torch

from auditor.engine.determinism import deterministic, reseed


def state() -> list[object]:
    cudnn = torch.backends.cudnn
    return [
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.get_float32_matmul_precision(),
        (cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
        os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.get_rng_state().tolist(),
    ]


@pytest.mark.parametrize("breaks", [False, True])
def test_everything_is_as_found_also_after_an_error(breaks: bool) -> None:
    before = state()
    try:
        with deterministic(7, 1):
            random.random()
            np.random.rand()
            torch.rand(1)
            if breaks:
                raise KeyError("broken")
    except KeyError:
        pass
    assert state() == before


def test_inside_equal_seeds_draw_equal_numbers() -> None:
    def drawn() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    with deterministic(7, 1) as flags:
        first = drawn()
    with deterministic(7, 1):
        assert drawn() == first
        reseed(7, "scan", 3)
        shard = drawn()
        reseed(7, "scan", 4)
        assert drawn() != shard
        reseed(7, "scan", 3)
        assert drawn() == shard
    assert flags["seed"] == "7"
    assert flags["num_threads"] == "1"
