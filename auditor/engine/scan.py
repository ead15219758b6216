"""One scan of a plan: shards in order, states merged, sequential folds asked, work kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, final

from auditor.engine.backends.protocol import Backend
from auditor.engine.determinism import reseed
from auditor.engine.lane import Lane, failure_of
from auditor.engine.network import PlacedNetwork
from auditor.engine.pieces import on_cpu, read_piece, write_piece
from auditor.engine.progress import Progress
from auditor.engine.rows import Rows, too_many_unreadable
from auditor.engine.shard import Piece, batches, measure_shard
from auditor.measure.state import Accumulator, merge
from auditor.measure.taps import borrowed
from auditor.needs import NetworkRole
from auditor.plan.steps import Scan, Shard
from auditor.results.run_record import Quarantined
from auditor.store.states import StateStore


@final
@dataclass(frozen=True)
class ScanSettings:
    """How a scan runs, apart from what it computes."""

    batch_size: int
    seed: int
    max_unreadable: float


@final
@dataclass
class Scanned:
    """What a scan came to, so far.

    Attributes:
        states: Lane name to its merged state; lanes that cannot stop early have theirs at the end.
        done: Lanes that have seen enough.
        failed: Audit to the reason why it broke.
        quarantined: Unreadable images.
        num_images: Images that were to be decoded.
    """

    states: dict[str, Any] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    num_images: int = 0
    _growing: dict[str, Accumulator[Any]] = field(default_factory=dict)

    def active(self, lanes: Sequence[Lane], shard: Shard) -> list[Lane]:
        """The lanes that still want the shard."""
        return [
            lane
            for lane in lanes
            if lane.name not in self.done
            and lane.fold.audit not in self.failed
            and lane.room(shard.start, shard.stop)
        ]

    def add(self, lanes: Sequence[Lane], piece: Piece) -> None:
        """Merge the next shard, and ask sequential lanes whether they have seen enough."""
        self.failed.update(piece.failed)
        self.quarantined.extend(piece.quarantined)
        self.num_images += piece.num_images
        for lane in lanes:
            state = piece.states[lane.name]
            if state is None or lane.fold.audit in self.failed:
                continue
            try:
                if lane.fold.sequential:
                    self._judge(lane, state)
                else:
                    self._growing.setdefault(lane.name, Accumulator()).add(state)
            except Exception as error:
                self.failed[lane.fold.audit] = failure_of(error, lane.name)

    def _judge(self, lane: Lane, state: Any) -> None:
        before = self.states.get(lane.name)
        self.states[lane.name] = state if before is None else merge(before, state)
        if lane.measurement.enough(self.states[lane.name]):
            self.done.add(lane.name)

    def end(self) -> None:
        """Merge what waited for the last shard."""
        while self._growing:
            name, accumulator = self._growing.popitem()
            self.states[name] = accumulator.merged()


def run_scan(
    scan: Scan,
    lanes: Sequence[Lane],
    rows: Rows,
    networks: Mapping[NetworkRole, PlacedNetwork],
    *,
    settings: ScanSettings,
    store: StateStore,
    backend: Backend,
    progress: Progress,
) -> Scanned:
    """Feed the lanes, shard by shard, with what is not in the store yet.

    Args:
        scan: The step.
        lanes: Its folds at work; a fold without a lane is not fed.
        rows: The rows of its source.
        networks: The networks that some lane consumes outputs of, by role.
        settings: Batch size and limits.
        store: Where finished shards are kept.
        backend: Where shards run.
        progress: Where to report to.

    Raises:
        InputError: scores are not finite, a layer cannot be tapped, images differ in size.
        ExecutionError: too many unreadable images, no memory, no room for states.
    """
    found = Scanned()

    def work(index: int) -> tuple[list[Lane], Piece]:
        active = found.active(lanes, scan.shards[index])
        stored = read_piece(store, active, index)
        if stored is not None:
            return active, stored
        for shard in scan.shards[index : index + 2]:
            read_ahead(rows, found.active(active, shard), shard, settings.batch_size)
        # A seed of its own makes a shard independent of what ran before it. The scan's id stays
        # out of it: that changes with the other audits that share the scan.
        reseed(settings.seed, scan.source.split, index)
        piece = measure_shard(scan.shards[index], active, rows, networks, settings.batch_size)
        write_piece(store, active, index, piece)
        return active, on_cpu(active, piece)

    title = f"scan {scan.source.split} ({', '.join(lane.fold.name for lane in lanes)})"
    with ExitStack() as untouched, progress.step(title, scan.num_rows, "images") as advance:
        for network in networks.values():
            untouched.enter_context(borrowed(network.module))
        for index, (active, piece) in enumerate(backend.in_order(range(len(scan.shards)), work)):
            found.add(active, piece)
            advance(scan.shards[index].stop - scan.shards[index].start)
            refuse_unreadable(found, scan, scan.num_rows, settings.max_unreadable)
            if not any(found.active(lanes, shard) for shard in scan.shards[index + 1 :]):
                break
    refuse_unreadable(found, scan, found.num_images, settings.max_unreadable)
    found.end()
    return found


def read_ahead(rows: Rows, lanes: Sequence[Lane], shard: Shard, batch_size: int) -> None:
    """Let other threads begin to decode what a shard will need."""
    for start, stop in batches(shard, batch_size):
        if any(lane.sees_images and lane.room(start, stop) for lane in lanes):
            rows.read_ahead(start, stop)


def refuse_unreadable(found: Scanned, scan: Scan, num_images: int, max_unreadable: float) -> None:
    """Stop where more images are unreadable than the spec tolerates.

    Raises:
        ExecutionError: with the first of them and its reason.
    """
    if len(found.quarantined) > max_unreadable * num_images:
        split = scan.source.split
        raise too_many_unreadable(found.quarantined, found.num_images, split, max_unreadable)
