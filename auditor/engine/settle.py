"""What a run fixes when it starts and keeps when it resumes.

Logits move in their last digits with the device, the number of threads, the precision and the
batch size. All four are therefore part of every state's key, and a resumed run takes them from
where it began.
"""

from __future__ import annotations

import torch

from auditor.engine.device import settle_device
from auditor.errors import ExecutionError, PlanError
from auditor.plan.identity import Settled
from auditor.spec.engine import EngineSpec
from auditor.store.history import SETTLED, settled_of
from auditor.store.states import StateStore, StoredState

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""Precisions of forward passes by their names in a spec."""


def settle(engine: EngineSpec, states: StateStore) -> Settled:
    """What the run fixed when it began; settled and kept now if it begins.

    Raises:
        PlanError: the device that the spec asks for is not there.
        ExecutionError: the device that the run began on is not there any more.
    """
    settled = settled_of(states)
    if settled is None:
        settled = fresh(engine)
        keep(settled, states)
        return settled
    try:
        settle_device(settled.device)
    except PlanError as error:
        raise ExecutionError(
            f"this run began on {settled.device}, which is not here",
            hint="continue it where it began, or start anew with --fresh",
        ) from error
    return settled


def fresh(engine: EngineSpec) -> Settled:
    """What a run that begins on this machine settles on.

    Raises:
        PlanError: the device that the spec asks for is not there.
    """
    return Settled(
        device=str(settle_device(engine.device)),
        precision=engine.precision,
        num_threads=engine.num_threads or torch.get_num_threads(),
    )


def keep(settled: Settled, states: StateStore) -> None:
    """Write it to the run directory."""
    states.write(SETTLED, StoredState(arrays={}, notes={SETTLED: settled.model_dump_json()}))


def torch_device(settled: Settled) -> torch.device:
    """The device that a run settled on."""
    return torch.device(settled.device)
