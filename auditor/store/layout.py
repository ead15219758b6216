"""Where everything lies in a run directory; nobody else spells out these paths.

reports/<name>/<UTC time>-<digest8>/
  run.json        when, where, from which inputs, how it ended, by which policy
  spec/           source.yaml  overrides.yaml  resolved.yaml  rules.json  clauses/<id>.yaml
  plan.json  plan.txt
  findings.json   every check made, the passed ones included
  evidence.json   sha256 and size of spec, findings and audits; the same for equal runs
  comparison.json what is new, worse, better or fixed against the baseline, where there was one
  review.yaml     the review decisions that the report was rendered with
  audits/<id>/    result.json  tables/*.parquet  arrays/*.safetensors  images/  figures/*.svg
  states/         resumable shards and the lock; safe to delete, not covered by the manifest
  report/         report.html  report.pdf
  signature.dsse.json  where the run was signed: a statement about every file but the manifest
  manifest.json   sha256 and size of every other file, written last
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from auditor.errors import ArtifactError

DIGEST_LENGTH = 8
"""Digits of the spec's digest in the name of a run directory."""

TIME_FORMAT = "%Y%m%dT%H%M%SZ"


def run_id(started: datetime, spec_digest: str) -> str:
    """Name of a run directory: sorting the names sorts the runs by time."""
    return f"{started.astimezone(UTC).strftime(TIME_FORMAT)}-{spec_digest[:DIGEST_LENGTH]}"


def new_sweep_folder(out: Path, name: str) -> Path:
    """`<out>/<name>/sweeps/<UTC time>` for a comparison of runs; it does not exist yet.

    A sweep of the same second takes the second after it.
    """
    started = datetime.now(UTC)
    while (folder := out / name / "sweeps" / started.strftime(TIME_FORMAT)).exists():
        started += timedelta(seconds=1)
    return folder


def plain_name(name: str) -> str:
    """The name itself, if it names one file inside a folder and nothing else.

    Raises:
        ArtifactError: it is empty, hidden or leads elsewhere; a run directory may come from
            a stranger, and nothing outside it is read.
    """
    if not name or name.startswith(".") or name != Path(name).name or "\0" in name:
        raise ArtifactError(f"{name!r} is not the plain name of a file in a run directory")
    return name


@dataclass(frozen=True)
class AuditPaths:
    """The folder of one audit: `audits/<id>/`."""

    root: Path

    @property
    def result(self) -> Path:
        return self.root / "result.json"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def arrays(self) -> Path:
        return self.root / "arrays"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def figures(self) -> Path:
        return self.root / "figures"

    def table(self, name: str) -> Path:
        return self.tables / plain_name(f"{name}.parquet")

    def array(self, name: str) -> Path:
        return self.arrays / plain_name(f"{name}.safetensors")

    def image(self, name: str) -> Path:
        return self.images / plain_name(name)

    def figure(self, name: str) -> Path:
        return self.figures / plain_name(f"{name}.svg")


@dataclass(frozen=True)
class RunPaths:
    """Every path of one run directory."""

    root: Path

    @property
    def record(self) -> Path:
        return self.root / "run.json"

    @property
    def source(self) -> Path:
        return self.root / "spec" / "source.yaml"

    @property
    def overrides(self) -> Path:
        return self.root / "spec" / "overrides.yaml"

    @property
    def resolved(self) -> Path:
        return self.root / "spec" / "resolved.yaml"

    @property
    def rules(self) -> Path:
        return self.root / "spec" / "rules.json"

    @property
    def clauses(self) -> Path:
        return self.root / "spec" / "clauses"

    def clause_map(self, framework: str) -> Path:
        return self.clauses / plain_name(f"{framework}.yaml")

    @property
    def plan_json(self) -> Path:
        return self.root / "plan.json"

    @property
    def plan_text(self) -> Path:
        return self.root / "plan.txt"

    @property
    def findings(self) -> Path:
        return self.root / "findings.json"

    @property
    def evidence(self) -> Path:
        return self.root / "evidence.json"

    @property
    def comparison(self) -> Path:
        return self.root / "comparison.json"

    @property
    def review(self) -> Path:
        return self.root / "review.yaml"

    @property
    def audits(self) -> Path:
        return self.root / "audits"

    @property
    def states(self) -> Path:
        return self.root / "states"

    @property
    def lock(self) -> Path:
        return self.states / "lock"

    @property
    def report(self) -> Path:
        return self.root / "report"

    @property
    def html(self) -> Path:
        return self.report / "report.html"

    @property
    def pdf(self) -> Path:
        return self.report / "report.pdf"

    @property
    def signature(self) -> Path:
        return self.root / "signature.dsse.json"

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.json"

    def audit(self, audit: str) -> AuditPaths:
        return AuditPaths(self.audits / plain_name(audit))

    def relative(self, path: Path) -> str:
        """The path as the manifest and findings write it."""
        return path.relative_to(self.root).as_posix()
