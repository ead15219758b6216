"""A file is there whole or not at all, whatever stands in the way."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.errors import ExecutionError
from auditor.store.atomic import remove_partial_files, write_bytes

NOBODY = 65534


def everything_in(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_content_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write_bytes(tmp_path / "deep" / "file", b"first")
    write_bytes(tmp_path / "deep" / "file", b"second")
    assert everything_in(tmp_path) == {"file": b"second"}


def test_a_full_disk_leaves_the_file_before_and_nothing_else(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(ExecutionError, match="no room") as caught:
            write_bytes(tmp_path / "file", bytes(200_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code == 3
    assert caught.value.hint is not None
    assert everything_in(tmp_path) == {"file": b"before"}


def test_a_file_in_place_of_a_folder_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("in the way")
    with pytest.raises(ExecutionError, match="reports"):
        write_bytes(tmp_path / "reports" / "tiny" / "run.json", b"{}")
    assert everything_in(tmp_path) == {"reports": b"in the way"}


def test_a_folder_without_permission_is_an_error_in_words(tmp_path: Path) -> None:
    # Root may write anywhere, so another process gives its rights up first.
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from auditor.errors import ExecutionError\n"
        "from auditor.store.atomic import write_bytes\n"
        f"if os.getuid() == 0: os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        f"else: os.chmod({str(locked)!r}, 0o555)\n"
        f"try: write_bytes(Path({str(locked / 'file')!r}), b'x')\n"
        "except ExecutionError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert "no permission" in done.stdout
    assert "--out" in done.stdout
    assert everything_in(locked) == {}


def test_a_name_that_cannot_be_renamed_onto_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(ExecutionError):
        write_bytes(tmp_path / "file", b"x")
    assert everything_in(tmp_path) == {}


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from auditor.store import atomic\n"
        "atomic.flush_folder = print\n"
        "Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"atomic.write_bytes(Path({str(tmp_path / 'file')!r}), b'whole')\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".partial")
    remove_partial_files(tmp_path)
    assert everything_in(tmp_path) == {}
