"""What earlier runs and the cache folder left that a plan can build on.

<cache>/networks/<train step id>.safetensors    networks fitted by a recipe
<cache>/probes/<probe key>.json                 measured operations and memory
<out>/<name>/<run>/states/                      finished shards of the newest unfinished run
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from auditor.errors import ArtifactError
from auditor.plan.history import History, Probe
from auditor.plan.identity import Settled
from auditor.plan.steps import Plan
from auditor.store.documents import read_document
from auditor.store.find import find_unfinished, runs_of
from auditor.store.layout import RunPaths
from auditor.store.states import StateStore

NETWORKS = "networks"
PROBES = "probes"

SETTLED = "settled"
"""Key of the state, and name of its note, that hold what a run settled on when it began."""

PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)
PROBE: TypeAdapter[Probe] = TypeAdapter(Probe)

T = TypeVar("T")


def look_back(name: str, spec_digest: str, *, out: Path, cache_dir: Path) -> History:
    """The history of a spec. Folders that do not exist yet hold nothing.

    Args:
        name: Name of the spec.
        spec_digest: Its digest.
        out: Folder of all runs.
        cache_dir: Folder of the cache.

    Raises:
        ArtifactError: when the record of an unfinished run is damaged.
    """
    unfinished = find_unfinished(out, name, spec_digest)
    states = StateStore(RunPaths(unfinished).states) if unfinished is not None else None
    probes = {path.stem: readable(path, PROBE) for path in (cache_dir / PROBES).glob("*.json")}
    return History(
        networks=frozenset(path.stem for path in (cache_dir / NETWORKS).glob("*.safetensors")),
        settled=settled_of(states) if states is not None else None,
        shards=finished_shards(states) if states is not None else {},
        probes={key: probe for key, probe in probes.items() if probe is not None},
        earlier=newest_plan(out / name),
    )


def settled_of(states: StateStore) -> Settled | None:
    """What a run settled on; None where it was stopped before that."""
    kept = states.read(SETTLED)
    return None if kept is None else Settled.model_validate_json(kept.notes[SETTLED])


def finished_shards(states: StateStore) -> dict[str, frozenset[int]]:
    """Numbers of the finished shards by fold key."""
    if not states.root.is_dir():
        return {}
    keys = [folder.name for folder in states.root.iterdir() if folder.is_dir()]
    return {key: frozenset(states.done(key)) for key in keys}


def newest_plan(folder: Path) -> Plan | None:
    """The plan of the newest run of a spec that has one, finished or not."""
    plans = (readable(RunPaths(run).plan_json, PLAN) for run in reversed(runs_of(folder)))
    return next((plan for plan in plans if plan is not None), None)


def readable(path: Path, adapter: TypeAdapter[T]) -> T | None:
    """A document that is only there to compare with or to save work.

    One that is missing, damaged or of another version counts as absent: the plan is then less
    well informed, and nothing else changes.
    """
    try:
        return read_document(path, adapter)
    except ArtifactError:
        return None
