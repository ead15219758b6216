"""A folder with a spec in it, and what `load_spec` says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.compose.composed import Composed
from auditor.compose.load import load_spec
from auditor.errors import Problem, SpecError

BASE = """\
defaults:
  - dataset: portraits
  - attributes: portraits
  - model: portraits_net
  - _self_

version: 1
name: demo
audits:
  relationships: {kind: relationships, layer: features.0}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is also the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def load(folder: Path) -> Callable[..., Composed]:
    """Load a spec from its text: `BASE` with more lines behind it by default."""

    def loaded(more: str = "", *overrides: str, base: str = BASE) -> Composed:
        (folder / "audit.yaml").write_text(base + more, encoding="utf-8")
        return load_spec("audit.yaml", overrides)

    return loaded


@pytest.fixture
def problems(load: Callable[..., Composed]) -> Callable[..., list[Problem]]:
    """The problems that a spec is refused with."""

    def found(more: str = "", *overrides: str, base: str = BASE) -> list[Problem]:
        with pytest.raises(SpecError) as caught:
            load(more, *overrides, base=base)
        assert caught.value.exit_code == 2
        return list(caught.value.problems)

    return found


@pytest.fixture
def only(problems: Callable[..., list[Problem]]) -> Callable[..., Problem]:
    """The one problem that a spec is refused with."""

    def found(more: str = "", *overrides: str, base: str = BASE) -> Problem:
        every = problems(more, *overrides, base=base)
        assert len(every) == 1, "\n".join(str(problem) for problem in every)
        return every[0]

    return found
