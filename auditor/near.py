"""The nearest valid names, for whoever misspelt one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from heapq import nlargest

SHOWN = 20
"""Names that a hint lists before it stops."""

COMPARED = 50
"""Names that are compared letter by letter; of more, those that share most pairs of letters."""

LIKENESS = 0.6
"""Share of letters in common, as difflib counts it, from which a name is near."""


def suggest(name: str, known: Iterable[str], noun: str = "name", *, most: int = 1) -> str:
    """`did you mean …?` where known names are near, at most so many, else the known names."""
    names = list(dict.fromkeys(known))
    found = near(name, names, most)
    if not found:
        return listing(names, noun)
    return f"did you mean {' or '.join(f'`{each}`' for each in found)}?"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one probably stands for."""
    return next(iter(near(name, known, 1)), None)


def near(name: str, known: Iterable[str], most: int) -> list[str]:
    """Known names like a misspelt one, the likest first; capitals make no difference."""
    spelt: dict[str, str] = {}
    for each in known:
        spelt.setdefault(each.lower(), each)
    wanted, likely = name.lower(), list(spelt)
    if len(likely) > COMPARED:
        pairs = pairs_of(wanted)
        likely = nlargest(COMPARED, likely, key=lambda each: len(pairs & pairs_of(each)))
    return [spelt[each] for each in get_close_matches(wanted, likely, most, LIKENESS)]


@lru_cache(maxsize=10_000)
def pairs_of(word: str) -> frozenset[str]:
    """The pairs of neighbouring letters of a word."""
    return frozenset(word[k : k + 2] for k in range(len(word) - 1))


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
