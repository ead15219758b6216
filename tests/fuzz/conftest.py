"""One folder and one memory limit for all random input of a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.store.writer import reopen_run
from tests.fuzz.commands import bounded_memory, built_once

ARTIFACTS = Path(__file__).parents[1] / "artifacts"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty current directory, with little more memory than the process has."""
    made = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        with built_once(), bounded_memory():
            yield made


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """A finished run of every kind of audit, its spec as short as the user wrote it.

    Reading the defaults, written out, would take half of the time of these tests.
    """
    (kept,) = (ARTIFACTS / "layout1").iterdir()
    run = Path(shutil.copytree(kept, folder / "reports" / "artifact" / kept.name))
    shutil.copyfile(run / "spec" / "source.yaml", run / "spec" / "resolved.yaml")
    with reopen_run(run) as writer:
        writer.seal()
    shutil.rmtree(run / "states")
    return run
