"""Values of a column as text: how groups are named, the same for the plan and for a run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

MAX_VALUES = 64
"""A column with more different values than this tells no groups apart."""


def value_text(value: object) -> str:
    """A value as text: `3` for 3 and 3.0, `1` for True, empty for what is missing.

    A column of whole numbers or truth values with gaps becomes one of floats when it is read.
    """
    if value is None:
        return ""
    if isinstance(value, int | float | Decimal):
        number = float(value)
        if math.isnan(number):
            return ""
        return str(int(number)) if number.is_integer() else repr(number)
    return str(value)


def known_values(values: Iterable[object]) -> tuple[str, ...]:
    """The different values of a column as text, sorted, without what is missing."""
    return tuple(sorted({value_text(value) for value in values} - {""}))
