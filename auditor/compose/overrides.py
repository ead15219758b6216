"""Overrides of the command line, in Hydra's grammar, checked like a file and applied like one.

A plain `a.b=1` sets a key whether or not it exists already: validation catches the typos, so
that nobody needs to know when Hydra wants a `+`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from auditor.compose import forbidden
from auditor.compose.clashes import clashes
from auditor.compose.place import Node, Place, embed, node_of
from auditor.errors import Problem, SpecError
from auditor.near import suggest

SYNTAX = "write KEY=VALUE, GROUP=NAME or ~KEY; quote values with blanks: \"title='A title'\""


def parse(overrides: Sequence[str]) -> tuple[Override, ...]:
    """Overrides as Hydra reads them.

    Raises:
        SpecError: with every override that does not parse or is not data.
    """
    parser = OverridesParser.create()
    parsed: list[Override] = []
    problems: list[Problem] = []
    for text in overrides:
        try:
            override = parser.parse_override(text)
        except HydraException:
            problems.append(Problem("this is not an override", source=text, hint=SYNTAX))
            continue
        found = list(override_problems(override, text))
        problems += found
        if not found:
            parsed.append(override)
    if problems:
        raise SpecError("the overrides cannot be used", problems=problems)
    return tuple(parsed)


def override_problems(override: Override, text: str) -> Iterator[Problem]:
    """What is not data in one override."""
    place = Place(None, text)
    keys = override.key_or_group.replace("/", ".").split(".")
    package = override.package or ""
    if keys[0] == "hydra" or "hydra" in package.split("."):
        yield from forbidden.key_problems(("hydra",), place)
    for length, key in enumerate(keys, start=1):
        if forbidden.HYDRA_KEY.fullmatch(key):
            yield from forbidden.key_problems(tuple(keys[:length]), place)
    if override.package is not None:
        name = f"{override.key_or_group}@{package}"
        yield from forbidden.name_problems((), name, place)
    if override.is_sweep_override():
        key = override.key_or_group
        hint = f"for a list write {key}=[…]; `auditor run --multirun` runs once with each value"
        yield forbidden.problem("an override has one value, not several", place, tuple(keys), hint)
        return
    for path, node in part_of(override).walk():
        if len(path) > len(keys):
            yield from forbidden.key_problems(path, place)
        yield from forbidden.value_problems(path, node)


def choice_problems(override: Override) -> Iterator[Problem]:
    """A choice of a config group that leads out of the folders."""
    value = override.value()
    place = Place(None, override.input_line or "")
    path = (override.key_or_group,)
    if value is None or isinstance(value, dict):
        return
    for name in value if isinstance(value, list) else [value]:
        if not isinstance(name, str):
            yield forbidden.problem("a config name is text", place, path, None, name)
        else:
            yield from forbidden.name_problems(path, name, place, package=False)


def part_of(override: Override) -> Node:
    """What an override sets, as a part of the composition."""
    text = override.input_line or ""
    return embed(node_of(override.value(), Place(None, text)), override.key_or_group.split("."))


def apply(overrides: Iterable[Override], config: DictConfig) -> None:
    """Set and delete values of the composed config.

    Raises:
        SpecError: if a value to delete does not exist, an override names a missing group, or sets
            a list where the spec has a mapping.
    """
    for override in overrides:
        key = override.key_or_group
        if override.package is not None:
            raise refused(override, f"there is no config group `{key}`")
        if override.is_delete():
            delete(override, config)
        else:
            value = node_of(override.value(), Place(None, override.input_line or ""))
            if problems := list(clashes(config, value, tuple(key.split(".")))):
                raise SpecError("the overrides cannot be used", problems=problems)
            try:
                OmegaConf.update(config, key, override.value(), merge=True, force_add=True)
            except OmegaConfBaseException as error:
                hint = "lists are set as a whole: KEY=[a, b]"
                raise refused(override, "there is no such place in the spec", hint) from error


def delete(override: Override, config: DictConfig) -> None:
    """Remove one key."""
    parent, _, last = override.key_or_group.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    if override.value() is not None:
        raise refused(override, "a deletion takes no value", hint=f"write ~{override.key_or_group}")
    if isinstance(node, ListConfig):
        raise refused(override, "items of a list cannot be deleted", hint="set the whole list")
    if not isinstance(node, DictConfig) or last not in node:
        names = [str(name) for name in node] if isinstance(node, DictConfig) else []
        raise refused(
            override, "there is nothing to delete at this key", hint=suggest(last, names, "key")
        )
    del node[last]


def refused(override: Override, message: str, hint: str | None = None) -> SpecError:
    problem = Problem(
        message, path=override.key_or_group, source=override.input_line or "", hint=hint
    )
    return SpecError("the overrides cannot be used", problems=[problem])
