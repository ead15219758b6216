"""YAML text → values with places. Only plain data passes.

The scalars mean what they mean to Hydra (`1e-3` is a number, a date is text); duplicate keys,
tags, keys that are not text, recursive aliases and numbers beyond JSON are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import yaml
from omegaconf._utils import get_yaml_loader

from auditor.compose.place import Node, Place
from auditor.errors import Location, Problem, SpecError

MAX_BYTES = 4_000_000
"""Larger spec files are refused unread."""

MAX_NODES = 200_000
"""More values than this, aliases written out, are refused: a few lines of aliases can mean
billions."""

YAML = "tag:yaml.org,2002:"
SCALARS = {f"{YAML}{name}" for name in ("str", "int", "float", "bool", "null")}


def read_text(path: Path, label: str) -> str:
    """The text of a spec file.

    Raises:
        SpecError: if it cannot be read, is no UTF-8 text, or is too large to be a spec.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(f"{label} is too large to be a spec: over {MAX_BYTES // 10**6} MB")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"{label} is not UTF-8 text: {error.reason}") from error
    except OSError as error:
        raise SpecError(f"{label} cannot be read: {error.strerror}") from error


def read_yaml(text: str, label: str) -> Node:
    """The content of a spec file, whose root is a mapping; an empty file is an empty mapping.

    Raises:
        SpecError: at the first syntax error; else with everything that is not plain data.
    """
    try:
        loader = get_yaml_loader()(text)
        root = loader.get_single_node()
        reading = _Reading(label, loader)
        node = (
            reading.build(root, reading.start) if root else Node({}, reading.start, reading.start)
        )
    except yaml.YAMLError as error:
        raise SpecError(
            f"{label} is not valid YAML", problems=[syntax(error, label, text)]
        ) from error
    except RecursionError as error:
        raise SpecError(f"{label} is nested too deeply to be a spec") from error
    if not reading.problems and not isinstance(node.value, dict):
        reading.complain("a spec file is a mapping of `key: value` lines", node.place)
    if reading.problems:
        raise SpecError(f"{label} is not plain data", problems=reading.problems)
    return node


class _Reading:
    """One pass over the nodes of one file."""

    def __init__(self, label: str, loader: yaml.SafeLoader) -> None:
        self.label = label
        self.loader = loader
        self.problems: list[Problem] = []
        self.num_nodes = 0
        self.open: set[int] = set()
        self.start = Place(Location(label, 1, 1))

    def complain(self, message: str, place: Place, hint: str | None = None) -> None:
        self.problems.append(Problem(message, location=place.location, hint=hint))

    def place(self, node: yaml.Node) -> Place:
        mark = node.start_mark
        return Place(Location(self.label, mark.line + 1, mark.column + 1))

    def build(self, node: yaml.Node, key: Place) -> Node:
        place = self.place(node)
        self.num_nodes += 1
        if self.num_nodes > MAX_NODES:
            raise SpecError(f"{self.label} holds too much to be a spec: over {MAX_NODES} values")
        if id(node) in self.open:
            self.complain("an alias stands inside the value that it names", place)
            return Node(None, place, key)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.ScalarNode):
                return Node(self.scalar(node, place), place, key)
            if isinstance(node, yaml.SequenceNode) and node.tag == f"{YAML}seq":
                items = tuple(self.build(item, self.place(item)) for item in node.value)
                return Node(items, place, key)
            if isinstance(node, yaml.MappingNode) and node.tag == f"{YAML}map":
                return Node(dict(self.entries(node)), place, key)
        finally:
            self.open.discard(id(node))
        self.refuse_tag(node, place)
        return Node(None, place, key)

    def scalar(self, node: yaml.ScalarNode, place: Place) -> str | int | float | bool | None:
        if node.tag not in SCALARS:
            self.refuse_tag(node, place)
            return None
        try:
            value = self.loader.construct_object(node)
        except ValueError:
            self.complain(f"`{node.value}` is not what its tag says", place)
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.complain(f"`{node.value}` is not a finite number", place)
            return None
        return value if isinstance(value, str | int | float | bool) else None

    def refuse_tag(self, node: yaml.Node, place: Place) -> None:
        tag = node.tag.replace(YAML, "!!")
        self.complain(
            f"the YAML tag `{tag}` is not allowed: a spec is data", place, "write the plain value"
        )

    def entries(self, node: yaml.MappingNode) -> Iterator[tuple[str, Node]]:
        """Keys with their values; keys of `<<: *base` come first, so that written ones win."""
        written: dict[str, Place] = {}
        merged = [value for key, value in node.value if key.tag == f"{YAML}merge"]
        for base in merged:
            bases = base.value if isinstance(base, yaml.SequenceNode) else [base]
            for one in reversed(bases):
                value = self.build(one, self.place(one)).value
                if isinstance(value, dict):
                    yield from value.items()
                else:
                    self.complain("`<<` merges mappings only", self.place(one))
        for key, value in node.value:
            if key.tag == f"{YAML}merge":
                continue
            place = self.place(key)
            if not isinstance(key, yaml.ScalarNode) or key.tag != f"{YAML}str":
                self.refuse_key(key, place)
            elif key.value in written:
                first = written[key.value].location
                line = first.line if first else 0
                self.complain(
                    f"the key `{key.value}` stands here twice; the first is on line {line}",
                    place,
                    "remove one of the two",
                )
            else:
                written[key.value] = place
                yield key.value, self.build(value, place)

    def refuse_key(self, key: yaml.Node, place: Place) -> None:
        if not isinstance(key, yaml.ScalarNode):
            self.complain("a key is text, not a list or a mapping", place)
            return
        kind = {"bool": "a truth value", "null": "nothing"}.get(
            key.tag.removeprefix(YAML), "a number"
        )
        self.complain(
            f"YAML reads the key `{key.value}` as {kind}", place, f'put it in quotes: "{key.value}"'
        )


def syntax(error: yaml.YAMLError, label: str, text: str) -> Problem:
    """A syntax error of PyYAML with its place, in one sentence."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        hint = "indent with spaces, not tabs" if "'\\t'" in message else error.note
        if mark and "${" in "".join(text.splitlines()[mark.line : mark.line + 1]):
            hint = "inside { } and [ ], put quotes around a value with `${…}`"
        location = Location(label, mark.line + 1, mark.column + 1) if mark else None
        return Problem(f"YAML syntax: {message}", location=location, hint=hint)
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        line = before.count("\n") + 1
        column = error.position - (before.rfind("\n") + 1) + 1
        return Problem(
            f"the character U+{error.character:04X} is not allowed in YAML",
            location=Location(label, line, column),
        )
    return Problem(str(error), location=Location(label, 1, 1))
