"""What a finding code means, for `auditor explain` and the report's glossary."""

from __future__ import annotations

from auditor.results.base import ResultModel


class Code(ResultModel):
    """The description of one kind of finding."""

    code: str
    """The code, such as `BROKEN_RULE`."""
    title: str
    """The code in a few words."""
    meaning: str
    """What a finding with this code says, for someone who knows no statistics."""
    test: str
    """How it is decided, precisely."""
    action: str
    """What to do about it."""
    source: str
    """Paper or document it comes from."""
