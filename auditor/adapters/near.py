"""The names a user may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def near_names(name: str, names: Iterable[str], *, num_shown: int = 5) -> str:
    """A hint for a name that does not exist: the closest names, or the first ones."""
    known = list(names)
    near = get_close_matches(name, known, n=num_shown, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(f'`{n}`' for n in near)}?"
    if not known:
        return "There are none."
    shown = ", ".join(f"`{n}`" for n in known[:num_shown])
    rest = len(known) - num_shown
    return f"There are {shown}{f' and {rest} more' if rest > 0 else ''}."
