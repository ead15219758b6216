"""The nearest valid name, or the valid names."""

from __future__ import annotations

import pytest

from auditor.compose.near import nearest, plural, suggest


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("lipstik", "did you mean `lipstick`?"),
        ("Lipstick", "did you mean `lipstick`?"),
        ("zzz", "known attributes: lipstick, hat"),
    ],
)
def test_a_near_name_is_suggested_and_otherwise_all_are_listed(name, hint):
    assert suggest(name, ["lipstick", "hat"], "attribute") == hint


def test_long_lists_are_cut_short():
    names = [f"name{n}" for n in range(25)]
    assert suggest("zzz", names, "name").endswith("name19 and 5 more")


def test_nothing_is_near_where_there_is_nothing():
    assert nearest("x", []) is None
    assert suggest("x", [], "audit") == "there are none"


def test_plurals():
    assert [plural(noun) for noun in ("key", "severity", "class", "split")] == [
        "keys",
        "severities",
        "classes",
        "splits",
    ]
