"""Make the run directory that later versions must still read: every audit, small, no machine in it.

    python tests/artifacts/make.py [FOLDER]     beside this file by default

Run it when the layout of this version changes before it is released, and never after: then it is
what that version wrote. A version with a new layout adds a directory of its own beside it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from auditor.compose.load import load_spec
from auditor.engine.execute import RunOptions, execute
from auditor.engine.progress import Silent
from auditor.plan.make import make_plan
from auditor.results.run_record import Host, Interval
from auditor.store.reader import read_run
from auditor.store.writer import reopen_run

VERSION = "layout1"
STARTED = "20260301T120000Z"

SPEC = """\
version: 1
name: artifact
title: A small audit of everything
dataset: {source: portraits, splits: {train: {count: 96}, test: {count: 96, start: 100000}}}
model: {source: builtin, name: portraits_net, num_outputs: 3}
extractor: {source: builtin, name: portraits_net, num_outputs: 3, layer: classifier.2}
attributes:
  smiling: {output: 0, column: smiling}
  lipstick: {output: 1, column: lipstick}
  hat: {output: 2, column: hat}
rules:
  every: {among: [smiling, lipstick, hat], expect: unrelated, why: They are independent.}
audits:
  relationships: {kind: relationships, layer: features.4, examples: 1, min_images: 16}
  failures:
    kind: failures
    attributes: [hat]
    min_group: 8
    min_failures: 2
    permutations: 9
    resamples: 5
    valid: {coverage: 0, excess: 0}
    alpha: 0.49
    pictures: {images: 1, failures: 1}
  filters:
    kind: filters
    inspect: extractor
    start: features.7
    dissection: {min_images: 4}
    explainer: null               # names and their recall would take half of the space
    cards: {filters: 1, images: 1}
  groups:
    kind: groups
    named: {deep: {skin: [deep]}, light: {skin: [light]}}
    against: each_other
    layer: features.1
    min_images: 8
    min_difference: 0
    alpha: 0.49
    pictures: {differences: 1, images: 1}
policy:
  limits:
    ties: {audit: relationships, metric: cosine, max: 0.9}
review: review.yaml
report: {formats: [html], clauses: [iso_42001]}
engine: {device: cpu, num_threads: 1, shard_size: 96}
"""

REVIEW = """\
version: 1
findings: {}
"""


def main(folder: Path) -> None:
    """Run the spec, take this machine out of the record, and seal what is left."""
    target = folder / VERSION
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        Path("audit.yaml").write_text(SPEC)
        Path("review.yaml").write_text(REVIEW)
        composed = load_spec("audit.yaml")
        options = RunOptions(command="auditor run audit.yaml", progress=Silent())
        made = execute(composed, make_plan(composed), options)
        run = made.rename(made.with_name(f"{STARTED}-{made.name.partition('-')[2]}"))
        found = read_run(run)
        record = found.record.model_copy(
            update={
                "run_id": run.name,
                "times": Interval(started="2026-03-01T12:00:00Z", ended="2026-03-01T12:01:00Z"),
                "step_seconds": dict.fromkeys(found.record.step_seconds, 1.0),
                "host": Host(
                    platform="Linux x86_64",
                    python="3.11",
                    device="cpu",
                    num_threads=1,
                    packages=dict.fromkeys(found.record.host.packages, "1.0"),
                    determinism=found.record.host.determinism,
                ),
                "provenance": found.record.provenance.model_copy(
                    update={"revision": None, "dirty": None}
                ),
            }
        )
        with reopen_run(run) as writer:
            writer.write_record(record)
            shutil.rmtree(run / "states")
            writer.seal()
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(run, target / run.name, ignore=shutil.ignore_patterns("states"))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(__file__).resolve().parent)
