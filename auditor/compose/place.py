"""Values that remember their place: the file, line and column, or the override, that set them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from auditor.errors import Location, Problem

Path = tuple[str | int, ...]
"""Keys and list indices that lead to a value inside the composed spec."""


@dataclass(frozen=True)
class Place:
    """Where something was written: in a file, or in an override as the user typed it."""

    location: Location | None
    source: str = "file"


@dataclass(frozen=True)
class Node:
    """A value of a spec file or override, with the place of everything inside it."""

    value: str | int | float | bool | Mapping[str, Node] | tuple[Node, ...] | None
    place: Place
    key: Place
    """Place of the key or list dash that the value stands behind."""

    def plain(self) -> JsonValue:
        """The value without places."""
        if isinstance(self.value, Mapping):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, tuple):
            return [child.plain() for child in self.value]
        return self.value

    def mapping(self) -> dict[str, JsonValue]:
        """The values of a mapping without places; the root of a spec file is one."""
        return {key: child.plain() for key, child in self.children().items()}

    def children(self) -> Mapping[str, Node]:
        """The entries of a mapping; none of anything else."""
        return self.value if isinstance(self.value, Mapping) else {}

    def child(self, segment: str | int) -> Node | None:
        """The value behind a key or index, if there is one."""
        if isinstance(self.value, Mapping):
            return self.value.get(str(segment))
        if isinstance(self.value, tuple) and str(segment).isdecimal():
            index = int(segment)
            return self.value[index] if index < len(self.value) else None
        return None

    def at(self, path: Path) -> Node | None:
        """The value at a path below this one, if there is one."""
        node: Node | None = self
        for segment in path:
            node = node.child(segment) if node else None
        return node

    def walk(self, path: Path = ()) -> Iterator[tuple[Path, Node]]:
        """This value and everything inside it, with paths, in writing order."""
        yield path, self
        if isinstance(self.value, Mapping):
            for key, child in self.value.items():
                yield from child.walk((*path, key))
        elif isinstance(self.value, tuple):
            for index, child in enumerate(self.value):
                yield from child.walk((*path, index))


def node_of(value: object, place: Place) -> Node:
    """A value that was written in one place as a whole, such as an override's."""
    if isinstance(value, Mapping):
        children = {str(key): node_of(child, place) for key, child in value.items()}
        return Node(children, place, place)
    if isinstance(value, list | tuple):
        return Node(tuple(node_of(child, place) for child in value), place, place)
    if isinstance(value, str | int | float) or value is None:
        return Node(value, place, place)
    raise TypeError(f"a spec has no values of type {type(value).__name__}")


def embed(node: Node, keys: Sequence[str]) -> Node:
    """The node behind a chain of keys: where a config group's package puts its content."""
    for key in reversed(keys):
        node = Node({key: node}, node.place, node.key)
    return node


@dataclass(frozen=True)
class Places:
    """Where each value of the composed spec was set.

    Attributes:
        parts: What was composed, in the order of composition: the last part that holds a path
            is the one that set its value, since mappings merge and everything else is replaced.
    """

    parts: tuple[Node, ...]

    def find(self, path: Path, *, key: bool = False) -> Place:
        """Place of a value or of its key, or that of the nearest parent where it was never set."""
        for length in range(len(path), 0, -1):
            for part in reversed(self.parts):
                node = part.at(path[:length])
                if node is not None:
                    return node.key if key else node.place
        return self.parts[0].place

    def location(self, path: Path) -> Location | None:
        """Place of the key of a value in a file; None where an override set it."""
        return self.find(path, key=True).location

    def problem(
        self,
        path: Path,
        message: str,
        *,
        value: object = ...,
        hint: str | None = None,
        key: bool = False,
    ) -> Problem:
        """A problem with the value at a path, with its place filled in."""
        place = self.find(path, key=key)
        return Problem(
            message=message,
            path=dotted(path),
            location=place.location,
            source=place.source,
            value=None if value is ... else shown(value),
            hint=hint,
        )


def dotted(path: Path) -> str:
    """A path as users write it."""
    return ".".join(str(segment) for segment in path)


def shown(value: object) -> str | None:
    """A value as an error message shows it; None for containers, whose place says enough."""
    if isinstance(value, Mapping | list | tuple):
        return None
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:56]}…{text[-1]}"
