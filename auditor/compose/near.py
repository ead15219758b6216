"""The nearest valid name, for whoever misspelt one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SHOWN = 12
"""Names that a hint lists before it stops."""


def suggest(name: str, known: Iterable[str], noun: str = "name") -> str:
    """`did you mean …?` where a known name is near, else the known names."""
    names = list(dict.fromkeys(known))
    near = get_close_matches(name.lower(), [n for n in names if n != name], n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return listing(names, noun)


def listing(names: Iterable[str], noun: str) -> str:
    """`known rules: a, b, c and 4 more`."""
    every = list(names)
    if not every:
        return f"there is no {noun} at all"
    rest = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return f"known {plural(noun)}: {', '.join(every[:SHOWN])}{rest}"


def plural(noun: str) -> str:
    """The plural of a noun that this package uses."""
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"
