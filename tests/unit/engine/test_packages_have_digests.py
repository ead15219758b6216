"""The digest of an installed package depends on its archive, not on who installed it where."""

from __future__ import annotations

from importlib.metadata import PathDistribution
from pathlib import Path

from auditor.engine.provenance import PACKAGES, archive_files, installed_digests

FILES = 'tool/__init__.py,sha256=aaaa,10\n"tool/a,b.py",sha256=bbbb,20\n'
INFO = "tool-1.0.dist-info"


def installed(folder: Path, record: str, origin: str | None = None) -> PathDistribution:
    info = folder / INFO
    info.mkdir(parents=True)
    (info / "RECORD").write_text(record)
    if origin is not None:
        (info / "direct_url.json").write_text(origin)
    return PathDistribution(info)


def test_what_an_installer_adds_does_not_count(tmp_path: Path) -> None:
    plain = installed(tmp_path / "plain", f"{FILES}{INFO}/RECORD,,\n")
    extended = installed(
        tmp_path / "extended",
        f"{INFO}/INSTALLER,sha256=cccc,4\n{INFO}/REQUESTED,sha256=dddd,0\n{INFO}/RECORD,,\n"
        f"../../../bin/tool,sha256=eeee,9\ntool/__pycache__/a.cpython-311.pyc,,\n{FILES}",
    )
    assert archive_files(plain) == archive_files(extended)
    assert archive_files(plain) == [
        ["tool/__init__.py", "sha256=aaaa"],
        ["tool/a,b.py", "sha256=bbbb"],
    ]


def test_another_file_gives_another_digest(tmp_path: Path) -> None:
    one = installed(tmp_path / "one", FILES)
    other = installed(tmp_path / "other", FILES.replace("bbbb", "ffff"))
    assert archive_files(one) != archive_files(other)


def test_a_package_that_is_edited_in_place_has_none(tmp_path: Path) -> None:
    origin = '{"url": "file:///somewhere", "dir_info": {"editable": true}}'
    assert archive_files(installed(tmp_path, FILES, origin)) == []


def test_the_packages_that_compute_have_digests() -> None:
    found = installed_digests()
    assert set(found) <= set(PACKAGES)
    assert {"torch", "numpy"} <= set(found)
    assert all(len(digest) == 64 for digest in found.values())
