"""What cannot be merged: a list where the spec has a mapping already, or a mapping onto a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from omegaconf import DictConfig, OmegaConf

from auditor.compose.place import Node, Path
from auditor.errors import Problem


def clashes(config: DictConfig, part: Node, path: Path = ()) -> Iterator[Problem]:
    """Every place where a part does not fit the config that it is merged into.

    Args:
        config: What is composed so far.
        part: What comes next.
        path: Where in the config the part goes.
    """
    held = OmegaConf.to_container(config, resolve=False)
    for segment in path:
        held = held.get(segment) if isinstance(held, dict) else None
    yield from _clashes(held, part, path)


def _clashes(held: object, part: Node, path: Path) -> Iterator[Problem]:
    if isinstance(held, dict) and isinstance(part.value, Mapping):
        for key, child in part.children().items():
            yield from _clashes(held.get(key), child, (*path, key))
    elif isinstance(held, dict) and isinstance(part.value, tuple):
        yield _clash("a mapping", "a list", part, path)
    elif isinstance(held, list) and isinstance(part.value, Mapping):
        yield _clash("a list", "a mapping", part, path)


def _clash(held: str, given: str, part: Node, path: Path) -> Problem:
    return Problem(
        f"expected {held}, not {given}",
        path=".".join(map(str, path)),
        location=part.place.location,
        source=part.place.source,
        hint=f"it is merged into {held} that an earlier part of the spec has here",
    )
