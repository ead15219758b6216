"""What the comparison of groups leaves behind: totals and the largest differences.

Everything compared is in `tables/differences.parquet`.
"""

from __future__ import annotations

from typing import Literal

from auditor.audits.groups.spec import Compared
from auditor.results.base import ResultModel
from auditor.results.code import Code
from auditor.results.estimate import Estimate

ComparisonOutcome = Literal["different", "similar", "not_testable"]
"""`different`: something differs, surely and by enough; `similar`: nothing does; `not_testable`:
too few images."""


class GroupResult(ResultModel):
    """One group of images."""

    id: str
    """Such as `skin=deep`, `skin=deep+age=old`, `split=test`, or its name in the spec."""
    images: str
    """The images in words, such as `pictures whose skin is deep`."""
    size: int
    """Images."""


class DifferenceResult(ResultModel):
    """One thing on two sides."""

    item: int
    """Position: number of the filter, or place among attributes, concepts or classes."""
    title: str
    """What it is in words, such as `filter 37`."""
    first: Estimate
    """Share of the first side's images, with Wilson's interval."""
    second: Estimate
    """Share of the second side's images."""
    difference: Estimate
    """First minus second, with Newcombe's interval."""
    effect: float
    """Cohen's h: 0.2 is small, 0.5 medium, 0.8 large."""
    p_value: Estimate
    """Fisher's exact test, two-sided."""
    p_adjusted: Estimate
    """The same after Benjamini-Hochberg over everything compared in the audit."""
    different: bool
    """Whether the adjusted p-value is at most α and the difference at least `min_difference`."""


class ComparisonResult(ResultModel):
    """Two sides of images."""

    id: str
    """Ids of the groups, with `~` between them; one where the other side is the rest."""
    first: str
    """Id of the first group."""
    second: str | None
    """Id of the second; None for all other images."""
    first_title: str
    """The first side in a heading, such as `skin deep`."""
    second_title: str
    """The second side in a heading."""
    first_images: str
    """The first side in words."""
    second_images: str
    """The second side in words."""
    outcome: ComparisonOutcome
    """What came of it."""
    reason: str | None = None
    """Why it is not testable."""
    num_first: int
    """Images of the first side."""
    num_second: int
    """Images of the second side."""
    num_both: int
    """Images in both groups, left out."""
    first_ceiling: float | None = None
    """For filters: no more than this share of the first side can have an active one."""
    second_ceiling: float | None = None
    """The same of the second side."""
    num_tested: int
    """Things that could be tested."""
    num_different: int
    """Things that differ."""
    differences: tuple[DifferenceResult, ...]
    """The largest, those that differ first."""


class PictureResult(ResultModel):
    """Which files show one difference; images are in `images/`, regions in `arrays/pictures`."""

    comparison: str
    """Id of the comparison."""
    item: int
    """Position of what differs."""
    first: tuple[str, ...]
    """Images of the first side, most activating first, files."""
    second: tuple[str, ...]
    """Images of the second side, files."""
    first_activations: tuple[float, ...] = ()
    """Largest activation of the filter in each; empty where no filters are compared."""
    second_activations: tuple[float, ...] = ()
    """The same on the second side."""
    active: int | None = None
    """Position of the first of their regions in the array `active`, first side before second."""


class ConceptResult(ResultModel):
    """One concept and the filter of each network that overlaps it most."""

    item: int
    """Position among the concepts."""
    name: str
    """Concept."""
    num_images: int
    """Photos that list it."""
    first_filter: int
    """The model's best filter."""
    second_filter: int
    """The other network's best filter."""
    first: Estimate
    """Its intersection over union with the concept, with a jackknife interval."""
    second: Estimate
    """The same of the other network."""
    difference: Estimate
    """First minus second, with a jackknife interval over the same parts of the images."""
    p_value: Estimate
    """Student's t test of the difference over the parts of the images."""
    p_adjusted: Estimate
    """The same after Benjamini-Hochberg over all concepts."""
    different: bool
    """Surely different, and either detected by one network alone or by at least
    `min_difference` apart."""


class NetworkResult(ResultModel):
    """One of two networks."""

    title: str
    """The network as a reader would say it."""
    layer: str
    """Module path of the layer."""
    num_filters: int
    """Filters of the layer."""
    detected: tuple[str, ...]
    """Concepts that some filter detects, the clearest first."""


class NetworksResult(ResultModel):
    """Two networks on the same images."""

    first: NetworkResult
    """The model."""
    second: NetworkResult
    """The other network."""
    detector: float
    """A filter detects a concept above this intersection over union."""
    num_annotated: int
    """Images with annotated regions."""
    num_concepts: int
    """Concepts of the annotation."""
    num_rare: int
    """Concepts that too few photos list."""
    num_different: int
    """Concepts that differ."""
    concepts: tuple[ConceptResult, ...]
    """The largest differences, those that count first."""


class GroupsResult(ResultModel):
    """Content of `result.json` of a groups audit."""

    schema_version: int = 1
    """Version of this layout."""
    kind: Literal["groups"] = "groups"
    """Kind of audit."""
    compare: Compared
    """What is compared."""
    splits: tuple[str, ...]
    """Splits."""
    inspected: str
    """The network as a reader would say it."""
    layer: str | None = None
    """Layer whose filters are compared."""
    num_images: int
    """Images of all splits."""
    num_unknown: int = 0
    """Images without a value in a column that groups come from, left out."""
    num_items: int
    """Things compared."""
    num_silent: int = 0
    """Things that no image shows, such as filters that are never active."""
    share: float | None = None
    """Share of all places in which a filter counts as active."""
    side: tuple[int, int] | None = None
    """Rows and columns of the filters' maps."""
    ceiling: float | None = None
    """min(1, share · rows · columns): no more than this share of all images can have a place in
    which a filter is active."""
    exact: bool = True
    """Whether T_u was found among all places."""
    rank_error: float = 0.0
    """Bound on the error of `share`, where it was not."""
    min_images: int
    """Images that a group needs."""
    min_difference: float
    """Least difference that counts."""
    alpha: float
    """Level in force."""
    num_tested: int
    """Tests made: the family of the correction."""
    groups: tuple[GroupResult, ...] = ()
    """All groups."""
    comparisons: tuple[ComparisonResult, ...] = ()
    """All comparisons."""
    networks: NetworksResult | None = None
    """Two networks on the same images."""
    pictures: tuple[PictureResult, ...] = ()
    """Files that show the largest differences."""


LAVISE = (
    "Yang, Kim and Joo: Explaining deep convolutional neural networks via latent visual-semantic "
    "filter attention, CVPR 2022"
)
DISSECTION = (
    "Bau et al.: Network dissection: quantifying interpretability of deep visual representations, "
    "CVPR 2017"
)

CODES: tuple[Code, ...] = (
    Code(
        code="GROUP_DIFFERENCE",
        title="Two groups of images differ in what they show or in what a network sees",
        meaning="The share of images in which a filter is active, an attribute or a concept is "
        "present, or something is predicted, differs between two groups of images. A difference "
        "is not harm by itself: the groups may truly differ.",
        test="Fisher's exact test, two-sided, significant after Benjamini-Hochberg over everything "
        "compared in the audit, and a difference of at least `min_difference`. A filter is active "
        "in an image whose largest activation is above T_u, the value above which the given share "
        "of all places of all images lies.",
        action="Look at the pictures, and say whether the difference is there in the world, comes "
        "from how the images were collected, or is made by the network.",
        source=LAVISE,
        check="comparison",
        metrics=("difference",),
        worse="farther_from_zero",
    ),
    Code(
        code="NETWORK_DIFFERENCE",
        title="Two networks have learnt different concepts",
        meaning="On the same images, some concept is matched by a filter of one network and not of "
        "the other, or clearly better.",
        test="Best intersection over union of each network's filters with the concept; paired "
        "delete-one-fold jackknife of the difference over parts of the images, Student's t, "
        "significant after Benjamini-Hochberg over concepts; detected by one network alone, or at "
        "least `min_difference` apart.",
        action="Choose the network that knows the concepts that should matter, or check what the "
        "other uses in their place.",
        source=DISSECTION,
        check="comparison",
        metrics=("difference",),
        worse="farther_from_zero",
    ),
    Code(
        code="NOT_TESTABLE_COMPARISON",
        title="A group has too few images to compare it",
        meaning="With so few images on one side nothing can be told apart from chance.",
        test="Fewer images than `min_images` on one side, or nothing that some images show and "
        "others do not.",
        action="Add images of the group, or compare larger groups.",
        source=LAVISE,
        check="comparison",
        metrics=(),
    ),
)
