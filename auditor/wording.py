"""How numbers read in a sentence. Readers see these forms; files keep the full precision.

A true minus sign, a narrow space before the percent sign and between thousands: set as a
typographer would set them, the same in every table, sentence and figure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from auditor.results.base import Verdict
from auditor.results.estimate import Estimate

MINUS = "\N{MINUS SIGN}"
NARROW = "\N{NARROW NO-BREAK SPACE}"
NO_BREAK = "\N{NO-BREAK SPACE}"
ABSENT = "\N{EN DASH}"
"""What a table shows where nothing was measured; the reason stands beside it or below."""

SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

VERDICTS: dict[Verdict, str] = {
    "pass": "Passed",
    "warn": "Warning",
    "fail": "Failed",
    "inconclusive": "Inconclusive",
}
"""Verdicts as a reader would say them."""


def number(value: float | None, digits: int = 2) -> str:
    """`0.61`, `−0.20`; never `−0.00`; an en dash for None."""
    if value is None:
        return ABSENT
    text = f"{value:.{digits}f}"
    if float(text) == 0.0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def count(value: int) -> str:
    """`8 000` with a narrow space; four digits are grouped too, so that columns line up."""
    return f"{value:,}".replace(",", NARROW)


def spelt(value: int) -> str:
    """`three`, and figures from eleven on."""
    return SMALL[value] if 0 <= value < len(SMALL) else count(value)


def counted(value: int, one: str, many: str | None = None) -> str:
    """`1 finding`, `412 pictures`."""
    return f"{count(value)}{NO_BREAK}{one if value == 1 else many or one + 's'}"


def percent(value: float | None, digits: int = 0) -> str:
    """`83 %` from 0.83."""
    return ABSENT if value is None else f"{number(100 * value, digits)}{NARROW}%"


def points(value: float | None) -> str:
    """A difference of two shares: `12 points` from 0.12."""
    if value is None:
        return ABSENT
    rounded = round(100 * value)
    return f"{number(rounded, 0)}{NO_BREAK}point{'' if abs(rounded) == 1 else 's'}"


def points_with_interval(estimate: Estimate) -> str:
    """`12 points (8 to 16)`."""
    low, high = estimate.low, estimate.high
    if estimate.value is None or low is None or high is None:
        return points(estimate.value)
    return f"{points(estimate.value)} ({number(100 * low, 0)} to {number(100 * high, 0)})"


def interval(estimate: Estimate, digits: int = 2) -> str:
    """`0.58 to 0.64`, or nothing where there is no interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{number(estimate.low, digits)} to {number(estimate.high, digits)}"


def percent_interval(estimate: Estimate) -> str:
    """`58 to 64 %`, or nothing where there is no interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{number(100 * estimate.low, 0)} to {percent(estimate.high)}"


def with_interval(estimate: Estimate, digits: int = 2) -> str:
    """`0.61 (0.58 to 0.64)`."""
    around = interval(estimate, digits)
    return number(estimate.value, digits) + (f" ({around})" if around else "")


def percent_with_interval(estimate: Estimate) -> str:
    """`61 % (58 to 64 %)`."""
    around = percent_interval(estimate)
    return percent(estimate.value) + (f" ({around})" if around else "")


def p_value(value: float | None) -> str:
    """`0.012`, `< 0.001`; an en dash for None."""
    if value is None:
        return ABSENT
    return f"<{NO_BREAK}0.001" if value < 0.001 else number(value, 3)


def listing(items: Sequence[str], *, last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def shortened(items: Sequence[str], limit: int) -> str:
    """`a, b, c and 4 more`."""
    if len(items) <= limit:
        return listing(items)
    return f"{', '.join(items[:limit])} and {count(len(items) - limit)} more"


def sentence(text: str) -> str:
    """The text with a capital letter in front and a full stop at the end."""
    text = text.strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".")


def clipped(text: str, length: int) -> str:
    """The text, or as much of it as fits with an ellipsis."""
    return text if len(text) <= length else text[: max(length - 1, 0)].rstrip() + "…"


BREAKS = re.compile("[^\\S\u00a0\u202f]+")
"""White space, but for the spaces that hold a number and its unit together."""


def plain(text: str) -> str:
    """One line without control characters: they cannot be drawn, and XML forbids them."""
    spaced = BREAKS.sub(" ", text).strip()
    return "".join("\N{REPLACEMENT CHARACTER}" if is_control(c) else c for c in spaced)


def is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Cn"}


def short_digest(digest: str | None) -> str:
    """The first twelve characters of a digest, enough to compare by eye."""
    return digest[:12] if digest else ABSENT


def date(stamp: str | None) -> str:
    """`2025-03-01 14:05 UTC` from an ISO 8601 time."""
    if not stamp:
        return ABSENT
    day, _, time = stamp.partition("T")
    return f"{day} {time[:5]} UTC" if time else day


def size(num_bytes: int | None) -> str:
    """`1.4 MB`, decimal units."""
    if num_bytes is None:
        return ABSENT
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= scale:
            return f"{number(num_bytes / scale, 1)}{NO_BREAK}{unit}"
    return counted(num_bytes, "byte")
