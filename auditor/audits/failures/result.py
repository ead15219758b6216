"""What the failure audit leaves behind. Rates are not stored: sizes and failures give them."""

from __future__ import annotations

from typing import Literal

from auditor.needs import NetworkRole
from auditor.results.base import ResultModel
from auditor.results.code import Code
from auditor.results.estimate import Estimate

GroupOutcome = Literal["slice", "no_slice", "exploratory", "no_failures", "not_testable"]
"""`slice`: a leaf was confirmed; `no_slice`: none was; `exploratory`: nothing was held back to
confirm on; `no_failures`: nothing to explain; `not_testable`: too few images or failures."""

Side = Literal["low", "high"]
"""At most the threshold, or above it."""


class Counts(ResultModel):
    """Images of a node on one part of the data."""

    size: int
    """Images."""
    failures: int
    """How many of them the inspected network gets wrong."""

    @property
    def error_rate(self) -> float | None:
        """ER = failures / size; None where the node is empty."""
        return self.failures / self.size if self.size else None


class NodeResult(ResultModel):
    """One node of a group's tree."""

    index: int
    """1 is the root; the children of k are 2k (low side) and 2k + 1 (high side)."""
    feature: int | None = None
    """Feature that splits the node; None at the end of a branch."""
    threshold: float | None = None
    """Low side: at most this value."""
    gain: float | None = None
    """What the split gains by the criterion, on the part where trees are grown."""
    found: Counts
    """On the images that the tree was grown on."""
    confirmed: Counts | None = None
    """On the images that it did not see; None in exploratory mode."""


class ConditionResult(ResultModel):
    """One step of the path from the root to a leaf."""

    feature: int
    """Feature."""
    side: Side
    """Which side of the threshold."""
    threshold: float
    """Threshold."""


class LeafResult(ResultModel):
    """A leaf of the tree of some depth, tested because it fails more where the tree was grown."""

    node: int
    """Index of its node."""
    depth: int
    """Depth of the tree whose leaf it is."""
    path: tuple[ConditionResult, ...]
    """The rule, from the root."""
    error_rate: Estimate
    """ER with Wilson's interval, on confirming images (on all of them in exploratory mode)."""
    excess: Estimate
    """ER minus the group's base error rate on the same images; interval by Newcombe's method from
    the leaf and the rest of the group."""
    error_coverage: Estimate
    """EC: share of the group's failures that lie in the leaf, with Wilson's interval."""
    importance_value: float | None
    """IV = EC · ER."""
    p_value: Estimate
    """One-sided Fisher's exact test of the leaf against the rest of its group, on confirming
    images; absent in exploratory mode."""
    p_adjusted: Estimate
    """The same after Benjamini-Hochberg over all leaves of all groups of the audit."""
    valid: bool
    """EC > τ and ER > BER + ρ (Algorithm 1), on confirming images."""
    confirmed: bool
    """Valid, and its adjusted p-value is at most α."""


class DepthResult(ResultModel):
    """The tree of one depth as a whole, on the confirming images."""

    depth: int
    """Depth."""
    num_leaves: int
    """Leaves."""
    average_leaf_error_rate: float | None
    """ALER = Σ EC · ER over the leaves."""
    gain: float | None
    """ALER - BER."""
    normalised_gain: float | None
    """(ALER - BER) / (1 - BER) = χ²/N of the leaf × failure table; comparable between models."""
    found_gain: float | None
    """ALER - BER on the images that the tree was grown on: too good, by choice of the best."""
    best: int | None
    """Node of the leaf with the largest importance value where the tree was grown."""
    best_valid: bool | None
    """Whether that leaf is valid on confirming images (Table 1)."""


class GroupResult(ResultModel):
    """Everything measured about one group of images."""

    id: str
    """`<grouping>=<value>`, with the attribute before and the inspected network behind it where
    there are several, such as `label=cat` or `lipstick:label=present@extractor`."""
    inspected: NetworkRole
    """Whose failures."""
    attribute: str | None
    """Attribute, for models with one output per attribute."""
    grouping: str
    """`label`, `prediction`, `confusion`, `union` or `column:<name>`."""
    value: str
    """Which class, pair of classes or value."""
    images: str
    """The group's images in words, such as `pictures of a cat`."""
    wrong: str
    """What failing means for them in words, such as `misses` or `wrongly calls a cat`."""
    outcome: GroupOutcome
    """What came of it."""
    reason: str | None = None
    """Why it is not testable."""
    found: Counts
    """Images that trees are grown on."""
    confirmed: Counts | None
    """Images that leaves are confirmed on."""
    num_features: int = 0
    """Features that the tree could use, constant ones left out."""
    nodes: tuple[NodeResult, ...] = ()
    """The tree, by index."""
    depths: tuple[DepthResult, ...] = ()
    """Depth 1 to the largest."""
    leaves: tuple[LeafResult, ...] = ()
    """The leaves that were tested, most promising where the tree was grown first."""
    null_p_value: Estimate
    """Share of shuffles whose best stump of all features gains as much as the real one's."""
    null_gain: float | None = None
    """Mean gain of the best stump over the shuffles."""
    stability: Estimate
    """Share of bootstrap resamples whose best stump uses the same feature."""
    rivals: tuple[tuple[int, float], ...] = ()
    """Features that the resamples chose, with their shares, most frequent first; at most five."""


class SuggestionResult(ResultModel):
    """An attribute of the data that a feature tells best: a candidate for its name."""

    attribute: str
    """Attribute id."""
    title: str
    """The attribute as a reader would say it."""
    present_when: Side
    """On which side of the feature the attribute is present."""
    auc: Estimate
    """Area under the ROC curve of the feature for the attribute, always at least 0.5."""


class FeatureResult(ResultModel):
    """A feature that some tree uses."""

    index: int
    """Position in the feature vector."""
    name: str | None
    """Its name by the spec or the feature table."""
    suggestion: SuggestionResult | None
    """A candidate for a name, from the labels of the data."""
    low: float
    """5 % quantile over the split."""
    high: float
    """95 % quantile over the split."""
    groups: tuple[str, ...]
    """Groups with a confirmed (exploratory mode: valid) leaf whose path uses it."""


class PictureResult(ResultModel):
    """Which files show one slice; images are in `images/`, maps in `arrays/pictures`."""

    group: str
    """Group id."""
    node: int
    """Leaf."""
    depth: int
    """Depth of the tree."""
    feature: int
    """The feature that is shown: the last of the leaf's path."""
    activating: tuple[str, ...]
    """Most activating images, files."""
    activations: tuple[float, ...]
    """Their values of the feature."""
    attacked: tuple[str, ...]
    """The same images after the feature attack, files; empty without a network."""
    attacked_activations: tuple[float, ...]
    """Their values of the feature then."""
    distances: tuple[float, ...]
    """How far each was moved, l2."""
    heatmaps: int | None
    """Position of the first of their heat maps in the array `maps`; None without a network."""
    failures: tuple[str, ...]
    """Random failures of the leaf, files."""
    successes: tuple[str, ...]
    """Random successes of the group, files."""


class SurfaceResult(ResultModel):
    """Share of tested groups whose best leaf is valid, over both thresholds of Algorithm 1."""

    inspected: NetworkRole
    """Whose failures."""
    grouping: str
    """Grouping."""
    depth: int
    """Depth."""
    coverages: tuple[float, ...]
    """τ, rows."""
    excesses: tuple[float, ...]
    """ρ, columns."""
    shares: tuple[tuple[float, ...], ...]
    """Share of groups, [τ][ρ]."""
    num_groups: int
    """Tested groups."""


class AggregateResult(ResultModel):
    """One grouping of one network at one depth, over all its classes."""

    inspected: NetworkRole
    """Whose failures."""
    grouping: str
    """Grouping."""
    depth: int
    """Depth."""
    num_groups: int
    """Tested groups."""
    base_error_rate: Estimate
    """Pooled over the tested groups, on confirming images."""
    gain: Estimate
    """Mean of ALER - BER over the groups, with a bootstrap interval over groups."""
    normalised_gain: Estimate
    """The same of (ALER - BER) / (1 - BER)."""
    share_valid: Estimate
    """Share of groups whose best leaf is valid, with Wilson's interval."""
    num_confirmed: int
    """Groups with a confirmed leaf of this depth."""


class FailuresResult(ResultModel):
    """Content of `result.json` of a failures audit."""

    schema_version: int = 1
    """Version of this layout."""
    kind: Literal["failures"] = "failures"
    """Kind of audit."""
    split: str
    """Split."""
    exploratory: bool
    """Whether trees were scored on the images that they were grown on."""
    extractor: str
    """The extractor as a reader would say it."""
    layer: str | None
    """Layer whose units are the features."""
    inspected: dict[str, str]
    """Role -> the inspected network as a reader would say it."""
    num_images: int
    """Images with features."""
    num_found: int
    """Images that trees are grown on."""
    num_unlabelled: int
    """Images without any usable label or prediction, in no group."""
    num_features: int
    """Length of the feature vector."""
    num_constant: int
    """Features that never change over the split."""
    num_nonfinite: int
    """Features that are NaN or infinite for some image, left out."""
    criterion: str
    """Criterion in force."""
    coverage: float
    """τ in force."""
    excess: float
    """ρ in force."""
    alpha: float
    """Level in force."""
    num_tested: int
    """Leaves that were tested: the family of the correction."""
    groups: tuple[GroupResult, ...]
    """All groups, in the order of the spec's groupings."""
    features: tuple[FeatureResult, ...]
    """Features that some tree uses, by how many groups they explain."""
    aggregate: tuple[AggregateResult, ...]
    """Per network, grouping and depth."""
    surface: tuple[SurfaceResult, ...]
    """Share of valid leaves over the two thresholds."""
    pictures: tuple[PictureResult, ...]
    """Files of the strongest slices, strongest first."""
    attack: str | None
    """The feature attack in words, such as `l2, eps 1, 60 steps of 0.042`."""


BARLOW = (
    "Singla et al.: Understanding failures of deep networks via robust feature extraction, "
    "CVPR 2021"
)

CODES = (
    Code(
        code="FAILING_SLICE",
        title="The model fails more often where one or few features are low or high",
        meaning="Inside a group of images the failures gather in a part that can be described by "
        "visible features, and the same held on images that the description was not found on.",
        test="A leaf of a shallow tree over the features: error coverage above τ and error rate "
        "above the group's by ρ on confirming images, and one-sided Fisher's exact test against "
        "the rest of the group significant after Benjamini-Hochberg over all groups and leaves.",
        action="Look at the pictures of the feature, decide whether it should matter, and collect "
        "images in which it comes apart from the class.",
        source=BARLOW,
        check="slice",
        metrics=("excess",),
    ),
    Code(
        code="NO_SLICE",
        title="No part of a group fails more often than the rest",
        meaning="No description by shallow trees over the features held up on other images, or the "
        "group has no failures at all.",
        test="No leaf is valid with an adjusted p-value of at most α.",
        action="Nothing; failures of this group have no common feature that this audit can see.",
        source=BARLOW,
        check="slice",
        metrics=("excess",),
    ),
    Code(
        code="NOT_TESTABLE_GROUP",
        title="A group has too few images, failures or successes",
        meaning="With so few images on one side nothing can be told apart from chance.",
        test="Fewer images than `min_group`, or fewer failures or successes than `min_failures`, "
        "on the growing or the confirming part.",
        action="Add images of the group, or lower the bounds knowing what that costs.",
        source=BARLOW,
        check="slice",
        metrics=(),
    ),
)
