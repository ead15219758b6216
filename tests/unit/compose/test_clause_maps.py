"""A user's own clause map: gathered with the spec, and refused with file and line."""

from __future__ import annotations

import pytest

from auditor.compose.clauses import packaged_frameworks
from auditor.errors import SpecError
from auditor.resources import specs_dir
from auditor.spec.clauses import MAX_CLAUSES

HOUSE = """\
version: 1
title: House rules
edition: second edition
date: 2026-01-31
revision: 3
source: handbook
clauses:
  - id: R1
    heading: Look for proxies
    asks: Test what the model takes as evidence.
    evidence: [relationships]
"""


@pytest.fixture
def house(folder):
    """Write the file `house.yaml`, with more lines behind the usual ones."""
    return lambda more="", text=HOUSE: (folder / "house.yaml").write_text(text + more)


def test_packaged_maps_are_gathered_verbatim(load):
    texts = load().clauses
    assert sorted(texts) == packaged_frameworks()
    for name, text in texts.items():
        assert text == (specs_dir() / "clauses" / f"{name}.yaml").read_text()


def test_ones_own_map_stands_beside_them(load, house):
    house()
    texts = load("report: {clauses: [house.yaml, iso_42001]}\n").clauses
    assert list(texts) == ["house", "iso_42001"]
    assert texts["house"] == HOUSE


def test_a_report_may_do_without(load):
    assert load("report: {clauses: []}\n").clauses == {}


@pytest.mark.parametrize(
    ("more", "place", "path", "message", "hint"),
    [
        ("    state: measured\n", "12:5", "clauses.0.state", "unknown key", "id, heading"),
        ("    beyond: It is Non-compliant.\n", "12:13", "clauses.0.beyond",
         "never says `Non-compliant`", ""),
        ("  - id: R1\n    heading: x\n    asks: y\n", "8:3", "clauses",
         "`R1` stands here twice", ""),
        ("  - id: R2\n    heading: x\n    asks: y\n    evidence: [relationship]\n", "15:16",
         "clauses.1.evidence.0", "expected `relationships`", "did you mean `relationships`?"),
        ("  - id: R2\n    heading: x\n    asks: y\n    evidence: [power, power]\n", "15:15",
         "clauses.1.evidence", "`power` stands here twice", ""),
        ("  - id: R2\n    asks: y\n", "12:5", "clauses.1.heading", "is missing", "few words"),
        (f"  - id: R2\n    heading: {'x' * 201}\n    asks: y\n", "13:14", "clauses.1.heading",
         "at most 200", ""),
        ("note: !!python/name:os.system\n", "12:7", "", "tag `!!python/name:os.system`",
         "plain value"),
    ],
)  # fmt: skip
def test_mistakes_in_it_are_located_in_its_own_file(only, house, more, place, path, message, hint):
    house(more)
    problem = only("report: {clauses: [house.yaml]}\n")
    assert str(problem.location) == f"house.yaml:{place}"
    assert problem.path == path
    assert message in problem.message
    assert hint in (problem.hint or "")


@pytest.mark.parametrize(
    ("entries", "message", "hint"),
    [
        ("eu_ai_akt", "there is no clause map `eu_ai_akt`", "did you mean `eu_ai_act`?"),
        ("gone.yaml", "gone.yaml cannot be read", ""),
        ("../../etc/passwd", "not a clause map", ""),
        ("Rules.yaml", "not a clause map", ""),
        ("iso_42001, iso_42001.yaml", "two clause maps are called `iso_42001`", ""),
    ],
)
def test_entries_that_name_no_map_are_refused_where_they_stand(only, entries, message, hint):
    problem = only(f"report: {{clauses: [{entries}]}}\n")
    assert problem.location.file == "audit.yaml"
    assert problem.location.line == 11
    assert message in problem.message
    assert hint in (problem.hint or "")


def test_a_map_is_bounded(only, house):
    clause = "  - {{id: Q{}, heading: x, asks: y}}\n"
    house("".join(clause.format(n) for n in range(MAX_CLAUSES)))
    assert f"at most {MAX_CLAUSES}" in only("report: {clauses: [house.yaml]}\n").message


def test_a_file_that_is_no_data_is_refused_unread(load, house):
    house(text="x" * 4_000_001)
    with pytest.raises(SpecError, match="too large"):
        load("report: {clauses: [house.yaml]}\n")
