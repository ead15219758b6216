"""One shard of a scan: batch by batch, every image decoded once and computed once for all lanes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from auditor.engine.device import is_out_of_memory
from auditor.engine.lane import Lane, failure_of
from auditor.engine.network import Computed, PlacedNetwork, refuse_non_finite
from auditor.engine.rows import Rows
from auditor.errors import ExecutionError
from auditor.measure.fold import Batch
from auditor.measure.state import merge
from auditor.plan.steps import Shard
from auditor.results.run_record import Quarantined


class Piece(NamedTuple):
    """What one shard came to.

    Attributes:
        states: Lane name to its state of this shard; None where no row was for it.
        quarantined: Unreadable images.
        num_images: Images that were to be decoded.
        failed: Audit to the reason why its fold broke.
    """

    states: dict[str, Any]
    quarantined: tuple[Quarantined, ...]
    num_images: int
    failed: dict[str, str]


def batches(shard: Shard, batch_size: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows; no batch crosses a shard."""
    for start in range(shard.start, shard.stop, batch_size):
        yield start, min(start + batch_size, shard.stop)


def measure_shard(
    shard: Shard,
    lanes: Sequence[Lane],
    rows: Rows,
    network: PlacedNetwork | None,
    batch_size: int,
) -> Piece:
    """States of one shard.

    Raises:
        InputError: scores are not finite, a layer cannot be tapped, images differ in size.
        ExecutionError: the device's memory ran out.
    """
    states: dict[str, Any] = {lane.name: None for lane in lanes}
    quarantined: list[Quarantined] = []
    failed: dict[str, str] = {}
    num_images = 0
    for start, stop in batches(shard, batch_size):
        wanting = [lane for lane in lanes if lane.room(start, stop)]
        seeing = [lane for lane in wanting if lane.sees_images]
        every = labelled(rows, start, stop)
        fed = [
            (lane, first(every, lane.room(start, stop))) for lane in wanting if lane not in seeing
        ]
        if seeing:
            assert network is not None
            images = rows.images(start, stop)
            quarantined.extend(images.quarantined)
            num_images += stop - start
            batch = looked_at(chosen(every, images.kept, images.pixels), network, seeing)
            for lane in seeing:
                room = lane.room(start, stop)
                fed.append((lane, first(batch, sum(place < room for place in images.kept))))
        for lane, batch in fed:
            if batch.ids and lane.fold.audit not in failed:
                feed(lane, batch, states, failed)
    return Piece(states, tuple(quarantined), num_images, failed)


def feed(lane: Lane, batch: Batch, states: dict[str, Any], failed: dict[str, str]) -> None:
    """Merge the state of one batch into the lane's, or note why its audit failed."""
    try:
        state = lane.measurement.measure(batch)
        before = states[lane.name]
        states[lane.name] = state if before is None else merge(before, state)
    except Exception as error:
        failed[lane.fold.audit] = failure_of(error, lane.name)


def labelled(rows: Rows, start: int, stop: int) -> Batch:
    """Every row of a range, without pixels."""
    return Batch(
        ids=rows.ids(start, stop),
        pixels=torch.zeros(stop - start, 3, 0, 0, dtype=torch.uint8),
        attributes=rows.attributes(start, stop),
        labels=rows.classes(start, stop),
        outputs={},
    )


def chosen(batch: Batch, kept: Sequence[int], pixels: torch.Tensor) -> Batch:
    """The rows at these positions, with their pixels."""
    where = list(kept)
    return replace(
        batch,
        ids=tuple(batch.ids[position] for position in where),
        pixels=pixels,
        attributes=batch.attributes[where],
        labels=None if batch.labels is None else batch.labels[where],
    )


def looked_at(batch: Batch, network: PlacedNetwork, lanes: Sequence[Lane]) -> Batch:
    """The same images after one forward pass, with all that the lanes want on its device."""
    if not batch.ids:
        return batch
    computed = compute(batch, network, lanes)
    refuse_non_finite(computed.logits, batch.ids)
    return replace(batch, outputs=computed.outputs)


def compute(batch: Batch, network: PlacedNetwork, lanes: Sequence[Lane]) -> Computed:
    outputs = tuple({output: None for lane in lanes for output in lane.fold.outputs})
    try:
        return network.compute(batch.pixels, outputs)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise ExecutionError(
            f"the memory of {network.device} ran out at a batch of {len(batch.ids)} images",
            hint="free memory, or start anew with a smaller engine.batch_size and --fresh",
        ) from error


def first(batch: Batch, count: int) -> Batch:
    """The first rows of a batch."""
    if count >= len(batch.ids):
        return batch
    return Batch(
        ids=batch.ids[:count],
        pixels=batch.pixels[:count],
        attributes=batch.attributes[:count],
        labels=None if batch.labels is None else batch.labels[:count],
        outputs={output: values[:count] for output, values in batch.outputs.items()},
    )
