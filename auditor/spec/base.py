"""What every part of a spec has in common: strict, frozen, nothing unknown, all described."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=64)]
"""Names and ids become folders and finding ids: lower case, digits, `_` and `-`."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""A share or probability."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
"""Free text for readers; it is shown, never interpreted."""


class SpecModel(BaseModel):
    """Base of all spec models, validated from JSON: a YAML tag can never build an object."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )
