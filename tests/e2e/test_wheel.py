"""What a user gets from the wheel: specs and templates travel inside it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def test_wheel_holds_every_spec_and_template(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("specs", "templates"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                assert f"auditor/packaged/{path.relative_to(ROOT).as_posix()}" in inside


def test_installed_wheel_validates_a_packaged_spec_from_an_empty_folder(
    wheel: Path, tmp_path: Path
) -> None:
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    install = [str(BIN / "uv"), "pip", "install", "--quiet", "--no-deps", "--offline"]
    target = ["--python", sys.executable, "--target", str(site), str(wheel)]
    subprocess.run([*install, *target], check=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    run = [sys.executable, "-c"]
    where = subprocess.run(
        [*run, "import auditor.resources as r; print(r.__file__, r.specs_dir())"],
        cwd=empty,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert where.count(str(site)) == 2, "the wheel is what runs, and it reads its own specs"
    ended = subprocess.run(
        [site / "bin" / "auditor", "validate", "portraits"],
        cwd=empty,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert list(empty.iterdir()) == []
