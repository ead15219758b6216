"""What the attribute-relationship audit leaves behind."""

from __future__ import annotations

from typing import Literal

from auditor.results.base import ResultModel
from auditor.results.code import Code
from auditor.results.estimate import Estimate

PairOutcome = Literal["as_expected", "broken", "not_learnt", "undecided", "not_testable", "no_rule"]


class AttributeResult(ResultModel):
    """How well the network knows one attribute, and how far its relations are from expected."""

    name: str
    """Attribute id."""
    title: str
    """The attribute as a reader would say it."""
    balanced_accuracy: Estimate
    """Mean of sensitivity and specificity on confirming samples."""
    learnt: bool | None
    """Whether the balanced accuracy passes the spec's bar; None where it could not be measured."""
    share_present: Estimate
    """Share of mined images that show the attribute."""
    divergence_gaussian: Estimate
    """Mean KL divergence over the attribute's rules, Gaussian estimator (KL_i of the paper)."""
    divergence_histogram: Estimate
    """The same with the histogram estimator."""


class RelationResult(ResultModel):
    """The expected distribution of the cosine under one relation."""

    name: str
    """Relation."""
    mean: float | None
    """Expected mean cosine; None where there are too few pairs to say."""
    sd: float | None
    """Expected standard deviation of the per-image cosine."""
    source: Literal["declared", "robust", "pooled", "leave_one_out"]
    """Where mean and sd come from."""
    num_pairs: int
    """Number of rules with this relation."""
    reason: str | None = None
    """Why there is no expectation."""


class CellResult(ResultModel):
    """One combination of two labels: a candidate failure mode."""

    present: tuple[bool, bool]
    """Which of the two attributes are present in the images."""
    num_mined: int
    """Images with this combination where the relation was mined."""
    accuracy: Estimate
    """Mean accuracy of the two attributes inside the cell, on confirming samples."""
    drop: Estimate
    """Ordinary accuracy for these label values minus the accuracy inside the cell."""


class PairResult(ResultModel):
    """Everything measured about one pair of attributes."""

    a: str
    """First attribute."""
    b: str
    """Second attribute."""
    rule: str | None
    """Id of the rule that speaks of the pair."""
    expect: str | None
    """Expected relation."""
    outcome: PairOutcome
    """What the rule came to."""
    reason: str | None = None
    """Why it could not be decided."""
    cosine: Estimate
    """m: mean per-image cosine over images with either attribute present."""
    sd: float | None
    """Standard deviation of the per-image cosine."""
    centred: float | None
    """m double-centred over the pair matrix: what is left after each attribute's own level."""
    robust_z: Estimate
    """(m - median) / MAD across pairs of the same expected relation."""
    p_adjusted: Estimate
    """p-value of the robust z after Benjamini-Hochberg over the rules."""
    divergence_gaussian: float | None
    """KL(P || Q), both Gaussian, with the sign of m - μ."""
    divergence_histogram: float | None
    """KL(P || Q), Q a smoothed histogram, with the sign of m - μ."""
    shape: Literal["blind_spot", "failure_mode", "none"]
    """By the paper's two cuts: a relation that is missed, a wrong one that is used, or neither."""
    cells: tuple[CellResult, ...]
    """Both candidate cells of the failure mode, the one with fewer mined images first."""
    label_correlation: Estimate
    """Baseline: phi coefficient of the two labels on mined images."""
    regression: Estimate
    """Baseline: how much more of a's score label b explains, and vice versa: the larger
    standardised cross coefficient of the regression of scores on all labels."""
    entropy: float | None
    """Baseline: entropy of the joint label distribution, (absent, absent) ignored, in nats."""
    histogram: tuple[int, ...]
    """Counts of the per-image cosine in equal bins on [-1, 1]."""
    decision: Literal["decided", "inside_zone", "open"] | None
    """State of the sequential decision when sampling ended."""


class TopDrop(ResultModel):
    """Mean accuracy drop of the N first failure modes of one ranking."""

    ranking: Literal["audit", "entropy_smallest", "entropy_largest"]
    """Who ranks."""
    num_modes: int
    """N."""
    ordinary: Estimate
    """Mean ordinary accuracy."""
    inside: Estimate
    """Mean accuracy inside the modes."""
    drop: Estimate
    """Their difference."""


class RelationshipsResult(ResultModel):
    """Content of `result.json` of a relationships audit."""

    schema_version: int = 1
    """Version of this layout."""
    kind: Literal["relationships"] = "relationships"
    """Kind of audit."""
    layer: str
    """Layer whose units carry the patterns."""
    num_units: int
    """Number of units of the layer."""
    num_images: int
    """Images whose gradients were taken."""
    num_available: int
    """Images of the mined split."""
    num_confirming: int
    """Images that accuracies were measured on."""
    stopped: Literal["all_decided", "all_images", "max_images"]
    """Why sampling ended."""
    cut: float
    """Cut on |m - μ| in force."""
    zone: float
    """Half width of the indifference zone in force."""
    alpha: float
    """Level of the test in force."""
    mask: Literal["none", "greedy", "threshold"]
    """Mask method in force."""
    mask_sizes: dict[str, int]
    """Units kept per attribute; empty without a mask."""
    attributes: tuple[AttributeResult, ...]
    """The audited attributes, in the order of the spec."""
    relations: tuple[RelationResult, ...]
    """Expected relations in use."""
    pairs: tuple[PairResult, ...]
    """Every pair of audited attributes, most suspicious first."""
    estimator_agreement: Estimate
    """Spearman rank correlation of the two divergence estimators over the rules."""
    top_drops: tuple[TopDrop, ...]
    """The audit's failure modes beside the entropy baseline in both readings."""
    num_rules: int
    """Rules that this audit answers to, as pairs."""
    num_decided: int
    """Rules that came to a decision."""
    exploratory: bool = False
    """Whether discovery and confirmation used the same samples."""


ZHANG = "Zhang, Wang, Zhu: Examining CNN representations with respect to dataset bias, AAAI 2018"

CODES = (
    Code(
        code="BROKEN_RULE",
        title="The model relates two attributes otherwise than the rule says",
        meaning="Inside the network the evidence for one attribute is tied to the evidence for the "
        "other, more or less strongly than a sound model would tie them.",
        test="|m - μ| above the cut, robust z across pairs of the same relation significant after "
        "Benjamini-Hochberg, and both attributes learnt.",
        action="Collect images in which the two attributes come apart, and train again.",
        source=ZHANG,
        check="broken_rule",
        metrics=("deviation",),
    ),
    Code(
        code="BLIND_SPOT",
        title="The model misses a relation that should be there",
        meaning="The two attributes should inform each other, and the network keeps them apart.",
        test="A broken rule with |m| below the presence cut and weaker than expected.",
        action="Check the labels of both attributes; add images that show both.",
        source=ZHANG,
        check="blind_spot",
        metrics=("cosine",),
        worse="nearer_to_zero",
        follows="BROKEN_RULE",
    ),
    Code(
        code="FAILURE_MODE",
        title="The model is less accurate on one combination of two attributes",
        meaning="On images with this combination of attributes the network is wrong more often "
        "than on other images with the same attributes.",
        test="A broken rule that is no blind spot, whose candidate cell loses accuracy on "
        "samples that it was not found on.",
        action="Add training images with exactly this combination.",
        source=ZHANG,
        check="failure_mode",
        metrics=("drop", "drop_of_other_combination"),
        follows="BROKEN_RULE",
    ),
    Code(
        code="NOT_LEARNT",
        title="The model did not learn an attribute",
        meaning="The network hardly tells images with the attribute from images without it, so "
        "nothing can be said about how it relates the attribute to others.",
        test="Balanced accuracy on confirming samples not above the spec's bar.",
        action="Check the attribute's labels and number of examples, or drop it from the audit.",
        source="this project, after measurements on procedural portraits",
        check="learnt",
        metrics=("balanced_accuracy",),
        worse="lower",
    ),
)
