"""Review files that nobody meant: judging, refreshing and showing end in words or in a verdict."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from auditor.cli.report import judged_again, reviews_for
from auditor.cli.review import write_review
from auditor.compose.yaml_file import read_yaml
from auditor.errors import ArtifactError, SpecError
from auditor.store.reader import Run, read_run
from tests.fuzz.commands import check
from tests.fuzz.mutate import as_yaml, examples, spoilt, spoilt_trees

NUM_BYTES, NUM_TREES = 300, 170
SHOWN, REFRESHED, RENDERED = 20, 6, 320
"""Every how many files are shown, refreshed, and end in a report, which takes longest."""

HEAD = """\
# Decisions about the artifact
version: 1
signoff: {name: J. Doe, role: Lead, date: 2026-03-01, findings_digest: DIGEST}
findings:
"""
ENTRY = """\
  # What was found
  "{id}":
    decision: {decision}   # or not
    evidence_digest: {digest}
    reviewer: J. Doe
    date: 2026-03-01
    expires: 2026-12-31
    comment: |
      Only used to sort the catalogue.
"""
FEATURES = """\
features:
  "DIGEST:classifier.2":
    "1": {name: a hat, kind: spurious}
"""


@pytest.fixture(scope="module")
def opened(run: Path) -> Run:
    return read_run(run)


@pytest.fixture(scope="module")
def text(opened: Run) -> str:
    """A sound review file of the run."""
    rulings = ("accepted_risk", "")
    entries = [
        ENTRY.format(id=finding.id, digest=finding.evidence_digest, decision=ruling)
        for finding, ruling in zip(opened.findings, rulings, strict=False)
    ]
    return "".join([HEAD, *entries, FEATURES]).replace("DIGEST", "ab" * 32)


def judge(opened: Run, content: bytes, number: int) -> None:
    """One review file: where the spec names it, and as the copy that the run keeps."""
    named, copy = Path("review.yaml"), opened.paths.root / "review.yaml"
    named.write_bytes(content)
    in_words(lambda: judged(opened))
    if number % REFRESHED == 0:
        in_words(lambda: write_review(opened))
    if number % SHOWN == 0:
        kept = copy.read_bytes()
        copy.write_bytes(content)
        check("show", str(opened.paths.root), "--json", codes=(0, 2))
        named.unlink()  # now the copy is what counts
        in_words(lambda: judged(read_run(opened.paths.root)))
        in_words(lambda: write_review(read_run(opened.paths.root)))
        copy.write_bytes(kept)
    if number % RENDERED == 0:
        named.write_bytes(content)
        done = check("review", str(opened.paths.root), "--json", codes=(0, 2))
        # What was written is a review file again.
        assert done.code == 2 or check("report", str(opened.paths.root), codes=(0,)).code == 0


def in_words(attempt: Callable[[], object]) -> None:
    """Whatever a file holds, the only error is one that its author can mend."""
    with suppress(SpecError, ArtifactError):
        attempt()


def judged(opened: Run) -> Run:
    """The run as this review file, and then its own copy of it, would have it judged."""
    reviews, content = reviews_for(opened)
    return judged_again(replace(opened, review=content), reviews)


def test_the_review_itself_is_sound(opened: Run, text: str) -> None:
    Path("review.yaml").write_text(text)
    assert judged(opened).record.policy
    done = check("review", str(opened.paths.root), "--json", codes=(0,))
    assert json.loads(done.out)["signoff"] == "stale"


def test_spoilt_bytes_of_a_review(opened: Run, text: str) -> None:
    chance = random.Random(0)
    for number in range(NUM_BYTES):
        judge(opened, spoilt(text.encode(), chance), number)


def test_spoilt_trees_of_a_review(opened: Run, text: str) -> None:
    number = iter(range(10**9))
    tree = read_yaml(text, "review").plain()

    @examples(NUM_TREES)
    @given(spoilt_trees(tree))
    def each(spoilt_tree: object) -> None:
        judge(opened, as_yaml(spoilt_tree).encode(), next(number))

    each()
    assert next(number) >= NUM_TREES
