"""What every stored result has in common: strict JSON, no NaN, nothing unknown."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["started", "ok", "failed", "skipped"]
"""Did it run?"""

Verdict = Literal["pass", "warn", "fail", "inconclusive"]
"""What did it find? Never mixed with Status."""


class ResultModel(BaseModel):
    """Base of all result models: plain data that means the same on every machine."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        ser_json_inf_nan="strings",
    )


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text.

    Raises:
        ValueError: on NaN and infinities.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON of a value, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
