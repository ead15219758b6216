"""A small spec for the tests of the planner, and the same with overrides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.compose.composed import Composed
from auditor.compose.load import load_spec

ROBUST = (
    "extractor={source: train, network: {source: builtin, name: portraits_net, num_outputs: 3}, "
    "layer: classifier.1, preprocess: {resize: 32}, "
    "recipe: {epochs: 2, adversary: {eps: 0.25, num_steps: 3}}}"
)
"""Override: an extractor that is fitted against perturbations."""

EXPLAINED = "audits.explained={kind: failures}"
"""Override: a failure audit."""

GOLDEN = Path(__file__).parents[2] / "golden" / "plan"


@pytest.fixture(scope="session")
def failures() -> tuple[str, str]:
    """Overrides that add a failure audit with a trained extractor."""
    return ROBUST, EXPLAINED


@pytest.fixture(scope="session")
def compose() -> Callable[..., Composed]:
    """Compose the base spec of the golden plans with overrides."""

    def composed(*overrides: str) -> Composed:
        return load_spec(GOLDEN / "base.yaml", overrides)

    return composed
