"""One errand: a composed spec and its plan become a run directory, ready for the report."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast, final

from auditor.adapters.datasets.open import open_dataset
from auditor.catalog import AnyResult, AuditSpec
from auditor.compose.composed import Composed
from auditor.engine.backends.local import LocalBackend
from auditor.engine.backends.protocol import Backend
from auditor.engine.determinism import deterministic
from auditor.engine.execution import Execution
from auditor.engine.progress import Progress, progress_on
from auditor.engine.provenance import (
    host,
    input_records,
    portable,
    portable_record,
    provenance,
)
from auditor.engine.record import audit_records, broken, day_of, ended, started
from auditor.engine.selection import select
from auditor.engine.settle import settle
from auditor.errors import ExecutionError
from auditor.inventory.features import FeatureTable, take_features
from auditor.inventory.stock import DatasetInventory
from auditor.judge.policy import judge
from auditor.judge.review import load_reviews, review_path
from auditor.judge.rules import count_rules
from auditor.plan.context import make_context, output_index
from auditor.plan.facts import take_stock
from auditor.plan.identity import Settled
from auditor.plan.steps import Plan, Step
from auditor.results.run_record import InputRecord, RunRecord
from auditor.spec.extractor import FeaturesExtractor
from auditor.store.compare import compare_with_baseline
from auditor.store.reader import Run
from auditor.store.writer import RunWriter, open_run


@final
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run is told beside its spec; the defaults are those of the command line.

    Attributes:
        out: Folder of all runs.
        cache_dir: Folder of trained networks and probes; the environment may name another one.
        fresh: Start anew, even if an unfinished run of the same spec could continue.
        only: Ids of the audits to run; all if empty.
        allow_code: Whether inputs may run code of their own.
        baseline: A run whose findings no longer fail the severity gate, unless they got worse.
        command: How the run was asked for, for the record.
        progress: Where to report to.
    """

    out: str | Path = "reports"
    cache_dir: str | Path = field(
        default_factory=lambda: os.environ.get("AUDITOR_CACHE", ".auditor-cache")
    )
    fresh: bool = False
    only: Sequence[str] = ()
    allow_code: bool = False
    baseline: Run | None = None
    command: str = "auditor.execute"
    progress: Progress = field(default_factory=lambda: progress_on(sys.stderr))


def execute(composed: Composed, plan: Plan, options: RunOptions | None = None) -> Path:
    """Run a plan and judge what it found.

    The newest unfinished run of the same spec goes on where it was stopped.

    Args:
        composed: The spec.
        plan: Its plan.
        options: Where to, and how; the defaults of `RunOptions` if left out.

    Returns:
        The run directory. Its record says `ok`, or `failed` where an audit broke. The report and
        the manifest are still to come.

    Raises:
        ValueError: the plan is that of another spec.
        SpecError: `only` names an audit that the spec does not have, or the review file is none.
        PlanError: the device is not there.
        InputError: an input cannot be used; the record says `failed`.
        ExecutionError: the run broke on this machine, or another process is writing it.
    """
    if plan.spec_digest != composed.digest:
        raise ValueError("the plan was made from another spec; make it again with make_plan")
    options = options or RunOptions()
    composed = portable(composed)
    steps = select(plan, tuple(options.only), composed.spec.audits)
    backend = LocalBackend()
    # A review that is none is refused before anything is computed, not when the run is judged.
    load_reviews(review_path(composed.spec), datetime.now(UTC).date())
    with open_run(composed, out=Path(options.out), fresh=options.fresh) as writer:
        backend.launch(lambda: carry_out(composed, plan, steps, options, writer, backend))
        return writer.paths.root


def carry_out(
    composed: Composed,
    plan: Plan,
    steps: tuple[Step, ...],
    options: RunOptions,
    writer: RunWriter,
    backend: Backend,
) -> None:
    """Everything between the open run directory and its judged record."""
    settled = settle(composed.spec.engine, writer.states)
    with deterministic(composed.spec.engine.seed, settled.num_threads) as flags:
        record = started(
            composed,
            writer.run_id,
            host=host(settled, flags),
            provenance=provenance(
                composed, plan, command=options.command, allowed_code=options.allow_code
            ),
            earlier=writer.earlier,
        )
        writer.start(portable_record(record, composed.spec), composed, plan)
        try:
            stock, features = take_stock(composed.spec), feature_tables(composed.spec)
            execution = prepare(composed, stock, features, steps, settled, options, writer, backend)
            execution.run()
            read = input_records(composed.spec, stock, features)
            record = with_inputs(record, execution, read)
            finish(composed.spec, execution, record, writer, options.baseline)
        except Exception as error:
            # The disk that broke the run may refuse this too; the first error is what counts.
            with suppress(ExecutionError):
                writer.write_record(portable_record(broken(record, error), composed.spec))
            raise


def prepare(
    composed: Composed,
    stock: DatasetInventory,
    features: Mapping[str, FeatureTable],
    steps: tuple[Step, ...],
    settled: Settled,
    options: RunOptions,
    writer: RunWriter,
    backend: Backend,
) -> Execution:
    """Open the inputs that every step may need."""
    spec = composed.spec
    return Execution(
        spec=spec,
        steps=steps,
        contexts={audit: make_context(composed, audit, stock) for audit in spec.audits},
        outputs=tuple(
            output_index(each, spec.dataset.classes) for each in spec.attributes.values()
        ),
        dataset=open_dataset(spec.dataset),
        settled=settled,
        states_on_disk=writer.states,
        backend=backend,
        progress=options.progress,
        cache_dir=Path(options.cache_dir),
        features=features,
        allow_code=options.allow_code,
    )


def feature_tables(spec: AuditSpec) -> Mapping[str, FeatureTable]:
    """Split to the features that were computed elsewhere; none where a network computes them."""
    extractor = spec.extractor
    return take_features(extractor) if isinstance(extractor, FeaturesExtractor) else {}


def finish(
    spec: AuditSpec,
    execution: Execution,
    record: RunRecord,
    writer: RunWriter,
    baseline: Run | None,
) -> None:
    """Write the outcomes, hold them against the baseline, judge them, and end the record."""
    outcomes = {
        audit: execution.outcomes[audit] for audit in spec.audits if audit in execution.outcomes
    }
    for audit, outcome in outcomes.items():
        writer.write_outcome(audit, outcome)
    findings = [finding for outcome in outcomes.values() for finding in outcome.findings]
    writer.write_findings(findings)
    reviews, content = load_reviews(review_path(spec), day_of(record))
    writer.write_review(content)
    audits = audit_records(spec, outcomes, execution.failed)
    known: frozenset[str] = frozenset()
    if baseline is not None:
        so_far = portable_record(record.model_copy(update={"audits": audits}), spec)
        comparison = compare_with_baseline(baseline, writer.paths, so_far, findings)
        writer.write_comparison(comparison)
        known = comparison.known
    rules = count_rules(cast("AnyResult", outcome.result) for outcome in outcomes.values())
    judgement = judge(
        spec,
        audits,
        findings,
        num_rules=rules.num_rules,
        num_decided=rules.num_decided,
        reviews=reviews,
        known=known,
    )
    writer.write_record(portable_record(ended(record, audits, judgement), spec))


def with_inputs(
    record: RunRecord, execution: Execution, inputs: Sequence[InputRecord]
) -> RunRecord:
    """The record with what the run read, how long each step took and what could not be read."""
    fitted = execution.networks.trained.values()
    sources = {
        "inputs": (*inputs, *(network.record for network in fitted)),
        "training": tuple(network.training for network in fitted),
    }
    return record.model_copy(
        update={
            "provenance": record.provenance.model_copy(update=sources),
            "step_seconds": execution.step_seconds,
            "quarantined": tuple(execution.quarantined[k] for k in sorted(execution.quarantined)),
        }
    )
