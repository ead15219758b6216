"""What a user may write for the comparison of groups of images."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from auditor.needs import NetworkRole
from auditor.spec.base import Identifier, Share, SpecModel, Text
from auditor.spec.rule import Severity

Compared = Literal["filters", "attributes", "concepts", "predictions", "networks"]
"""What is compared. `filters`: in how many images of each group a filter is active; `attributes`:
in how many an attribute is labelled present; `concepts`: in how many a concept is annotated;
`predictions`: how many are called present, or a class; `networks`: which annotated concepts the
filters of the model and of the extractor detect, on the same images."""


class GroupPicturesSpec(SpecModel):
    """What is shown of the largest differences."""

    differences: int = Field(default=5, ge=0, le=100)
    """Differences per comparison that are shown with pictures."""
    images: int = Field(default=4, ge=1, le=20)
    """Most activating images per group."""


class GroupsSpec(SpecModel):
    """Compares groups of images: what a network sees in them, and what they show."""

    kind: Literal["groups"]
    """Kind of audit."""
    title: Text = "Groups of images compared"
    """Title of the report section."""
    splits: tuple[str, ...] = Field(default=("test",), min_length=1)
    """Splits; with several of them and no `by` or `named`, each split is a group."""
    by: tuple[str, ...] = ()
    """Columns by whose values images are grouped; several give one group per combination."""
    named: dict[Identifier, dict[str, tuple[str, ...]]] = {}
    """Groups by condition instead: name -> column -> values. An image in several groups of one
    comparison is left out of it."""
    against: Literal["rest", "each_other"] = "rest"
    """`rest`: each group with all other images; `each_other`: every pair of groups."""
    compare: Compared = "filters"
    """What is compared."""
    inspect: NetworkRole = "model"
    """Whose filters or predictions."""
    layer: str | None = None
    """Module path of the layer whose filters are compared; by default the extractor's own."""
    other_layer: str | None = None
    """For `networks`: the extractor's layer; its own by default."""
    share: float = Field(default=0.005, gt=0.0, lt=1.0)
    """Share of all places of all images in which a filter counts as active (T_u)."""
    detector: Share = 0.04
    """For `networks`: a filter detects a concept above this intersection over union."""
    min_images: int = Field(default=20, ge=2)
    """Images that a group needs."""
    min_difference: Share = 0.1
    """Differences of shares below this are not reported, however certain."""
    alpha: float = Field(default=0.05, gt=0.0, lt=0.5)
    """Level of the tests, after Benjamini-Hochberg over everything compared."""
    severity: Severity | None = None
    """How much a difference weighs; by default `note` for filters, attributes and concepts, which
    mostly differ because the groups do, and `warning` for predictions and networks."""
    pictures: GroupPicturesSpec = GroupPicturesSpec()
    """What is shown of the largest differences."""

    @property
    def weight(self) -> Severity:
        """The severity in force."""
        if self.severity is not None:
            return self.severity
        return "warning" if self.compare in ("predictions", "networks") else "note"

    @model_validator(mode="after")
    def one_way_of_grouping(self) -> Self:
        if self.by and self.named:
            raise ValueError("groups come either from `by` or from `named`")
        if self.compare == "networks" and (self.by or self.named):
            raise ValueError("`compare: networks` takes no groups: leave out `by` and `named`")
        if not self.by and not self.named and len(self.splits) < 2 and self.compare != "networks":
            raise ValueError("name columns under `by`, groups under `named`, or several `splits`")
        return self
