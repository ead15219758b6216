"""One shard of a scan: batch by batch, every image decoded once and computed once for all lanes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from auditor.engine.device import is_out_of_memory
from auditor.engine.lane import Lane, failure_of
from auditor.engine.network import Computed, PlacedNetwork, compute_all, refuse_non_finite
from auditor.engine.regions import part_of
from auditor.engine.rows import Rows
from auditor.errors import ExecutionError
from auditor.measure.fold import Batch
from auditor.measure.state import Accumulator
from auditor.needs import NetworkRole
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
    networks: Mapping[NetworkRole, PlacedNetwork],
    batch_size: int,
) -> Piece:
    """States of one shard.

    Raises:
        InputError: scores are not finite, a layer cannot be tapped, images differ in size.
        ExecutionError: the device's memory ran out.
    """
    states: dict[str, Accumulator[Any]] = {}
    quarantined: list[Quarantined] = []
    failed: dict[str, str] = {}
    num_images = 0
    for start, stop in batches(shard, batch_size):
        wanting = [lane for lane in lanes if lane.room(start, stop)]
        seeing = [lane for lane in wanting if lane.sees_images]
        every = labelled(rows, start, stop, wanting)
        fed = [
            (lane, first(every, lane.room(start, stop))) for lane in wanting if lane not in seeing
        ]
        if seeing:
            images = rows.images(start, stop)
            quarantined.extend(images.quarantined)
            num_images += stop - start
            batch = part(every, images.kept)
            batch = replace(batch, pixels=images.pixels, masks=images.masks)
            batch = looked_at(batch, networks, seeing)
            for lane in seeing:
                room = lane.room(start, stop)
                fed.append((lane, first(batch, sum(place < room for place in images.kept))))
        for lane, batch in fed:
            if batch.ids and lane.fold.audit not in failed:
                feed(lane, batch, states, failed)
    merged = {lane.name: states[lane.name].merged() for lane in lanes if lane.name in states}
    return Piece(
        {lane.name: merged.get(lane.name) for lane in lanes}, tuple(quarantined), num_images, failed
    )


def feed(
    lane: Lane, batch: Batch, states: dict[str, Accumulator[Any]], failed: dict[str, str]
) -> None:
    """Merge the state of one batch into the lane's, or note why its audit failed."""
    try:
        state = lane.measurement.measure(batch)
        states.setdefault(lane.name, Accumulator()).add(state)
    except Exception as error:
        failed[lane.fold.audit] = failure_of(error, lane.name)
        states.pop(lane.name, None)


def labelled(rows: Rows, start: int, stop: int, lanes: Sequence[Lane]) -> Batch:
    """Every row of a range, without pixels; with the features that some lane reads from a file."""
    stored = {output for lane in lanes for output in lane.from_file}
    features = rows.stored_features(start, stop) if stored else None
    return Batch(
        ids=rows.ids(start, stop),
        rows=rows.numbers(start, stop),
        pixels={},
        attributes=rows.attributes(start, stop),
        labels=rows.classes(start, stop),
        predictions=rows.predictions(start, stop),
        columns=rows.columns(start, stop),
        outputs={} if features is None else dict.fromkeys(stored, features),
    )


def looked_at(
    batch: Batch, networks: Mapping[NetworkRole, PlacedNetwork], lanes: Sequence[Lane]
) -> Batch:
    """The same images after one pass through every network, with all that the lanes want."""
    if not batch.ids:
        return batch
    outputs = dict(batch.outputs)
    for role, computed in compute(batch, networks, lanes).items():
        if computed.logits is not None:
            refuse_non_finite(computed.logits, batch.ids, role)
        outputs |= computed.outputs
    return replace(batch, outputs=outputs)


def compute(
    batch: Batch, networks: Mapping[NetworkRole, PlacedNetwork], lanes: Sequence[Lane]
) -> dict[NetworkRole, Computed]:
    wanted = {output: None for lane in lanes for output in lane.fold.outputs if output.computed}
    outputs = tuple(wanted)
    try:
        return compute_all(networks, batch.pixels, outputs)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        devices = ", ".join(dict.fromkeys(str(network.device) for network in networks.values()))
        raise ExecutionError(
            f"the memory of {devices} ran out at a batch of {len(batch.ids)} images",
            hint="free memory, or start anew with a smaller engine.batch_size and --fresh",
        ) from error


def first(batch: Batch, count: int) -> Batch:
    """The first rows of a batch."""
    return batch if count >= len(batch.ids) else part(batch, range(count))


def part(batch: Batch, places: Sequence[int]) -> Batch:
    """The rows of a batch at some positions."""
    if len(places) == len(batch.ids):
        return batch
    where: slice | list[int] = list(places)
    if isinstance(places, range):
        where = slice(places.start, places.stop)

    def of(values: Tensor) -> Tensor:
        return values[where]

    return Batch(
        ids=tuple(batch.ids[place] for place in places),
        rows=of(batch.rows),
        pixels={role: of(pixels) for role, pixels in batch.pixels.items()},
        attributes=of(batch.attributes),
        labels=None if batch.labels is None else of(batch.labels),
        predictions=None if batch.predictions is None else of(batch.predictions),
        columns={name: of(codes) for name, codes in batch.columns.items()},
        outputs={output: of(values) for output, values in batch.outputs.items()},
        masks={output: part_of(masks, places) for output, masks in batch.masks.items()},
    )
