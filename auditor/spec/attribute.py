"""Attributes: the yes-or-no statements about an image that the model scores and the data label."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from auditor.spec.base import SpecModel, Text


class AttributeSpec(SpecModel):
    """One attribute: which model output scores it and where its label comes from."""

    output: int | str
    """Index of the model output that scores the attribute, or a class name of the dataset."""
    column: str | None = None
    """Column of the dataset that holds the label: 0/1, -1/+1, true/false, or continuous."""
    classes: tuple[str, ...] | None = None
    """Derives the label instead: present when the image's class is one of these."""
    positive_above: float | None = None
    """Continuous labels count as present above this value; 0/1 and -1/+1 need no value."""
    title: Text | None = None
    """The attribute as a reader would say it, such as `wearing lipstick`; the id by default."""

    @model_validator(mode="after")
    def one_label_source(self) -> Self:
        if (self.column is None) == (self.classes is None):
            raise ValueError("an attribute takes its label from either `column` or `classes`")
        return self


class RelationSpec(SpecModel):
    """An expected relation with a declared distribution of the mined cosine."""

    mean: float = Field(ge=-1.0, le=1.0)
    """Expected mean of the per-image cosine between the two attributes' inference patterns."""
    sd: float = Field(gt=0.0, le=1.0)
    """Expected standard deviation of the per-image cosine."""
    title: Text | None = None
    """The relation as a reader would say it."""
