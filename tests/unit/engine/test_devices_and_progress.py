"""Devices are settled or refused by name; progress is a bar for people and lines for pipes."""

from __future__ import annotations

import io

import pytest
import torch

from auditor.engine.backends.local import LocalBackend
from auditor.engine.device import is_out_of_memory, settle_device
from auditor.engine.progress import Bars, Lines, Silent, progress_on
from auditor.errors import PlanError


def test_auto_is_cuda_where_there_is_one_and_the_cpu_otherwise() -> None:
    expected = "cuda:0" if torch.cuda.is_available() else "cpu"
    assert str(settle_device("auto")) == expected
    assert str(settle_device("cpu")) == "cpu"


def test_a_device_that_is_not_there_is_refused_with_the_next_move() -> None:
    with pytest.raises(PlanError, match="CUDA device") as caught:
        settle_device("cuda:77")
    assert "engine.device=auto" in str(caught.value)


def test_memory_errors_are_told_from_defects() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


def test_a_pipe_gets_plain_lines() -> None:
    stream = io.StringIO()
    progress = progress_on(stream)
    assert isinstance(progress, Lines)
    with progress.step("scan train", 10, "images") as advance:
        advance(4)
        advance(3)
    first, last = stream.getvalue().splitlines()
    assert first == "scan train: 10 images"
    assert last.startswith("scan train: 7 of 10 images in ")


def test_a_terminal_gets_bars_with_a_rate() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    progress = progress_on(stream)
    assert isinstance(progress, Bars)
    with progress.step("scan train", 10, "images") as advance:
        advance(10)
    progress.say("out of memory: [8]")
    assert "scan train" in stream.getvalue()
    assert "10/10" in stream.getvalue()
    assert "out of memory: [8]" in stream.getvalue()


def test_silence_is_silent() -> None:
    with Silent().step("scan", 1, "images") as advance:
        advance(1)


def test_the_local_backend_runs_shards_in_order_and_only_as_far_as_asked() -> None:
    backend, ran = LocalBackend(), []

    def work(shard: int) -> int:
        ran.append(shard)
        return shard * 10

    results = backend.in_order(range(5), work)
    assert [next(results), next(results)] == [0, 10]
    assert ran == [0, 1]
    assert backend.place() == (0, 1)
    assert backend.launch(lambda: "done") == "done"
