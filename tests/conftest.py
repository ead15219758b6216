"""What every test may ask for, and which tests wait for a flag or a machine.

--slow               also run tests that take minutes
AUDITOR_TEST_DATA    folder with the shared real inputs, default ../shared/data
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from auditor.cli import main as command_line

REPOSITORY = Path(__file__).parent.parent

if "PYTEST_XDIST_WORKER" in os.environ:
    # Threads of two test processes on two cores would spend their time waiting for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    slow = pytest.mark.skip(reason="takes minutes; run with --slow")
    no_gpu = pytest.mark.skip(reason="needs a CUDA device")
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(slow)
        if item.get_closest_marker("gpu") and not has_cuda():
            item.add_marker(no_gpu)


def has_cuda() -> bool:
    import torch  # only where a test asks for a device: most of the suite needs none

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real test inputs; skips where it is absent."""
    named = os.environ.get("AUDITOR_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the shared test data is not at {folder}; set AUDITOR_TEST_DATA")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """The command line in this process and an empty folder: a start of its own costs seconds."""

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["auditor", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            command_line.main()
        return Done(int(caught.value.code or 0), *capsys.readouterr())

    return call
