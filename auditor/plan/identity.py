"""Content hashes: the name of a step, of a fold's states and of a probe.

Equal names mean equal output, so they serve as cache keys and as audit trail at once. What is
settled only when a run starts (batch size, threads, kind of device, the bytes of a network that
was trained) moves logits in their last digits: it is part of a state's key, not of a step's id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from auditor.needs import Fold, Output
from auditor.plan.steps import PlanModel, Scan, Step, Train
from auditor.results.base import digest_of

DIGITS = 16
"""Length of an id: 64 bits, in hexadecimal digits."""

SOURCE_PARTS = ("package", "data", "rows")
"""Ingredients of a scan that every batch depends on; how a network wants its images is not one."""


class Settled(PlanModel):
    """What a run fixes when it starts and keeps when it resumes."""

    device: str
    """Device, such as `cpu` or `cuda:0`; only its kind is part of a key."""
    precision: str
    """Precision of forward passes."""
    num_threads: int
    """Threads that torch computes with."""
    batch_sizes: dict[str, int] = {}
    """Scan id -> images per forward pass, for the scans that have begun."""
    trained: dict[str, str] = {}
    """Role of each network that a `Train` step fitted -> SHA-256 of its weights."""


def content_id(ingredients: Mapping[str, JsonValue]) -> str:
    """The name of whatever these ingredients decide."""
    return digest_of(dict(ingredients))[:DIGITS]


def fold_name(fold: Fold) -> str:
    """A fold's name among all audits of a plan."""
    return f"{fold.audit}/{fold.name}"


def fold_part(fold: Fold) -> str:
    """The name of a fold's own ingredients among those of its scan."""
    return f"fold {fold_name(fold)}"


def output_parts(outputs: Sequence[Output]) -> tuple[str, ...]:
    """Ingredients of a scan that some outputs depend on: those of the networks they come from."""
    roles = dict.fromkeys(output.network for output in outputs if output.computed)
    return (
        *roles,
        *(("numerics",) if roles else ()),
        *(("features",) if any(output.from_file for output in outputs) else ()),
        *(("regions",) if any(output.kind == "masks" for output in outputs) else ()),
    )


def fold_ingredients(step: Scan, fold: Fold) -> dict[str, JsonValue]:
    """Everything that decides a fold's states but what a run settles.

    Other folds of the same scan are not part of it, nor are networks that the fold does not use:
    adding an audit or an extractor keeps old states valid.
    """
    parts = (*SOURCE_PARTS, *output_parts(fold.outputs), fold_part(fold))
    return {part: step.ingredients[part] for part in parts}


def fold_key(step: Scan, fold: Fold, settled: Settled) -> str:
    """The name of a fold's states in a run that settled on these values.

    Raises:
        KeyError: when the run has not settled on a batch size for this scan.
    """
    used = {output.network for output in fold.outputs if output.computed}
    trained: dict[str, JsonValue] = {
        # A fold that starts from a solve may depend on any network through it.
        role: digest
        for role, digest in settled.trained.items()
        if role in used or fold.after
    }
    in_force: dict[str, JsonValue] = {
        "device_kind": settled.device.partition(":")[0],
        "precision": settled.precision,
        "num_threads": settled.num_threads,
        "batch_size": settled.batch_sizes[step.id],
        "trained": trained,
    }
    return content_id({**fold_ingredients(step, fold), "settled": in_force})


def probe_key(step: Step) -> str | None:
    """The name of a step's probe; None where there is no network to probe, or no knowing its work.

    What a visit does with its images is the audit's business.
    """
    if isinstance(step, Train):
        return step.id
    outputs = step.outputs if isinstance(step, Scan) else ()
    computed = [output for output in outputs if output.computed]
    if not computed:
        return None
    parts = ("package", "data", *output_parts(computed))
    wanted: list[JsonValue] = [output.model_dump(mode="json") for output in computed]
    return content_id({**{part: step.ingredients[part] for part in parts}, "outputs": wanted})
