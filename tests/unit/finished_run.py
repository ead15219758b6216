"""What the synthetic runs of the report tests share: the store's own writer, and how pages read."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from auditor.catalog import AuditSpec
from auditor.compose.clauses import gather
from auditor.compose.composed import Composed
from auditor.compose.place import Places
from auditor.context import Rule
from auditor.plan.steps import Plan
from auditor.report.render import render
from auditor.results.base import Verdict, digest_of
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding
from auditor.results.outcome import Outcome
from auditor.results.run_record import AuditRecord, Host, InputRecord, Provenance, RunRecord
from auditor.store.reader import Run
from auditor.store.writer import open_run

HOST = Host(
    platform="Linux x86_64",
    python="3.12.3",
    device="cpu, 2 threads",
    num_threads=2,
    packages={"torch": "2.11.0", "numpy": "2.1.0"},
)


def share(failures: int, size: int) -> Estimate:
    """A share with Wilson's interval at 95 %."""
    if not size:
        return Estimate.absent("no images", num_samples=0)
    z, p = 1.959964, failures / size
    middle = (p + z * z / (2 * size)) / (1 + z * z / size)
    half = z * np.sqrt(p * (1 - p) / size + z * z / (4 * size * size)) / (1 + z * z / size)
    return Estimate(
        value=p, low=middle - half, high=middle + half, level=0.95, method="wilson",
        num_samples=size,
    )  # fmt: skip


def picture(rng: np.random.Generator, size: int = 32) -> bytes:
    """A small scene with a disc and a block as a JPEG."""
    image = Image.new("RGB", (size, size), tuple(int(v) for v in rng.integers(90, 240, 3)))
    draw = ImageDraw.Draw(image)
    unit = size / 32
    x, y = (int(v) * unit for v in rng.integers(4, 16, 2))
    draw.ellipse(
        (x, y, x + 14 * unit, y + 12 * unit), fill=tuple(int(v) for v in rng.integers(0, 160, 3))
    )
    draw.rectangle((0, 24 * unit, size, size), fill=tuple(int(v) for v in rng.integers(20, 200, 3)))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def provenance(digest: str, *, command: str, inputs: Sequence[InputRecord]) -> Provenance:
    """Where a synthetic run came from."""
    return Provenance(
        spec_digest=digest,
        plan_digest="b" * 64,
        auditor_version="0.1.0",
        command=command,
        inputs=tuple(inputs),
    )


def audit_record(
    audit: str, kind: str, title: str, verdict: Verdict, findings: Sequence[Finding]
) -> AuditRecord:
    """One audit that ended well, with the tally of its findings."""
    verdicts: tuple[Verdict, ...] = ("pass", "warn", "fail", "inconclusive")
    return AuditRecord(
        id=audit,
        kind=kind,
        title=title,
        status="ok",
        verdict=verdict,
        num_findings={v: sum(f.verdict == v for f in findings) for v in verdicts},
    )


def clause_maps(spec: AuditSpec) -> dict[str, str]:
    """The clause maps that a spec names, as composing it would gather them."""
    texts, problems = gather(spec, Places(()))
    assert problems == []
    return texts


def write_finished_run(
    out: Path,
    *,
    spec: AuditSpec,
    outcomes: Mapping[str, Outcome],
    record: Callable[[str], RunRecord],
    rules: tuple[Rule, ...] = (),
    overrides: tuple[str, ...] = (),
    review: bytes | None = None,
) -> Path:
    """Write one finished run with the store's own writer.

    Args:
        out: Folder of runs.
        spec: What was run.
        outcomes: Audit id -> what it came to.
        record: From the digest of the spec to the run's record.
        rules: Rules of the spec, written out.
        overrides: Overrides of the command line.
        review: Content of the review file.

    Returns:
        The run directory.
    """
    digest = digest_of(spec.model_dump(mode="json"))
    composed = Composed(
        spec=spec,
        digest=digest,
        path=f"specs/{spec.name}.yaml",
        source=f"version: 1\nname: {spec.name}\n",
        overrides=overrides,
        resolved=json.dumps(spec.model_dump(mode="json", exclude_none=True), indent=2),
        rules=rules,
        clauses=clause_maps(spec),
        warnings=(),
    )
    plan = Plan(name=spec.name, spec_digest=digest, steps=())
    with open_run(composed, out=out, fresh=True) as writer:
        finished = record(digest)
        writer.start(finished, composed, plan)
        for audit, outcome in outcomes.items():
            writer.write_outcome(audit, outcome)
        writer.write_findings([f for outcome in outcomes.values() for f in outcome.findings])
        writer.write_review(review)
        writer.write_record(finished)
        return writer.paths.root


def page_of(run: Run, **options: object) -> str:
    """The report of a run as HTML."""
    (path,) = render(run, formats=("html",), **options)
    return path.read_text()


BLOCKS = {"figure", "table", "nav", "pre", "header", "main"}


class Outline(HTMLParser):
    """Tags with their attributes; headings, figures with their class, tables and such in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.lines: list[str] = []
        self.heading = ""
        self.in_svg = 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.in_svg += tag == "svg"
        if re.fullmatch("h[1-4]", tag):
            self.heading = tag
            self.lines.append("  " * (int(tag[1]) - 1))
        elif tag in BLOCKS:
            kind = (dict(attrs).get("class") or "").strip() if tag == "figure" else ""
            self.lines.append(f"        <{f'{tag} {kind}'.strip()}>")

    def handle_endtag(self, tag):
        self.in_svg -= tag == "svg"
        if tag == self.heading:
            self.heading = ""

    def handle_data(self, data):
        if self.heading and not self.in_svg and data.strip():
            self.lines[-1] += f"{' '.join(data.split())} "

    def text(self) -> str:
        return "".join(f"{line.rstrip()}\n" for line in self.lines)
