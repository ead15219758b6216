"""Documents that an older version wrote, brought to the layout of this one before they are read.

Each function takes one document from its version to the next, as plain data: it knows both
layouts, touches no file and builds no model, so it stays right when the models move on. Reading
applies those between the version that a document has and `SCHEMA_VERSION`, in order. The files of
a run are never rewritten, so its manifest and its signature keep their meaning.

When a layout changes: raise `SCHEMA_VERSION`, write the function here, enter it in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SCHEMA_VERSION = 1
"""Version of the layout that this package writes, and the newest that it reads."""

Upgrade = Callable[[Any], Any]
"""A document of one version -> the same document in the next; what it is given stays as it is."""

Upgrades = Mapping[int, Mapping[str, Upgrade]]
"""Version -> file name (`run.json`, `result.json`, `resolved.yaml`, …) -> what leads on from it.

Every version that can still be read has an entry; documents that did not change have no function.
"""

UPGRADES: Upgrades = {}
"""There is no older version yet."""


def oldest(upgrades: Upgrades) -> int:
    """The oldest version that can be read."""
    version = SCHEMA_VERSION
    while version - 1 in upgrades:
        version -= 1
    return version


def upgraded(name: str, body: Any, version: int, upgrades: Upgrades) -> Any:
    """A document in today's layout.

    Args:
        name: Its file name.
        body: Its content; it is not changed.
        version: The version it has, between `oldest(upgrades)` and `SCHEMA_VERSION`.
        upgrades: The functions.
    """
    for number in range(version, SCHEMA_VERSION):
        change = upgrades[number].get(name)
        body = body if change is None else change(body)
    if version != SCHEMA_VERSION and isinstance(body, dict) and "schema_version" in body:
        return {**body, "schema_version": SCHEMA_VERSION}
    return body
