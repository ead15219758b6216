"""`batch_size: auto` follows a rule on a CPU and halves where memory runs out."""

from __future__ import annotations

import pytest
import torch

from auditor.engine.batch_size import choose_batch_size, largest_that_fits, rule_of_thumb
from auditor.engine.progress import Silent
from auditor.errors import ExecutionError

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("bytes_per_image", "gradients", "expected"),
    [(1000, True, 16), (1000, False, 64), (40 << 20, True, 4), (1 << 40, True, 1), (0, False, 64)],
)
def test_a_cpu_takes_a_power_of_two_that_fits(
    bytes_per_image: int, gradients: bool, expected: int
) -> None:
    assert rule_of_thumb(CPU, bytes_per_image, gradients=gradients) == expected


def test_rows_that_nobody_looks_at_come_in_large_portions() -> None:
    assert choose_batch_size({}, None, (), Silent()) == 4096


def test_a_batch_that_does_not_fit_is_halved_and_said() -> None:
    said: list[str] = []
    tried: list[int] = []

    def attempt(size: int) -> None:
        tried.append(size)
        if size > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")

    assert largest_that_fits(64, attempt, said.append) == 8
    assert tried == [64, 32, 16, 8]
    assert said[-1] == "out of memory: trying batches of 8 images"


def test_a_device_without_room_for_one_image_is_an_error_to_mend() -> None:
    def attempt(size: int) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ExecutionError, match="single image"):
        largest_that_fits(4, attempt, lambda line: None)


def test_other_errors_are_not_taken_for_memory() -> None:
    def attempt(size: int) -> None:
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        largest_that_fits(4, attempt, lambda line: None)
