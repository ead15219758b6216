"""What people call units of a network, and the lines of a review file that say so.

The same unit may be a feature of one audit and a filter of another: its name belongs to its layer
and network, and every section that speaks of it uses the same one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from auditor.wording import plain

Kind = Literal["spurious", "causal", "unsure"]

KINDS: dict[Kind, str] = {
    "spurious": "it should not matter here",
    "causal": "it should matter here",
    "unsure": "whether it should matter is open",
}
"""What a person's judgement of a feature says."""


@dataclass(frozen=True)
class Human:
    """What a person said about a feature.

    Attributes:
        name: What the feature shows; empty where only its kind was decided.
        kind: Whether it should matter; None where that was not decided.
        by: Who said so and when, empty where the file does not tell.
        comment: Why.
    """

    name: str
    kind: Kind | None
    by: str = ""
    comment: str = ""


def said_by(said: Human) -> str:
    """` (J. Doe, 2026-03-01)` behind what a person said; empty where the file does not tell."""
    return f" ({plain(said.by)})" if said.by else ""


def review_lines(
    key: str | None,
    people: Mapping[int, Human],
    numbers: Sequence[int],
    suggested: Mapping[int, str],
) -> str:
    """Lines for the review file, ready to be copied; empty where no digest is known.

    Args:
        key: What the features come from, as a review file names it; None where that is unknown.
        people: Names so far.
        numbers: Features to write lines for.
        suggested: Number -> a name to start from.
    """
    if key is None or not numbers:
        return ""
    lines = ["features:", f"  {quoted(key)}:"]
    for feature in numbers:
        said = people.get(feature)
        name = (said.name if said else "") or suggested.get(feature, "")
        lines += [
            f"    {quoted(str(feature))}:",
            f"      name: {quoted(plain(name) or '…')}",
            f"      kind: {(said.kind if said else None) or 'unsure'}"
            "          # spurious | causal | unsure",
            f"      reviewer: {quoted('…')}",
        ]
    return "\n".join(lines)


def quoted(text: str) -> str:
    """A YAML scalar: JSON strings are YAML, whatever they contain."""
    return json.dumps(text, ensure_ascii=False)
