"""The command line in this process: a start of its own would cost three seconds a test."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from auditor.cli import main as command_line


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        """Its output as the one JSON document that it should be."""
        return json.loads(self.out)


@pytest.fixture
def auditor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["auditor", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            command_line.main()
        return Done(int(caught.value.code or 0), *capsys.readouterr())

    return call
