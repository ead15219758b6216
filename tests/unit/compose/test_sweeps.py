"""Overrides with several values become one list of overrides per combination."""

from __future__ import annotations

import pytest

from auditor.compose.load import load_spec
from auditor.compose.sweep import combinations
from auditor.errors import SpecError


def test_the_product_is_hydras_and_the_last_override_varies_fastest() -> None:
    found = combinations(["model=a,b", "~audits.filters", "engine.seed=range(0,2)"])
    assert [each.overrides for each in found] == [
        ("model=a", "~audits.filters", "engine.seed=0"),
        ("model=a", "~audits.filters", "engine.seed=1"),
        ("model=b", "~audits.filters", "engine.seed=0"),
        ("model=b", "~audits.filters", "engine.seed=1"),
    ]
    assert found[1].varied == ("model=a", "engine.seed=1")


def test_quoted_values_and_lists_stay_whole() -> None:
    found = combinations(["title='a, b',c", "report.formats=[html],[html,pdf]", "x=choice(1,2)"])
    assert {each.overrides[0] for each in found} == {"title='a, b'", "title=c"}
    assert {each.overrides[1] for each in found} == {
        "report.formats=[html]",
        "report.formats=[html,pdf]",
    }
    assert len(found) == 8


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["model=a"], "no override has several values"),
        ([], "no override has several values"),
        (["x=range(0,1000000000)"], "more than the 1,000 runs"),
        (["x=range(0,100)", "y=range(0,100)"], "more than the 1,000 runs"),
        (["x=interval(0,1)"], "cannot be listed"),
        (["model=glob(*)", "y=1,2"], "cannot be listed"),
        (["x=range(0,0)", "y=1,2"], "cannot be listed"),
        (["==", "y=1,2"], "this is not an override"),
    ],
)
def test_what_cannot_be_swept_is_refused(overrides: list[str], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        combinations(overrides)


def test_several_values_without_a_sweep_name_the_way_to_one() -> None:
    with pytest.raises(SpecError, match="--multirun"):
        load_spec("portraits", ["engine.seed=1,2"])
