"""`auditor init`: a first spec that validates, and the schema that editors check it against."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from auditor.cli.terminal import say, shown
from auditor.errors import ExecutionError, SpecError

SCAFFOLD = Path(__file__).with_name("scaffold.yaml")


def command(
    folder: Path = typer.Argument(Path(), metavar="[DIR]", help="Where the files go."),
) -> None:
    """Write audit.yaml and auditor.schema.json. Never overwrites anything."""
    from auditor.compose.schema import file_schema

    schema = json.dumps(file_schema(), indent=2, ensure_ascii=False) + "\n"
    files = {
        folder / "audit.yaml": SCAFFOLD.read_text(encoding="utf-8"),
        folder / "auditor.schema.json": schema,
    }
    for path in files:
        if path.exists() or path.is_symlink():
            raise SpecError(
                f"{shown(path)} exists already and is left as it is",
                hint="name another folder: auditor init DIR",
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            say(f"wrote {shown(path)}")
    except OSError as error:
        raise ExecutionError(f"{shown(folder)} cannot be written: {error.strerror}") from error
    say(f"next: auditor validate {shown(folder / 'audit.yaml')}")
