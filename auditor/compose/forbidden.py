"""A spec is data: everything that would make composition act is refused before Hydra sees it.

| refused | because it |
|---|---|
| `_target_` and every other `_key_` | names Python objects for `hydra.utils.instantiate` |
| `hydra` keys and overrides | can change the search path, and a search path can import code |
| `${oc.env:…}`, `${now:…}`, every `${` but `${path.to.key}` | runs a resolver |
| absolute groups, `..`, `pkg://`, `file://` | leaves the user's folder and the package |
| sweeps such as `a=1,2` | means several specs |
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.compose.place import Node, Path, Place, dotted
from auditor.errors import Problem

INTERPOLATION = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*)\}")
"""`${path.to.key}`, the one interpolation there is."""

HYDRA_KEY = re.compile(r"_.*_")
"""Keys that mean something to Hydra or to `hydra.utils.instantiate`."""

CONFIG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
"""A config group or a file in one: inside the root, whatever follows."""

PACKAGE = re.compile(
    r"_global_|(?:_global_\.)?[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9][A-Za-z0-9_-]*)*"
)
"""Where a group's content goes: a dotted path inside the spec."""

DATA = "a spec is data"


def file_problems(root: Node) -> Iterator[Problem]:
    """Everything in one spec file that is not data."""
    for path, node in root.walk():
        if path[:1] == ("defaults",):
            continue
        if path:
            yield from key_problems(path, node.key)
        yield from value_problems(path, node)
    defaults = root.child("defaults")
    if defaults is not None:
        yield from defaults_problems(defaults)


def key_problems(path: Path, place: Place) -> Iterator[Problem]:
    """A key that Hydra would act upon."""
    key = str(path[-1])
    if path[0] == "hydra" and len(path) == 1:
        message = f"`hydra` keys are not allowed: {DATA}, and a search path alone can run code"
        yield problem(message, place, path, "remove it; the engine is set under `engine:`")
    elif HYDRA_KEY.fullmatch(key):
        message = f"the key `{key}` is not allowed: {DATA} and names no Python objects"
        yield problem(message, place, path, "remove it; kinds are chosen with `source:` or `kind:`")


def value_problems(path: Path, node: Node) -> Iterator[Problem]:
    """Text with an interpolation that is not `${path.to.key}`, or that Hydra leaves open."""
    if not isinstance(node.value, str):
        return
    if "${" in INTERPOLATION.sub("", node.value):
        message = f"the interpolation is not allowed: {DATA} and runs no resolvers"
        hint = "only `${path.to.key}` can be used, the value of another key of the spec"
        yield problem(message, node.place, path, hint, node.value)


def defaults_problems(defaults: Node) -> Iterator[Problem]:
    """Entries of a defaults list that are malformed or lead outside the roots."""
    if not isinstance(defaults.value, tuple):
        hint = "write one `- group: name` per line"
        yield problem("the defaults are a list", defaults.place, ("defaults",), hint)
        return
    for index, entry in enumerate(defaults.value):
        yield from entry_problems(("defaults", index), entry)


def entry_problems(path: Path, entry: Node) -> Iterator[Problem]:
    """One entry: `_self_`, `name`, or `group: name`."""
    if entry.value == "_self_":
        return
    names: list[Node]
    if isinstance(entry.value, str):
        names = [entry]
        yield from name_problems(path, entry.value, entry.place)
    elif isinstance(entry.value, dict) and len(entry.value) == 1:
        [(group, choice)] = entry.value.items()
        bare = re.sub(r"^(?:(?:optional|override) )*", "", group)
        yield from name_problems(path, bare, choice.key)
        names = list(choice.value) if isinstance(choice.value, tuple) else [choice]
        for name in names:
            if isinstance(name.value, str):
                yield from name_problems(path, name.value, name.place, package=False)
            elif name.value is not None:
                yield problem("a config name is text", name.place, path, None, name.plain())
    else:
        message = "an entry of the defaults is `group: name`, a name, or `_self_`"
        yield problem(message, entry.place, path, None)


def name_problems(
    path: Path, name: str, place: Place, *, package: bool = True
) -> Iterator[Problem]:
    """The name of a config or group, with `@package` behind it where that is allowed."""
    config, at, target = INTERPOLATION.sub("x", name).partition("@")
    first = config.split("/")[0]
    if first == "hydra" or target.removeprefix("_global_.").split(".")[0] == "hydra":
        message = f"`hydra` groups are not allowed: {DATA}, and a search path alone can run code"
        yield problem(message, place, path, "remove the entry", name)
    elif not CONFIG_NAME.fullmatch(config) or ".." in config.split("/"):
        message = "config groups lie in the folder of the spec or in the package, nowhere else"
        yield problem(
            message, place, path, "name a group and a file in it, such as `rules: strict`", name
        )
    elif at and not (package and PACKAGE.fullmatch(target)):
        yield problem("this is not a place inside the spec", place, path, None, name)


def package_problems(package: str, place: Place) -> Iterator[Problem]:
    """The `# @package` line of a group file."""
    if not PACKAGE.fullmatch(package) or package.removeprefix("_global_.").split(".")[0] == "hydra":
        yield problem("`# @package` must name a place inside the spec", place, (), None, package)


def problem(
    message: str, place: Place, path: Path, hint: str | None, value: object = None
) -> Problem:
    return Problem(
        message=message,
        path=dotted(path),
        location=place.location,
        source=place.source,
        value=None if value is None else str(value),
        hint=hint,
    )
