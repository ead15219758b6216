"""`run.json`: what was run, when, where, from which inputs, and how it ended."""

from __future__ import annotations

from auditor.results.base import ResultModel, Status, Verdict
from auditor.results.estimate import Estimate


class Interval(ResultModel):
    """Start and end of something, UTC, ISO 8601."""

    started: str
    """When it began."""
    ended: str | None = None
    """When it ended; None while it runs."""


class InputRecord(ResultModel):
    """One input of the run and the digest it had."""

    role: str
    """What it is used as, such as `model weights` or `dataset test`."""
    name: str
    """Path or name as the spec has it, without the data root."""
    digest: str | None = None
    """SHA-256 of its content (of the manifest of its content for image folders)."""
    without_predictions: str | None = None
    """The same without the column of recorded predictions, for tables that have one: two models on
    the same images differ in that column alone."""
    num_bytes: int | None = None
    """Size."""
    num_rows: int | None = None
    """Number of images, for datasets."""


class Host(ResultModel):
    """The machine and its software; stands in `run.json` alone."""

    platform: str
    """Operating system and processor."""
    python: str
    """Python version."""
    device: str
    """Device that the plan ran on, in words."""
    num_threads: int
    """Threads that torch computed with."""
    packages: dict[str, str]
    """Versions of the packages that can change a number or a page."""
    package_digests: dict[str, str] = {}
    """SHA-256 over what is installed of each of these packages, for those installed from an
    archive: the digests of their files, as the installer recorded them."""
    determinism: dict[str, str] = {}
    """Flags and seeds in force."""


class Provenance(ResultModel):
    """Where the results come from."""

    spec_digest: str
    """SHA-256 of the validated spec in canonical JSON; the data root is not part of it."""
    plan_digest: str
    """SHA-256 of the plan."""
    auditor_version: str
    """Version of this package."""
    revision: str | None = None
    """Commit of the git work tree that holds the spec, where there is one."""
    dirty: bool | None = None
    """Whether that work tree had uncommitted changes."""
    command: str
    """The command as it was typed."""
    overrides: tuple[str, ...] = ()
    """Overrides as they were typed."""
    allowed_code: bool = False
    """Whether `--allow-code` let an input run code of its own."""
    inputs: tuple[InputRecord, ...] = ()
    """Every dataset and weight file with its digest."""
    training: tuple[TrainingRecord, ...] = ()
    """Every network that was fitted from a recipe."""


class TrainingRecord(ResultModel):
    """A network that was fitted from a recipe in the spec, by this run or by an earlier one."""

    network: str
    """Role in the spec: `model` or `extractor`."""
    name: str
    """Architecture."""
    digest: str
    """SHA-256 of its weights."""
    device: str
    """Where it was fitted."""
    num_epochs: int
    """Passes over the training split."""
    epoch_losses: tuple[float, ...] = ()
    """Mean training loss of each epoch, as far as it is finite."""
    adversary: str | None = None
    """The adversary in words, such as `l2, eps 0.5, 7 steps of 0.18`; None for clean images."""
    evaluated_on: str | None = None
    """Split of the accuracies."""
    clean_accuracy: Estimate | None = None
    """Accuracy on images as they are; for attributes, the mean over them."""
    robust_accuracy: Estimate | None = None
    """Accuracy on perturbed images, with the recipe's eps and its `test_steps`."""
    diverged: str | None = None
    """Why nothing may be claimed on this network; None where the fit went well."""


class Quarantined(ResultModel):
    """An image that could not be read."""

    sample: str
    """Sample id."""
    split: str
    """Its split."""
    reason: str
    """Why, in one sentence."""


class AuditRecord(ResultModel):
    """How one audit of the run ended."""

    id: str
    """Id in the spec."""
    kind: str
    """Kind of audit."""
    title: str
    """Title for readers."""
    status: Status
    """Did it run?"""
    verdict: Verdict | None = None
    """What it found; None unless its status is `ok`."""
    reason: str | None = None
    """Why it failed or was skipped."""
    num_findings: dict[str, int] = {}
    """Number of findings by verdict."""


class PolicyOutcome(ResultModel):
    """One rule of the policy and how it came out."""

    name: str
    """Name of the rule: `ran`, `fail_on`, `required_reviews`, `min_decided`, `required:<audit>`,
    `limit:<id>`, `power:<id>`."""
    target: str
    """What was demanded, in words."""
    value: str
    """What was found, in words, with its interval where it has one."""
    verdict: Verdict
    """Whether it was met."""
    estimate: Estimate | None = None
    """The measurement that decided it, for rules about measured quantities."""


class RunRecord(ResultModel):
    """The content of `run.json`."""

    schema_version: int = 1
    """Version of the run directory's layout."""
    run_id: str
    """Name of the run directory."""
    name: str
    """Name of the spec."""
    title: str
    """Title of the spec."""
    status: Status
    """Did the run end?"""
    verdict: Verdict | None = None
    """What the run as a whole found."""
    exit_code: int | None = None
    """Exit code of the command."""
    times: Interval
    """Start and end."""
    step_seconds: dict[str, float] = {}
    """Duration of each step, by step id."""
    host: Host
    """The machine."""
    provenance: Provenance
    """Where the results come from."""
    audits: tuple[AuditRecord, ...] = ()
    """How each audit ended, in the order of the spec."""
    policy: tuple[PolicyOutcome, ...] = ()
    """The policy, rule by rule."""
    judged_on: str | None = None
    """The day that review decisions were held against, ISO 8601; None until the run is judged."""
    quarantined: tuple[Quarantined, ...] = ()
    """Unreadable images."""
    failure: str | None = None
    """Why the run broke, for status `failed`."""
    key: str | None = None
    """Random secret of the run: in reports for others, samples and pictures go by pseudonyms that
    are keyed with it. It leaves the run directory in internal reports alone."""
