"""Pass `shard`: scans are cut into fixed slices, the unit of resumption."""

from __future__ import annotations

from auditor.plan.facts import Facts
from auditor.plan.steps import Plan, Scan, Shard


def shard(plan: Plan, facts: Facts) -> Plan:
    """Cut each scan into slices of `engine.shard_size` rows; nothing but the spec moves a cut."""
    size = facts.spec.engine.shard_size
    return plan.model_copy(
        update={
            "steps": tuple(
                step.model_copy(update={"shards": slices(step.num_rows, size)})
                if isinstance(step, Scan)
                else step
                for step in plan.steps
            )
        }
    )


def slices(num_rows: int, size: int) -> tuple[Shard, ...]:
    """Consecutive slices of `size` rows, the last one shorter where the rows do not divide."""
    return tuple(
        Shard(start=start, stop=min(start + size, num_rows)) for start in range(0, num_rows, size)
    )
