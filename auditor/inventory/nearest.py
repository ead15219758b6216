"""The nearest valid names to a misspelt one, for error messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, valid: Iterable[str], *, noun: str = "names") -> str:
    """A hint: the nearest valid names, or the first dozen of all of them where none is near."""
    ordered = tuple(dict.fromkeys(valid))
    near = get_close_matches(name, ordered, n=3, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    if not ordered:
        return f"There are no {noun} to choose from."
    more = f", … ({len(ordered)} in all)" if len(ordered) > 12 else ""
    return f"Valid {noun}: {', '.join(ordered[:12])}{more}."
