"""The reproduction appendix: what to type, on which inputs, in which surroundings."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.results.run_record import InputRecord, TrainingRecord
from auditor.store.reader import Run
from auditor.wording import (
    ABSENT,
    count,
    counted,
    date,
    percent_with_interval,
    plain,
    sentence,
    size,
)


@dataclass(frozen=True)
class InputRow:
    """One input and its digest."""

    role: str
    name: str
    extent: str
    digest: str


@dataclass(frozen=True)
class TrainedRow:
    """One network that a recipe in the spec fitted."""

    role: str
    name: str
    recipe: str
    clean: str
    robust: str
    digest: str


@dataclass(frozen=True)
class Reproduction:
    """Everything needed to run the audit again and to tell whether it was the same."""

    command: str
    overrides: tuple[str, ...]
    identity: tuple[tuple[str, str], ...]
    inputs: tuple[InputRow, ...]
    trained: tuple[TrainedRow, ...]
    environment: tuple[tuple[str, str], ...]
    plan: str
    resolved: str


def make_reproduction(run: Run) -> Reproduction:
    """The appendix of a run."""
    record, provenance, host = run.record, run.record.provenance, run.record.host
    revision = provenance.revision or "not under version control"
    if provenance.dirty:
        revision += ", with uncommitted changes"
    packages = ", ".join(f"{name} {version}" for name, version in sorted(host.packages.items()))
    flags = ", ".join(f"{name} {value}" for name, value in sorted(host.determinism.items()))
    environment = (
        ("auditor", provenance.auditor_version),
        ("Python", host.python),
        ("Platform", host.platform),
        ("Device", host.device),
        ("Threads", count(host.num_threads)),
        ("Packages", packages),
        ("Determinism", flags),
        ("Began", date(record.times.started)),
        ("Ended", date(record.times.ended)),
    )
    return Reproduction(
        command=plain(provenance.command),
        overrides=tuple(plain(override) for override in provenance.overrides),
        identity=(
            ("Run", record.run_id),
            ("Spec", provenance.spec_digest),
            ("Plan", provenance.plan_digest),
            ("Revision of the spec", revision),
        ),
        inputs=tuple(input_row(given) for given in provenance.inputs),
        trained=tuple(trained_row(network) for network in provenance.training),
        environment=tuple((name, plain(value)) for name, value in environment if value),
        plan=run.plan_text,
        resolved=run.resolved,
    )


def input_row(given: InputRecord) -> InputRow:
    extent = (
        f"{count(given.num_rows)} rows" if given.num_rows is not None else size(given.num_bytes)
    )
    return InputRow(
        role=plain(given.role),
        name=plain(given.name),
        extent=extent,
        digest=given.digest or "not taken",
    )


def trained_row(network: TrainingRecord) -> TrainedRow:
    recipe = f"{counted(network.num_epochs, 'epoch')} on {plain(network.device)}"
    if network.adversary:
        recipe += f", against {plain(network.adversary)}"
    if network.diverged:
        recipe += f". {sentence(plain(network.diverged))}"
    clean, robust = network.clean_accuracy, network.robust_accuracy
    return TrainedRow(
        role=plain(network.network),
        name=plain(network.name),
        recipe=recipe,
        clean=percent_with_interval(clean) if clean else ABSENT,
        robust=percent_with_interval(robust) if robust else ABSENT,
        digest=network.digest,
    )
