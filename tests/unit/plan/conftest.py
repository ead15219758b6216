"""A small spec for the tests of the planner, and the same with overrides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.compose.composed import Composed
from auditor.compose.load import load_spec

GOLDEN = Path(__file__).parents[2] / "golden" / "plan"


@pytest.fixture(scope="session")
def compose() -> Callable[..., Composed]:
    """Compose the base spec of the golden plans with overrides."""

    def composed(*overrides: str) -> Composed:
        return load_spec(GOLDEN / "base.yaml", overrides)

    return composed
