"""The nearest valid name, or the valid names."""

from __future__ import annotations

import pytest

from auditor.near import nearest, plural, suggest


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


def test_several_near_names_are_offered_where_several_may_be_meant():
    layers = ["features.0", "features.1", "head"]
    hint = suggest("feature.0", layers, "module", most=3)
    assert hint == "did you mean `features.0` or `features.1`?"


def test_capitals_make_no_difference():
    assert nearest("BIG_NOSE", ["Big_Nose", "hat"]) == "Big_Nose"


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
