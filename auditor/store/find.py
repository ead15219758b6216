"""Which run a user means: a directory, the name of a spec (its newest run) or `latest`."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import TypeAdapter

from auditor.errors import ArtifactError
from auditor.near import suggest
from auditor.results.run_record import RunRecord
from auditor.store.documents import read_document
from auditor.store.layout import DIGEST_LENGTH, RunPaths
from auditor.store.upgrade import UPGRADES, Upgrades

RUN_ID = re.compile(rf"^\d{{8}}T\d{{6}}Z-[0-9a-f]{{{DIGEST_LENGTH}}}$")

RECORD: TypeAdapter[RunRecord] = TypeAdapter(RunRecord)


def find_run(name: str, root: Path) -> Path:
    """The run directory that a user means.

    Args:
        name: A run directory, the name of a spec, or `latest`.
        root: Folder of all runs, `reports` by default.

    Raises:
        ArtifactError: there is no such run; the hint names near ones.
    """
    if name == "latest":
        runs = all_runs(root)
        if not runs:
            raise ArtifactError(
                f"there is no run in {root} yet", hint="`auditor run SPEC` makes one."
            )
        return runs[-1]
    if RunPaths(Path(name)).record.is_file():
        return Path(name)
    runs = runs_of(root / name) if name == Path(name).name else ()
    if runs:
        return runs[-1]
    raise unknown_run(name, root)


def find_finished(name: str, root: Path) -> Path:
    """The run directory that a user means, passing over newer runs that were not finished.

    Args:
        name: A run directory, the name of a spec, or `latest`.
        root: Folder of all runs.

    Raises:
        ArtifactError: there is no such run; the hint names near ones.
    """
    named = name == Path(name).name and not RunPaths(Path(name)).record.is_file()
    runs = (all_runs(root) if name == "latest" else runs_of(root / name)) if named else ()
    finished = [run for run in runs if RunPaths(run).manifest.is_file()]
    return finished[-1] if finished else find_run(name, root)


def unknown_run(name: str, root: Path) -> ArtifactError:
    path = Path(name)
    if path.is_file():
        hint = "Give the run directory: the folder that holds run.json."
        return ArtifactError(f"{name} is a file, not a run directory", hint=hint)
    if path.is_dir():
        hint = "A run directory holds run.json; `auditor list` shows all runs."
        return ArtifactError(f"{name} is not a run directory", hint=hint)
    names = sorted({run.parent.name for run in all_runs(root)})
    hint = suggest(name, names, "spec") if names else "`auditor run SPEC` makes one."
    return ArtifactError(f"there is no run {name!r} in {root}", hint=hint)


def all_runs(root: Path) -> tuple[Path, ...]:
    """Every run directory below a folder of runs, oldest first."""
    if not root.is_dir():
        return ()
    found = [run for folder in root.iterdir() if folder.is_dir() for run in runs_of(folder)]
    return tuple(sorted(found, key=lambda run: (run.name, run.parent.name)))


def runs_of(folder: Path) -> tuple[Path, ...]:
    """The run directories of one spec, oldest first, unfinished ones included."""
    if not folder.is_dir():
        return ()
    found = (run for run in folder.iterdir() if RUN_ID.match(run.name))
    return tuple(sorted(run for run in found if RunPaths(run).record.is_file()))


def find_unfinished(out: Path, name: str, spec_digest: str) -> Path | None:
    """The newest run of exactly this spec, if it was not finished; None starts a new one.

    A run is finished once it has a manifest. A folder that was made but holds no record yet is
    what a kill in the very first moment leaves behind: it is continued like any other.

    Raises:
        ArtifactError: its record is damaged.
    """
    folder = out / name
    if not folder.is_dir():
        return None
    suffix = f"-{spec_digest[:DIGEST_LENGTH]}"
    candidates = sorted(
        run for run in folder.iterdir() if RUN_ID.match(run.name) and run.name.endswith(suffix)
    )
    for run in reversed(candidates):
        paths = RunPaths(run)
        if paths.record.is_file() and read_record(run).provenance.spec_digest != spec_digest:
            continue  # another spec whose digest happens to begin alike
        return None if paths.manifest.is_file() else run
    return None


def read_record(run: Path, *, upgrades: Upgrades = UPGRADES) -> RunRecord:
    """`run.json` of a run, finished or not.

    Raises:
        ArtifactError: it is missing, damaged or of a version that cannot be read.
    """
    return read_document(RunPaths(run).record, RECORD, upgrades=upgrades)
