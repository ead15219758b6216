"""Defaults lists, groups and overrides → one config, with the parts that it came from.

Hydra decides which files are composed, in which order and where their content goes; OmegaConf
merges them. Nothing of Hydra's global state, plugins or search path is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from posixpath import dirname, join

from hydra._internal.defaults_list import Overrides, _create_defaults_list
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf

from auditor.compose import overrides as overriding
from auditor.compose.clashes import clashes
from auditor.compose.folders import SpecFile, SpecRepository, open_repository
from auditor.compose.place import Node, Place, Places, embed
from auditor.errors import Problem, SpecError
from auditor.near import suggest


@dataclass(frozen=True)
class Merged:
    """A config before interpolations are resolved, and where its values were set."""

    config: DictConfig
    places: Places


def merge(spec: SpecFile, texts: Sequence[str]) -> Merged:
    """Compose a spec file with its groups and overrides.

    Raises:
        SpecError: at the first thing that cannot be composed.
    """
    typed = overriding.parse(texts)
    repository = open_repository(spec)
    choices = [override for override in typed if repository.group_exists(override.key_or_group)]
    problems = [each for choice in choices for each in overriding.choice_problems(choice)]
    if problems:
        raise SpecError("the overrides cannot be used", problems=problems)
    defaults, values = choose(repository, spec, typed)
    config = OmegaConf.create({})
    parts: list[Node] = []
    for default in defaults:
        part = part_of(repository, default)
        parts.append(part)
        if problems := list(clashes(config, part)):
            raise SpecError(f"{spec.label} cannot be composed", problems=problems)
        config.merge_with(OmegaConf.create(part.mapping()))
    overriding.apply(values, config)
    parts += [overriding.part_of(override) for override in values if not override.is_delete()]
    return Merged(config, Places((repository.node(spec.name), *parts)))


def part_of(repository: SpecRepository, default: ResultDefault) -> Node:
    """The content of one file without its defaults list, under its package."""
    node = repository.node(default.config_path or "")
    content = {key: child for key, child in node.children().items() if key != "defaults"}
    package = default.package or ""
    return embed(replace(node, value=content), package.split(".") if package else ())


def choose(
    repository: SpecRepository, spec: SpecFile, overrides: Sequence[Override]
) -> tuple[list[ResultDefault], list[Override]]:
    """The files to compose, in order, and the overrides that set values.

    A group that no defaults list names is added by choosing it, and a deletion that matches no
    default deletes a value.
    """
    try:
        wanted = [plainly(override) for override in overrides]
        chosen, defaults = defaults_list(repository, spec, wanted)
        unused = {key for key, meta in chosen.override_metadata.items() if not meta.used}
        deletions = {key for key, gone in chosen.deletions.items() if not gone.used}
        if unused:
            wanted = [added(o) if o.get_key_element() in unused else o for o in wanted]
            chosen, defaults = defaults_list(repository, spec, wanted)
    except RecursionError as error:
        raise SpecError(
            f"{spec.label} cannot be composed", problems=cycle(repository, spec)
        ) from error
    except MissingConfigException as error:
        raise missing(repository, spec, overrides, error) from error
    except (HydraException, ValueError) as error:
        raise SpecError(
            f"{spec.label} cannot be composed", problems=[refused(repository, spec, error)]
        ) from error
    remaining = [o for o in wanted if o.is_delete() and o.get_key_element()[1:] in deletions]
    return defaults, [*chosen.config_overrides, *remaining]


def defaults_list(
    repository: SpecRepository, spec: SpecFile, overrides: list[Override]
) -> tuple[Overrides, list[ResultDefault]]:
    """Hydra's defaults list, with the book it keeps of which overrides were used."""
    book = Overrides(repo=repository, overrides_list=overrides)
    defaults, _tree = _create_defaults_list(
        repo=repository,
        config_name=spec.name,
        overrides=book,
        prepend_hydra=False,
        skip_missing=False,
    )
    return book, defaults


def plainly(override: Override) -> Override:
    """The override without `+` or `++`: setting and adding are one thing here."""
    if not (override.is_add() or override.is_force_add()):
        return override
    change = copy(override)
    change.type = OverrideType.CHANGE
    return change


def added(override: Override) -> Override:
    """The same choice of a group, appended to the defaults list."""
    addition = copy(override)
    addition.type = OverrideType.ADD
    return addition


def refused(repository: SpecRepository, spec: SpecFile, error: Exception) -> Problem:
    """Hydra's refusal of a defaults list, at the defaults list."""
    defaults = repository.node(spec.name).child("defaults")
    place = defaults.key if defaults else repository.node(spec.name).place
    message = " ".join(str(error).split())
    return Problem(message, path="defaults", location=place.location)


def missing(
    repository: SpecRepository,
    spec: SpecFile,
    overrides: Sequence[Override],
    error: MissingConfigException,
) -> SpecError:
    """A config that is not there, at the entry or override that names it."""
    name = error.missing_cfg_file or ""
    group, _, choice = name.rpartition("/")
    if group and not repository.group_exists(group):
        message = f"there is no config group `{group}`"
        hint = suggest(group, repository.groups(), "group")
    else:
        options = repository.get_group_options(group)
        message = (
            f"there is no `{choice}` in the config group `{group}`"
            if group
            else (f"there is no `{choice}.yaml` beside the spec or in the package")
        )
        hint = suggest(choice, options, "name")
    place = next(
        (place for _file, target, place in edges(repository) if target == name),
        Place(None, spec.label),
    )
    for override in overrides:
        if f"{override.key_or_group}/{override.value()}" == name:
            place = Place(None, override.input_line or "")
    problem = Problem(
        message, path="defaults", location=place.location, source=place.source, hint=hint
    )
    return SpecError(f"{spec.label} cannot be composed", problems=[problem])


def edges(repository: SpecRepository) -> Iterator[tuple[str, str, Place]]:
    """Which file names which other in its defaults list, among the files read so far."""
    for file, node in repository.loaded().items():
        defaults = node.child("defaults")
        entries = defaults.value if defaults and isinstance(defaults.value, tuple) else ()
        for entry in entries:
            yield from ((file, target, place) for target, place in targets(dirname(file), entry))


def targets(folder: str, entry: Node) -> Iterator[tuple[str, Place]]:
    """The files that one entry of a defaults list stands for."""
    if isinstance(entry.value, str):
        yield join(folder, entry.value.partition("@")[0]), entry.place
    elif isinstance(entry.value, dict):
        for group, choice in entry.value.items():
            bare = group.split(" ")[-1].partition("@")[0]
            names = choice.value if isinstance(choice.value, tuple) else (choice,)
            for name in names:
                yield join(folder, bare, str(name.value)), name.place


def cycle(repository: SpecRepository, spec: SpecFile) -> list[Problem]:
    """The defaults lists that lead back to where they started, at the entry that closes them."""
    graph: dict[str, list[tuple[str, Place]]] = {}
    for file, target, place in edges(repository):
        graph.setdefault(file, []).append((target, place))

    def search(file: str, trail: tuple[str, ...]) -> Iterator[Problem]:
        for target, place in graph.get(file, []):
            if target in trail:
                names = [*trail[trail.index(target) :], target]
                circle = " → ".join(names)
                yield Problem(
                    f"the defaults go round in a circle: {circle}",
                    path="defaults",
                    location=place.location,
                    hint="remove one of these entries",
                )
            else:
                yield from search(target, (*trail, target))

    starts = [spec.name, *graph]
    found = next((problem for start in starts for problem in search(start, (start,))), None)
    return [found or Problem("the defaults are nested too deeply", source=spec.label)]
