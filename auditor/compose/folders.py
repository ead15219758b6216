"""The two places that config groups come from: the folder of the spec, then the package.

They are Hydra config sources, and the only way by which composition reads a file: whatever a
spec or an override asks for is checked here before Hydra sees any of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from hydra._internal.config_repository import ConfigRepository
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import OmegaConf

from auditor.compose import forbidden
from auditor.compose.place import Node, Place
from auditor.compose.yaml_file import read_text, read_yaml
from auditor.errors import Location, SpecError
from auditor.near import listing, nearest
from auditor.resources import specs_dir

NOT_GROUPS = {"clauses"}
"""Folders of files that are no part of a spec: clause maps are named under `report.clauses`."""

PACKAGE_LINE = re.compile(r"^#\s*@package\s+(\S+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class SpecFile:
    """The file that SPEC names.

    Attributes:
        path: The file.
        label: How messages name it: as the user did, or `packaged:<name>`.
        text: Its content.
        folder: Where its config groups are looked for first.
    """

    path: Path
    label: str
    text: str
    folder: SpecFolder

    @property
    def name(self) -> str:
        """How defaults lists would name the file."""
        return self.path.stem if forbidden.CONFIG_NAME.fullmatch(self.path.stem) else "spec"


def open_spec(spec: str | Path) -> SpecFile:
    """Find SPEC: a path to a YAML file, or the name of a packaged spec.

    Raises:
        SpecError: if there is neither.
    """
    path = Path(spec)
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        label, folder = str(spec), str(path.parent)
        prefix = "" if folder == "." else f"{folder}/"
    else:
        path, label, prefix = specs_dir() / f"{spec}.yaml", f"packaged:{spec}", "packaged:"
    if not path.is_file() or (prefix == "packaged:" and path.stem not in packaged_names()):
        raise SpecError(f"there is no spec {spec}", hint=specs_near(Path(spec)))
    source = SpecFolder(path.parent, prefix)
    opened = SpecFile(path, label, read_text(path, label), source)
    source.hold(opened.name, opened.text, f"{prefix}{path.name}")
    return opened


def specs_near(path: Path) -> str:
    """A spec of a similar name beside a missing one, or in the package."""
    beside = {near.stem: str(near) for near in sorted(path.parent.glob("*.yaml"))}
    found = nearest(path.stem, [*beside, *packaged_names()])
    if found is None:
        return listing(packaged_names(), "packaged spec")
    return f"did you mean `{beside.get(found, found)}`?"


def packaged_names() -> list[str]:
    """Names of the packaged run files."""
    return sorted(path.stem for path in specs_dir().glob("*.yaml"))


def packaged_groups() -> dict[str, list[str]]:
    """The packaged config groups and the names in each."""
    folder = SpecFolder(specs_dir(), "packaged:")
    groups = folder.list("", ObjectType.GROUP)
    return {group: folder.list(group, ObjectType.CONFIG) for group in groups}


@final
class SpecFolder(ConfigSource):
    """A folder with config groups, as Hydra sees it.

    Args:
        root: The folder; no file outside it is read, not even through a link.
        prefix: What messages put before a path inside it.
    """

    def __init__(self, root: Path, prefix: str) -> None:
        self.provider = prefix or "."
        self.path = str(root)
        self.root = root.resolve()
        self.prefix = prefix
        self.nodes: dict[str, Node] = {}
        self.packages: dict[str, str | None] = {}

    @staticmethod
    def scheme() -> str:
        return "spec"

    def available(self) -> bool:
        return self.root.is_dir()

    def is_config(self, config_path: str) -> bool:
        return config_path in self.nodes or self._file(config_path).is_file()

    def is_group(self, config_path: str) -> bool:
        if not forbidden.CONFIG_NAME.fullmatch(config_path):
            return False
        folder = self.root / config_path
        return folder.is_dir() and any(folder.glob("*.yaml"))

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        folder = self.root / config_path
        if results_filter == ObjectType.GROUP:
            found = (p.name for p in folder.iterdir() if p.is_dir() and any(p.glob("*.yaml")))
            return sorted(name for name in found if name not in NOT_GROUPS)
        return sorted(path.stem for path in folder.glob("*.yaml"))

    def load_config(self, config_path: str) -> ConfigResult:
        """The defaults list of a file: all that Hydra needs to choose the files to compose."""
        defaults = self.read(config_path).child("defaults")
        return ConfigResult(
            provider=self.provider,
            path=self.path,
            config=OmegaConf.create({"defaults": defaults.plain()} if defaults else {}),
            header={"package": self.packages[config_path]},
        )

    def read(self, config_path: str) -> Node:
        """The checked content of a file of this folder, read once."""
        if config_path not in self.nodes:
            label = f"{self.prefix}{config_path}.yaml"
            path = self._file(config_path)
            if not path.resolve().is_relative_to(self.root):
                raise SpecError(
                    f"{label} is a link that leads out of {self.path}",
                    hint="config groups lie in the folder of the spec or in the package",
                )
            self.hold(config_path, read_text(path, label), label)
        return self.nodes[config_path]

    def hold(self, config_path: str, text: str, label: str) -> None:
        """Take a file's text in: parse it and refuse what is not data."""
        node = read_yaml(text, label)
        problems = list(forbidden.file_problems(node))
        package = PACKAGE_LINE.search(text)
        if package:
            line = text[: package.start()].count("\n") + 1
            place = Place(Location(label, line, 1))
            problems += forbidden.package_problems(package.group(1), place)
        if problems:
            raise SpecError(f"{label} cannot be composed", problems=problems)
        self.packages[config_path] = package.group(1) if package else None
        self.nodes[config_path] = node

    def _file(self, config_path: str) -> Path:
        if not forbidden.CONFIG_NAME.fullmatch(config_path) or ".." in config_path.split("/"):
            raise SpecError(
                f"the config {config_path} lies outside the folder of the spec and the package"
            )
        return self.root / f"{config_path}.yaml"


@final
class SpecRepository(ConfigRepository):
    """The config sources of one composition, and nothing else: no plugins, no search path."""

    def __init__(self, folders: Sequence[SpecFolder]) -> None:
        self.folders = tuple(folders)
        self.sources = [*folders]

    def node(self, config_path: str) -> Node:
        """The content of a file, from the first folder that has it."""
        for folder in self.folders:
            if folder.is_config(config_path):
                return folder.read(config_path)
        raise SpecError(f"there is no config {config_path}")

    def loaded(self) -> dict[str, Node]:
        """Every file that was read so far."""
        return {name: node for folder in self.folders for name, node in folder.nodes.items()}

    def groups(self) -> list[str]:
        """Names of the config groups."""
        return sorted({name for f in self.folders for name in f.list("", ObjectType.GROUP)})


def open_repository(spec: SpecFile) -> SpecRepository:
    """The folder of the spec first, then the packaged specs."""
    packaged = SpecFolder(specs_dir(), "packaged:")
    same = spec.folder.root == packaged.root
    return SpecRepository([spec.folder] if same else [spec.folder, packaged])
