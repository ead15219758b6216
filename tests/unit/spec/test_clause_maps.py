"""The packaged clause maps: whole, in our own words, without a claim, and raised when changed."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from auditor.compose.clauses import packaged_frameworks, parse_framework
from auditor.compose.folders import packaged_groups
from auditor.resources import PACKAGE, specs_dir, templates_dir
from auditor.spec.clauses import EvidenceKind, Framework
from auditor.spec.report import ReportSpec

CLAIMS = re.compile(r"complian|\bcompl(?:y|ies)\b|conform|certif", re.I)
"""What neither a map nor a template nor a sentence of the report may say of a model."""

KINDS = set(get_args(EvidenceKind))
GOLDEN = Path(__file__).parents[2] / "golden" / "clauses" / "revisions.json"


def text_of(name: str) -> str:
    return (specs_dir() / "clauses" / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def frameworks() -> dict[str, Framework]:
    return {name: parse_framework(text_of(name), name) for name in packaged_frameworks()}


def ids(framework: Framework) -> list[str]:
    return [clause.id for clause in framework.clauses]


def test_the_report_names_every_packaged_map_by_default():
    assert sorted(ReportSpec().clauses) == packaged_frameworks()


def test_clause_maps_are_no_config_group():
    assert "clauses" not in packaged_groups()


def test_the_ai_act_is_mapped_from_article_9_to_15_and_through_annex_iv(frameworks):
    found = ids(frameworks["eu_ai_act"])
    articles = {int(m[1]) for clause in found if (m := re.match(r"Art\. (\d+)\(", clause))}
    points = {int(m[1]) for clause in found if (m := re.match(r"Annex IV (\d+)", clause))}
    assert articles == {9, 10, 11, 12, 13, 14, 15}
    assert points == set(range(1, 10))
    letters = {m[1] for clause in found if (m := re.match(r"Art\. 10\(2\)\((\w)\)", clause))}
    assert letters == set("abcdefgh")


def test_every_subcategory_of_map_measure_and_manage_is_mapped(frameworks):
    sizes = {"MAP": (6, 3, 5, 2, 2), "MEASURE": (3, 13, 3, 3), "MANAGE": (4, 4, 2, 3)}
    assert ids(frameworks["nist_ai_rmf"]) == [
        f"{function} {category}.{number}"
        for function, categories in sizes.items()
        for category, size in enumerate(categories, 1)
        for number in range(1, size + 1)
    ]


def test_every_control_of_annex_a_is_mapped_by_number(frameworks):
    last = {"2": 4, "3": 3, "4": 6, "5": 5, "6.1": 3, "6.2": 8, "7": 6, "8": 5, "9": 4, "10": 4}
    expected = [f"A.{group}.{n}" for group, end in last.items() for n in range(2, end + 1)]
    assert ids(frameworks["iso_42001"]) == expected
    assert len(expected) == 38


def test_every_kind_of_evidence_speaks_to_some_clause(frameworks):
    named = {kind for f in frameworks.values() for c in f.clauses for kind in c.evidence}
    assert named == KINDS


def test_a_clause_that_no_run_covers_says_why(frameworks):
    for framework in frameworks.values():
        for clause in framework.clauses:
            assert clause.evidence or clause.beyond, clause.id


def test_the_readme_explains_every_kind_of_evidence():
    readme = (specs_dir() / "clauses" / "README.md").read_text()
    rows = [line.split("|")[1] for line in readme.splitlines() if line.startswith("| `")]
    assert {word for row in rows for word in re.findall(r"`(\w+)`", row)} >= KINDS
    example = readme.split("```yaml\n")[1].split("```")[0]
    assert parse_framework(example, "README.md").clauses[0].evidence == (
        "relationships",
        "reasons",
    )


def test_a_changed_map_has_a_new_revision(frameworks):
    """Raise `revision` with every change of a map, then note its new digest in the golden file."""
    now = {
        name: {
            "revision": framework.revision,
            "sha256": hashlib.sha256(text_of(name).encode()).hexdigest(),
        }
        for name, framework in frameworks.items()
    }
    assert now == json.loads(GOLDEN.read_text())


def written_for_readers() -> Iterator[tuple[str, str]]:
    """Templates, maps and their README as they are, and every text in the code but docstrings."""
    files = [*templates_dir().rglob("*.jinja"), *templates_dir().glob("*.js")]
    for path in [*files, *(specs_dir() / "clauses").iterdir()]:
        yield path.name, path.read_text(encoding="utf-8")
    for path in PACKAGE.rglob("*.py"):
        if path == PACKAGE / "spec" / "clauses.py":
            continue  # it holds the pattern that refuses the word
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node.value


def test_nothing_that_readers_see_claims_to_meet_a_law():
    claims = [
        f"{where}: {m.group()}" for where, t in written_for_readers() if (m := CLAIMS.search(t))
    ]
    assert claims == []
