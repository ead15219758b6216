"""The engine: on what, how precisely and in which portions the plan is run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, GetPydanticSchema
from pydantic_core import core_schema

from auditor.spec.base import Share, SpecModel


def size_or_auto(value: Any) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65_536:
        return value
    raise ValueError("expected `auto` or a whole number from 1 to 65536")


BatchSize = Annotated[
    int | Literal["auto"],
    GetPydanticSchema(
        lambda _source, _handler: core_schema.no_info_plain_validator_function(size_or_auto),
        lambda _schema, _handler: {
            "anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 65_536}]
        },
    ),
]


class EngineSpec(SpecModel):
    """Where and how the plan runs. Nothing here changes what is asked."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:N` or `mps`."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Precision of forward passes; statistics are always accumulated in float64."""
    batch_size: BatchSize = "auto"
    """Images per forward pass; `auto` measures once at the start of a run and then stays fixed."""
    shard_size: int = Field(default=256, ge=1)
    """Images per shard: the unit of resumption and of sequential decisions."""
    channels_last: bool = False
    """Keep images in channels-last memory format."""
    compile: bool = False
    """Compile networks with torch.compile."""
    num_workers: int = Field(default=0, ge=0, le=64)
    """Threads that decode images ahead of the network."""
    num_threads: int | None = Field(default=None, ge=1, le=1024)
    """Threads that torch computes with; None takes what the machine offers."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Seed of every resampling and of the order of the images."""
    max_unreadable: Share = 0.01
    """Largest share of unreadable images of a split; above it the run stops."""
