"""`${path.to.key}`: checked first, all at once, then resolved by OmegaConf."""

from __future__ import annotations

from dataclasses import dataclass, field

from omegaconf import OmegaConf
from pydantic import JsonValue

from auditor.compose.forbidden import INTERPOLATION
from auditor.compose.merge import Merged
from auditor.compose.place import Path, dotted
from auditor.errors import Problem
from auditor.near import suggest

MAX_SIZE = 2_000_000
"""Characters and values of a resolved spec: a few interpolations can mean billions."""

DATA_ROOT = "data_root"


def resolve(merged: Merged, *, data_root: str | None = None) -> dict[str, JsonValue]:
    """The composed spec as plain values.

    Args:
        merged: A composition without problems.
        data_root: What `${data_root}` stands for, instead of what the spec says.
    """
    config = merged.config.copy()
    if data_root is not None:
        config[DATA_ROOT] = data_root
    plain = OmegaConf.to_container(config, resolve=True)
    if not isinstance(plain, dict):
        raise TypeError("a spec is a mapping")
    return {str(key): value for key, value in plain.items()}


def problems(merged: Merged) -> list[Problem]:
    """Interpolations that lead nowhere or in a circle, and values that were left open (`???`)."""
    checking = _Checking(merged, OmegaConf.to_container(merged.config, resolve=False))
    checking.size((), checking.plain)
    return checking.problems


@dataclass
class _Checking:
    """One walk over the values, following interpolations once each."""

    merged: Merged
    plain: object
    problems: list[Problem] = field(default_factory=list)
    sizes: dict[Path, int] = field(default_factory=dict)
    open: list[Path] = field(default_factory=list)

    def size(self, path: Path, value: object) -> int:
        """Characters and values that a value resolves to."""
        if path in self.sizes:
            return self.sizes[path]
        self.open.append(path)
        total = 1
        if isinstance(value, dict):
            total += sum(self.size((*path, str(key)), child) for key, child in value.items())
        elif isinstance(value, list):
            total += sum(self.size((*path, index), child) for index, child in enumerate(value))
        elif value == "???":
            self.complain(path, "has no value yet", "set it in the file or with KEY=VALUE")
        elif isinstance(value, str):
            total += len(value) + sum(self.follow(path, m) for m in INTERPOLATION.findall(value))
        self.open.pop()
        self.sizes[path] = total
        if total > MAX_SIZE and not self.problems:
            self.complain(path, "the interpolations write out to more than a spec can be")
        return total

    def follow(self, path: Path, name: str) -> int:
        """Size of the value that an interpolation names."""
        target: Path = ()
        value = self.plain
        for key in name.split("."):
            if isinstance(value, dict) and key in value:
                target, value = (*target, key), value[key]
            elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                target, value = (*target, int(key)), value[int(key)]
            else:
                known = (
                    [dotted((*target, str(k))) for k in value] if isinstance(value, dict) else []
                )
                message = f"`${{{name}}}` names no key of the spec"
                self.complain(path, message, suggest(name, known, "key"))
                return 0
        if target in self.open:
            self.complain(path, f"`${{{name}}}` leads back to itself")
            return 0
        return self.size(target, value)

    def complain(self, path: Path, message: str, hint: str | None = None) -> None:
        self.problems.append(self.merged.places.problem(path, message, hint=hint))
