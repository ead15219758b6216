"""What earlier runs left that a new plan can build on; a plain value, read by whoever keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from auditor.plan.identity import Settled
from auditor.plan.steps import Plan, PlanModel


class Probe(PlanModel):
    """What one pass over a few images measured; `probes/<probe key>.json` in the cache folder."""

    device: str
    """Device that it was measured on, in words."""
    flops_per_image: int
    """Floating point operations for one image, all outputs of the step together."""
    memory_bytes: dict[int, int] = {}
    """Batch size -> peak memory in bytes."""


@dataclass(frozen=True)
class History:
    """What is already there.

    Attributes:
        networks: Ids of the `Train` steps whose networks are cached.
        settled: What the newest unfinished run of the same spec settled on; None without one.
        shards: Fold key -> numbers of the finished shards in that run.
        probes: Probe key -> what was measured.
        earlier: Plan of the newest earlier run of a spec of the same name.
    """

    networks: frozenset[str] = frozenset()
    settled: Settled | None = None
    shards: Mapping[str, frozenset[int]] = field(default_factory=dict)
    probes: Mapping[str, Probe] = field(default_factory=dict)
    earlier: Plan | None = None
