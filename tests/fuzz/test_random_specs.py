"""Specs that nobody meant: `validate` and `plan` end in words, in time, and alike in JSON."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given

from auditor.compose.yaml_file import read_yaml
from tests.fuzz.commands import check, check_both
from tests.fuzz.mutate import as_yaml, examples, spoilt, spoilt_trees

SPEC = """\
version: 1
name: tiny
dataset: {source: portraits, splits: {train: {count: 64}, test: {count: 32, start: 1000}}}
model: {source: builtin, name: portraits_net, num_outputs: 2}
attributes:
  smiling: {output: 0, column: smiling}
  hat: {output: 1, column: hat}
rules:
  mouth: {between: [hat, smiling], expect: unrelated, why: No hat smiles.}
audits:
  relationships: {kind: relationships, layer: features.0}
  groups: {kind: groups, by: [skin], layer: features.4}
policy: {limits: {ties: {audit: relationships, metric: cosine, max: 0.9}}}
review: reviews/tiny.yaml
engine: {device: cpu, batch_size: 16}
report: {formats: [html]}
"""

NUM_BYTES, NUM_TREES = 200, 100
TREE = read_yaml(SPEC, "spec").plain()


@pytest.fixture(scope="module")
def spec(folder: Path) -> Path:
    return folder / "audit.yaml"


def judge(spec: Path, content: bytes, number: int) -> None:
    """One spec: validated always, planned every fifth time."""
    spec.write_bytes(content)
    valid = check("validate", str(spec), "--json", codes=(0, 2)).code == 0
    if number % 5 == 0:
        done = check("plan", str(spec), *(["--json"] * (number % 2)), codes=(0, 2))
        assert valid or done.code == 2
    if number % 10 == 0:
        check_both("validate", str(spec), codes=(0, 2))


def test_the_spec_itself_is_valid(spec: Path) -> None:
    spec.write_text(SPEC)
    assert check_both("validate", str(spec), codes=(0,)).code == 0
    assert check("plan", str(spec), "--json", codes=(0,)).code == 0


def test_spoilt_bytes_of_a_spec(spec: Path) -> None:
    chance = random.Random(0)
    for number in range(NUM_BYTES):
        judge(spec, spoilt(SPEC.encode(), chance), number)


def test_spoilt_trees_of_a_spec(spec: Path) -> None:
    number = iter(range(10**9))

    @examples(NUM_TREES)
    @given(spoilt_trees(TREE))
    def each(tree: object) -> None:
        judge(spec, as_yaml(tree).encode(), next(number))

    each()
    assert next(number) >= NUM_TREES
