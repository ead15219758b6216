"""Where a finding points: the spec line of its rule, else the line that asks for its audit."""

from __future__ import annotations

from dataclasses import dataclass
from posixpath import normpath
from urllib.parse import quote

from auditor.compose.yaml_file import read_yaml
from auditor.errors import Location, SpecError
from auditor.store.reader import Run

PACKAGED = "packaged:"
"""How the specs that ship with the package are named."""

BASES = {
    "%SRCROOT%": "The folder that the audit was started from.",
    "PACKAGED": "The specs that come with auditor.",
    "ROOT": "The root of the file system, for specs that were named by an absolute path.",
    "RUN": "The run directory.",
}
"""What a path is relative to."""


@dataclass(frozen=True)
class Spot:
    """A place in a file, relative to one of `BASES`; a whole file where there is no line."""

    base: str
    uri: str
    line: int | None = None
    column: int | None = None


def spots_of(run: Run) -> dict[str, Spot]:
    """Finding id -> its place; where no rule stands behind it, its audit in `spec/source.yaml`."""
    audits = audit_spots(run)
    start = Spot("RUN", run.paths.relative(run.paths.source), 1, 1)
    return {
        finding.id: located(finding.location)
        if finding.location is not None
        else audits.get(finding.audit, start)
        for finding in run.findings
    }


def located(location: Location) -> Spot:
    file = location.file.replace("\\", "/")
    if file.startswith(PACKAGED):
        name = file.removeprefix(PACKAGED)
        base, path = "PACKAGED", name if "." in name.rpartition("/")[2] else f"{name}.yaml"
    elif file.startswith("/"):
        base, path = "ROOT", file.lstrip("/")
    else:
        base, path = "%SRCROOT%", file
    return Spot(base, quote(normpath(path)), max(location.line, 1), max(location.column, 1))


def audit_spots(run: Run) -> dict[str, Spot]:
    """Audit id -> its line in the spec file; none for those that a config group asks for."""
    try:
        node = read_yaml(run.source, "source.yaml")
    except SpecError:
        return {}
    found = {audit.id: node.at(("audits", audit.id)) for audit in run.record.audits}
    uri = run.paths.relative(run.paths.source)
    return {
        audit: Spot("RUN", uri, one.key.location.line, one.key.location.column)
        for audit, one in found.items()
        if one is not None and one.key.location is not None
    }
