"""A declarative audit framework for vision models: the public names, loaded when first used.

    composed = auditor.load_spec("audit.yaml", ["engine.device=cpu"])
    plan = auditor.make_plan(composed)
    run = auditor.read_run(auditor.execute(composed, plan))
    auditor.render(run)
    auditor.diff_runs(auditor.read_run("reports/…"), run)

A notebook shows `plan`, `run` and `run.findings` as tables; `run.findings_table()` and
`run.tables(audit)` are pyarrow tables, so `.to_pandas()` and Parquet are one call away.
Importing the package loads neither torch nor pydantic. Nothing inside the package imports it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.compose.load import load_spec
    from auditor.engine.execute import RunOptions, execute
    from auditor.errors import (
        ArtifactError,
        AuditorError,
        ExecutionError,
        InputError,
        MissingDependencyError,
        PlanError,
        RenderError,
        SpecError,
    )
    from auditor.plan.make import make_plan
    from auditor.report.publish import render
    from auditor.store.compare import diff_runs
    from auditor.store.reader import read_run

__all__ = [
    "ArtifactError",
    "AuditorError",
    "ExecutionError",
    "InputError",
    "MissingDependencyError",
    "PlanError",
    "RenderError",
    "RunOptions",
    "SpecError",
    "diff_runs",
    "execute",
    "load_spec",
    "make_plan",
    "read_run",
    "render",
]

HOMES = {
    "RunOptions": "auditor.engine.execute",
    "diff_runs": "auditor.store.compare",
    "execute": "auditor.engine.execute",
    "load_spec": "auditor.compose.load",
    "make_plan": "auditor.plan.make",
    "read_run": "auditor.store.reader",
    "render": "auditor.report.publish",
}
"""Where a public name is defined; the errors are at home in `auditor.errors`."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'auditor' has no attribute {name!r}")
    return getattr(import_module(HOMES.get(name, "auditor.errors")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
