"""`auditor schema`: what editors need to complete and check a spec while it is written."""

from __future__ import annotations

from auditor.cli.terminal import say_json


def command() -> None:
    """Print the JSON Schema of a spec file as users write it."""
    from auditor.compose.schema import file_schema

    say_json(file_schema())
