"""Where the packaged specs and templates lie: inside the wheel, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent


def specs_dir() -> Path:
    """The folder with the packaged run files and their config groups."""
    return folder("specs")


def templates_dir() -> Path:
    """The folder with the packaged report templates."""
    return folder("templates")


def folder(name: str) -> Path:
    shipped = PACKAGE / "packaged" / name
    return shipped if shipped.is_dir() else PACKAGE.parent / name
