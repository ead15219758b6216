"""Finished pieces of work that a resumed run need not do again.

    states/<key>/000007.safetensors     what a fold made of one shard
    states/<key>/solved.safetensors     what a solve made; it has no shard

The key is a content hash of everything that decides the piece; the engine makes it. A file under
its own name is complete, because files appear by rename. It also carries a checksum: a file that
the disk has damaged counts as absent, and the work is done again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from auditor.results.base import canonical_json
from auditor.store.atomic import write_bytes
from auditor.store.layout import plain_name

CHECKSUM = "sha256"
SHARD = re.compile(r"^(\d{6})\.safetensors$")


@dataclass(frozen=True)
class StoredState:
    """Named arrays and a few words about them.

    Attributes:
        arrays: Tensors of the state by field name, as numpy arrays.
        notes: Small texts that belong to the piece, such as its unreadable images as JSON.
    """

    arrays: Mapping[str, NDArray[Any]]
    notes: Mapping[str, str] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class StateStore:
    """The states of one run, or of a cache folder."""

    root: Path

    def write(self, key: str, state: StoredState, *, shard: int | None = None) -> None:
        """Keep a finished piece.

        Raises:
            ExecutionError: no permission or no space; nothing half-written is left.
        """
        write_bytes(self.path(key, shard), to_bytes(state), flushed=False)

    def read(self, key: str, *, shard: int | None = None) -> StoredState | None:
        """The piece, or None if it is not there whole and must be computed."""
        path = self.path(key, shard)
        return from_file(path) if path.is_file() else None

    def done(self, key: str) -> tuple[int, ...]:
        """Numbers of the finished shards of a key, ascending."""
        folder = self.root / plain_name(key)
        if not folder.is_dir():
            return ()
        found = (SHARD.match(path.name) for path in folder.iterdir())
        return tuple(sorted(int(match[1]) for match in found if match))

    def path(self, key: str, shard: int | None) -> Path:
        name = "solved" if shard is None else f"{shard:06d}"
        return self.root / plain_name(key) / f"{name}.safetensors"


def to_bytes(state: StoredState) -> bytes:
    """The piece as a safetensors file whose metadata holds the notes and a checksum."""
    arrays = {name: np.asarray(array, order="C") for name, array in state.arrays.items()}
    notes = dict(state.notes)
    return bytes(save(arrays, metadata={**notes, CHECKSUM: checksum(arrays, notes)}))


def from_file(path: Path) -> StoredState | None:
    try:
        with safe_open(path, framework="numpy") as file:
            notes = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError:
        return None
    expected = notes.pop(CHECKSUM, None)
    if expected != checksum(arrays, notes):
        return None
    return StoredState(arrays=arrays, notes=notes)


def checksum(arrays: Mapping[str, NDArray[Any]], notes: Mapping[str, str]) -> str:
    """SHA-256 over names, types, shapes, bytes and notes."""
    found = hashlib.sha256(canonical_json(dict(notes)).encode())
    for name in sorted(arrays):
        array = arrays[name]
        found.update(canonical_json([name, array.dtype.str, list(array.shape)]).encode())
        found.update(array.tobytes())
    return found.hexdigest()
