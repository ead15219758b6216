"""`auditor explain`: what the code of a finding means."""

from __future__ import annotations

import typer

from auditor.cli.terminal import say, say_json
from auditor.errors import SpecError


def command(
    code: str = typer.Argument(help="The code of a finding, such as BROKEN_RULE."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Explain the code of a finding: meaning, test, action, source."""
    from auditor.catalog import CODES
    from auditor.near import suggest

    wanted = code.lower().replace("-", "_")
    known = {one.code.lower(): one for one in CODES}
    if wanted not in known:
        names = [one.code for one in CODES]
        raise SpecError(f"there is no code {code!r}", hint=suggest(code, names, "code"))
    found = known[wanted]
    if as_json:
        say_json({"ok": True, **found.model_dump(mode="json")})
        return
    say(f"{found.code}: {found.title}")
    for heading, text in (
        ("What it means", found.meaning),
        ("How it is decided", found.test),
        ("What to do", found.action),
        ("Where it comes from", found.source),
    ):
        say(f"\n{heading}\n  {text}")
