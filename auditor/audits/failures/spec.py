"""What a user may write for the failure audit (Singla et al., "Barlow", CVPR 2021)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from auditor.spec.base import Share, SpecModel, Text
from auditor.spec.rule import Severity

Grouping = Literal["label", "prediction", "confusion", "union"]
"""Groups of images by class. `label`: images of a class; `prediction`: images that are called a
class; `confusion`: images of two classes that are called one of the two; `union`: images that are
of a class or are called it."""

Criterion = Literal["balanced_entropy", "entropy", "gini"]
"""How splits are scored: entropy with failures weighted up to the number of successes (the
release's choice; the Jensen-Shannon divergence of the two sides), plain entropy, or plain Gini."""


class SelectionSpec(SpecModel):
    """Which features a tree may use."""

    method: Literal["none", "mutual_information", "binned"] = "none"
    """`none`: all features (exact and quick); `mutual_information`: those that tell most about
    failure by the nearest-neighbour estimator (Ross, 2014; the release's choice); `binned`: the
    same by histograms."""
    num_features: int = Field(default=50, ge=1)
    """Features that are kept."""
    num_neighbors: int = Field(default=3, ge=1, le=50)
    """Neighbours of the estimator."""
    num_bins: int = Field(default=16, ge=2, le=1000)
    """Bins of the histogram estimator, each with equally many images."""


class ValidSpec(SpecModel):
    """When a leaf explains failures (Algorithm 1; the paper does not give the two thresholds)."""

    coverage: Share = 0.2
    """τ: the leaf holds more than this share of the group's failures."""
    excess: Share = 0.05
    """ρ: the leaf's error rate is above the group's by more than this."""


class AttackSpec(SpecModel):
    """Feature attack: the image is moved to raise a feature, by normalised gradient steps."""

    eps: float = Field(default=4.0, gt=0.0)
    """Radius of the l2 ball around the image, for images in [0, 1]. Changes begin to be seen from
    about a twelfth of the side in pixels: 3 for 32 × 32, 20 for 224 × 224."""
    num_steps: int = Field(default=60, ge=1, le=10_000)
    """Steps."""
    step_size: float | None = Field(default=None, gt=0.0)
    """l2 length of a step; 2.5 eps / num_steps by default."""


class PicturesSpec(SpecModel):
    """What is shown of the strongest findings."""

    findings: int = Field(default=10, ge=0, le=200)
    """Slices that are shown with pictures, strongest first."""
    images: int = Field(default=5, ge=1, le=20)
    """Most activating images per feature, each with its heat map and its feature attack."""
    failures: int = Field(default=5, ge=0, le=20)
    """Random failures of the slice, and as many random successes."""
    attack: AttackSpec = AttackSpec()
    """The feature attack."""


class FailuresSpec(SpecModel):
    """Explains failures by shallow trees over features, and confirms them on other images."""

    kind: Literal["failures"]
    """Kind of audit."""
    title: Text = "Failures explained by features"
    """Title of the report section."""
    split: str = "test"
    """Split whose failures are explained."""
    inspect: tuple[Literal["model", "extractor"], ...] = Field(default=("model",), min_length=1)
    """Whose failures: the model's, those of the extractor's own network, or both side by side."""
    group_by: tuple[Grouping, ...] = ("label", "prediction")
    """Groups by class, each with trees of its own."""
    columns: tuple[str, ...] = ()
    """Columns of the dataset by whose values images are grouped as well."""
    attributes: tuple[str, ...] | None = None
    """For a model with one output per attribute: the attributes whose failures are explained, each
    as two classes, present and absent; all of the spec's by default."""
    selection: SelectionSpec = SelectionSpec()
    """Which features a tree may use."""
    criterion: Criterion = "balanced_entropy"
    """How splits are scored."""
    max_depth: int = Field(default=3, ge=1, le=4)
    """Depth of the trees; every smaller depth is reported too."""
    min_leaf: int = Field(default=10, ge=1)
    """Images that a leaf holds at least, where the tree is grown."""
    confirm: float | None = Field(default=0.5, gt=0.0, lt=1.0)
    """Share of the images, by sample id, that trees do not see and leaves are confirmed on; null
    finds and scores on the same images as the paper does, and is labelled exploratory."""
    valid: ValidSpec = ValidSpec()
    """When a leaf explains failures."""
    alpha: float = Field(default=0.05, gt=0.0, lt=0.5)
    """Level of the test of every leaf, after Benjamini-Hochberg over all groups and leaves."""
    permutations: int = Field(default=99, ge=0, le=10_000)
    """Shuffles of the failures behind the null of the best of all stumps."""
    resamples: int = Field(default=50, ge=0, le=10_000)
    """Bootstrap resamples behind the stability of the chosen feature."""
    min_group: int = Field(default=40, ge=4)
    """A group with fewer images on either part is not testable."""
    min_failures: int = Field(default=5, ge=1)
    """A group with fewer failures, or fewer successes, on either part is not testable."""
    severity: Severity = "warning"
    """How much a confirmed slice weighs: nearly every model has some."""
    pictures: PicturesSpec = PicturesSpec()
    """What is shown of the strongest findings."""
