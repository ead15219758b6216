"""Writes a run directory. One writer at a time, under the directory's lock.

with open_run(composed, out=Path("reports"), fresh=False) as writer:
    writer.start(record, composed, plan)      # run.json first, then the spec and the plan
    writer.write_outcome("relationships", outcome)
    writer.write_findings(findings)
    writer.write_record(record)               # status ok
…
with reopen_run(path) as writer:              # after the report was rendered
    writer.seal()                             # manifest.json, last
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import final

from pydantic import TypeAdapter

from auditor.compose.composed import Composed
from auditor.context import Rule
from auditor.plan.explain import explain
from auditor.plan.steps import Plan
from auditor.results.comparison import Comparison
from auditor.results.finding import Finding, Findings
from auditor.results.outcome import Outcome
from auditor.results.run_record import RunRecord
from auditor.store.atomic import (
    as_execution_error,
    make_folder,
    remove_partial_files,
    remove_tree,
    write_bytes,
    write_text,
)
from auditor.store.documents import document_bytes
from auditor.store.evidence import run_evidence
from auditor.store.find import find_unfinished, read_record
from auditor.store.layout import RunPaths, run_id
from auditor.store.lock import held_lock
from auditor.store.manifest import Manifest, make_manifest, manifest_bytes, read_manifest
from auditor.store.sign import Signer
from auditor.store.signature import sign_run
from auditor.store.states import StateStore
from auditor.store.tables import array_bytes, table_bytes

RULES: TypeAdapter[tuple[Rule, ...]] = TypeAdapter(tuple[Rule, ...])


@contextmanager
def open_run(composed: Composed, *, out: Path, fresh: bool = False) -> Iterator[RunWriter]:
    """Continue the newest run of this spec if it was not finished, or begin a new one.

    Args:
        composed: The spec; its name and digest name the run.
        out: Folder of all runs.
        fresh: Begin a new run in any case.

    Raises:
        ExecutionError: another process writes this run, or the folder cannot be written.
        ArtifactError: the record of the unfinished run is damaged.
    """
    name, digest = composed.spec.name, composed.digest
    unfinished = None if fresh else find_unfinished(out, name, digest)
    paths = RunPaths(unfinished or new_folder(out / name, digest))
    with held_lock(paths.lock):
        earlier = read_record(paths.root) if paths.record.is_file() else None
        yield RunWriter(paths=paths, earlier=earlier)


@contextmanager
def reopen_run(run: Path) -> Iterator[RunWriter]:
    """Write to a run that is there already: to seal it, or to render its report again.

    Raises:
        ExecutionError: another process writes it.
        ArtifactError: its record is damaged.
    """
    paths = RunPaths(run)
    earlier = read_record(run)
    with held_lock(paths.lock):
        yield RunWriter(paths=paths, earlier=earlier)


def new_folder(folder: Path, digest: str) -> Path:
    """A run directory that did not exist; runs of the same second take the seconds after it."""
    make_folder(folder)
    started = datetime.now(UTC)
    while True:
        run = folder / run_id(started, digest)
        try:
            run.mkdir()
        except FileExistsError:
            started += timedelta(seconds=1)
        except OSError as error:
            raise as_execution_error(error, run) from error
        else:
            return run


@final
@dataclass(frozen=True)
class RunWriter:
    """The only hand that writes a run directory; get one from `open_run` or `reopen_run`.

    Every method raises ExecutionError where the disk or a permission forbids it, and leaves
    no half-written file.

    Attributes:
        paths: Where everything lies.
        earlier: The record that an interrupted run left, None for a new run. What a run fixes
            when it starts (batch size, threads, device kind) is taken from there.
    """

    paths: RunPaths
    earlier: RunRecord | None

    @property
    def run_id(self) -> str:
        return self.paths.root.name

    @property
    def states(self) -> StateStore:
        """The resumable states of this run."""
        return StateStore(self.paths.states)

    def start(self, record: RunRecord, composed: Composed, plan: Plan) -> None:
        """Write what is known before the first step: the record, the spec and the plan.

        Outcomes and reports of an interrupted attempt are removed: what is sealed later was
        written by the attempt that is sealed. The states stay.
        """
        self.write_record(record)
        remove_partial_files(self.paths.root)
        remove_tree(self.paths.audits)
        remove_tree(self.paths.report)
        remove_tree(self.paths.clauses)
        self.paths.comparison.unlink(missing_ok=True)
        self.paths.signature.unlink(missing_ok=True)  # a kill can leave one without its manifest
        write_text(self.paths.source, composed.source)
        write_text(self.paths.overrides, as_yaml_list(composed.overrides))
        write_text(self.paths.resolved, composed.resolved)
        for name, text in composed.clauses.items():
            write_text(self.paths.clause_map(name), text)
        write_bytes(self.paths.rules, RULES.dump_json(composed.rules, indent=2) + b"\n")
        write_text(self.paths.plan_json, f"{plan.model_dump_json(indent=2)}\n")
        write_text(self.paths.plan_text, explain(plan))

    def write_record(self, record: RunRecord) -> None:
        """Write `run.json`."""
        write_bytes(self.paths.record, document_bytes(record))

    def write_outcome(self, audit: str, outcome: Outcome) -> None:
        """Write `audits/<audit>/`; the small result comes last and vouches for the rest.

        Raises:
            ValueError: a table or array holds NaN or an infinity.
        """
        paths = self.paths.audit(audit)
        remove_tree(paths.root)
        for name, columns in outcome.tables.items():
            write_bytes(paths.table(name), table_bytes(columns))
        for name, arrays in outcome.arrays.items():
            write_bytes(paths.array(name), array_bytes(arrays))
        for name, image in outcome.images.items():
            write_bytes(paths.image(name), image)
        write_bytes(paths.result, document_bytes(outcome.result))

    def write_findings(self, findings: Sequence[Finding]) -> None:
        """Write `findings.json`: all audits' findings, in the order of the spec's audits."""
        write_bytes(self.paths.findings, document_bytes(Findings(findings=tuple(findings))))

    def write_review(self, content: bytes | None) -> None:
        """Keep the review file that the run is judged with; None where there is none."""
        if content is None:
            self.paths.review.unlink(missing_ok=True)
        else:
            write_bytes(self.paths.review, content)

    def write_comparison(self, comparison: Comparison) -> None:
        """Write `comparison.json`: the run against its baseline."""
        write_bytes(self.paths.comparison, document_bytes(comparison))

    def seal(self, signer: Signer | None = None) -> Manifest:
        """Write evidence, signature and manifest: from now on the run is finished.

        Args:
            signer: Who signs it. Without one, an earlier signature stays and speaks for what it
                was made for: the evidence, and pages that may have been written again since.

        Raises:
            ArtifactError: an earlier manifest is damaged, a link lies in the run directory, or
                the evidence is not what the same key has signed before.
        """
        history: tuple[str, ...] = ()
        if self.paths.manifest.is_file():
            before = read_manifest(self.paths)
            history = (*before.history, before.digest)
        remove_partial_files(self.paths.root)
        write_bytes(self.paths.evidence, document_bytes(run_evidence(self.paths)))
        if signer is not None:
            write_bytes(self.paths.signature, sign_run(self.paths, signer))
        manifest = make_manifest(self.paths, history=history)
        write_bytes(self.paths.manifest, manifest_bytes(manifest))
        return manifest


def as_yaml_list(values: Sequence[str]) -> str:
    """A YAML list: JSON strings are YAML, whatever an override contains."""
    lines = [f"- {json.dumps(value, ensure_ascii=False)}\n" for value in values]
    return "".join(lines) or "[]\n"
