"""The package's public names: few, documented, and exactly these."""

from __future__ import annotations

import pytest

import auditor

NAMES = {
    "load_spec",
    "make_plan",
    "execute",
    "RunOptions",
    "render",
    "read_run",
    "diff_runs",
    "AuditorError",
    "SpecError",
    "PlanError",
    "InputError",
    "MissingDependencyError",
    "ExecutionError",
    "ArtifactError",
    "RenderError",
}


def test_the_public_names_are_exactly_these() -> None:
    assert set(auditor.__all__) == NAMES
    assert set(dir(auditor)) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_public_name_leads_somewhere_and_is_documented(name: str) -> None:
    found = getattr(auditor, name)
    assert found.__name__ == name
    assert found.__doc__


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        auditor.__getattr__("nonsense")
