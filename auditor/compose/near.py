"""The nearest valid name, for whoever misspelt one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SHOWN = 20
"""Names that a hint lists before it stops."""


def suggest(name: str, known: Iterable[str], noun: str = "name") -> str:
    """`did you mean …?` where a known name is near, else the known names."""
    names = list(dict.fromkeys(known))
    near = nearest(name, names)
    return f"did you mean `{near}`?" if near else listing(names, noun)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one probably stands for."""
    return next(iter(get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)), None)


def listing(names: Iterable[str], noun: str) -> str:
    """`known rules: a, b, c and 4 more`."""
    every = list(names)
    if not every:
        return "there are none"
    rest = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return f"known {plural(noun)}: {', '.join(every[:SHOWN])}{rest}"


def plural(noun: str) -> str:
    """The plural of a noun that this package uses."""
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"
