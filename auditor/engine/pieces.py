"""Finished shards on disk. A shard is there for all the lanes that want it, or not at all.

One file per lane, so that adding an audit keeps the states of the others. But a shard that lacks
one lane is computed again for all of them: what a lane sees must not depend on where a run died.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from auditor.engine.lane import Lane
from auditor.engine.shard import Piece
from auditor.measure.state import from_tensors, to_tensors
from auditor.results.run_record import Quarantined
from auditor.store.states import StateStore, StoredState

QUARANTINED = "quarantined"
NUM_IMAGES = "num_images"


def write_piece(store: StateStore, lanes: Sequence[Lane], shard: int, piece: Piece) -> None:
    """Keep a shard; one in which an audit failed is tried again by the next attempt.

    Raises:
        ExecutionError: no permission or no space.
    """
    if piece.failed:
        return
    notes = {
        QUARANTINED: quarantine_note(piece.quarantined),
        NUM_IMAGES: str(piece.num_images),
    }
    for lane in lanes:
        state = piece.states[lane.name]
        store.write(lane.key, StoredState(arrays_of(state), notes), shard=shard)


def read_piece(store: StateStore, lanes: Sequence[Lane], shard: int) -> Piece | None:
    """A finished shard; None where a lane lacks it."""
    states: dict[str, Any] = {}
    notes: dict[str, str] = {}
    for lane in lanes:
        stored = store.read(lane.key, shard=shard)
        if stored is None:
            return None
        states[lane.name] = state_of(lane.kind, stored)
        notes = dict(stored.notes)
    return Piece(states, quarantined_in(notes), int(notes[NUM_IMAGES]), {})


def quarantine_note(images: Sequence[Quarantined]) -> str:
    """Unreadable images as the text of a note."""
    return json.dumps([image.model_dump() for image in images])


def quarantined_in(notes: Mapping[str, str]) -> tuple[Quarantined, ...]:
    """The unreadable images that a stored state tells of."""
    return tuple(Quarantined(**image) for image in json.loads(notes.get(QUARANTINED, "[]")))


def on_cpu(lanes: Sequence[Lane], piece: Piece) -> Piece:
    """The piece as a resumed run would read it back."""
    states = {
        lane.name: None if state is None else from_tensors(lane.kind, to_tensors(state))
        for lane in lanes
        for state in [piece.states[lane.name]]
    }
    return piece._replace(states=states)


def arrays_of(state: Any) -> dict[str, Any]:
    """The fields of a state as numpy arrays; none for no state."""
    if state is None:
        return {}
    return {name: tensor.numpy() for name, tensor in to_tensors(state).items()}


def state_of(kind: type[Any], stored: StoredState) -> Any:
    """The state that `arrays_of` took apart."""
    if not stored.arrays:
        return None
    tensors = {name: torch.from_numpy(array) for name, array in stored.arrays.items()}
    return from_tensors(kind, tensors)
