"""What the filter audit leaves behind."""

from __future__ import annotations

from typing import Literal

from auditor.needs import NetworkRole
from auditor.results.base import ResultModel
from auditor.results.code import Code
from auditor.results.estimate import Estimate

FilterOutcome = Literal["named", "no_name", "dead", "not_tried"]
"""`named`: its words stand out from those for shuffled activations; `no_name`: they do not;
`dead`: it is never active; `not_tried`: the audit looks for no words."""

Method = Literal["paper", "release", "activation", "original", "image"]
"""What of an image the explainer was shown."""

Scope = Literal["all", "seen", "held_out"]
"""Which concepts count: all, those that the explainer learnt from, those that it never saw. Its
images it never saw in any scope."""

Candidates = Literal["concepts", "vocabulary"]
"""Among what the explainer chooses: the annotated concepts, or every word."""


class WordResult(ResultModel):
    """One word of a filter."""

    word: str
    """The word."""
    share: float
    """Share of the filter's images that vote for it."""
    by_chance: float
    """Share of the null's images, shuffled activations of other filters, that do."""
    stands_out: bool
    """Whether the first share is larger than the second beyond what the best of all words would
    reach by chance."""
    score: float
    """Mean cosine between the word and what the explainer makes of the filter's images."""
    novel: bool
    """Whether it stands for none of the annotated concepts."""


class MatchResult(ResultModel):
    """The annotated concept that a filter overlaps most."""

    concept: str
    """Concept."""
    category: str | None
    """Its category, where concepts have some."""
    iou: Estimate
    """Intersection over union over all images, with a jackknife interval over parts of them."""
    held_out: Estimate
    """The same on parts of the images that the concept was not chosen on: free of the optimism of
    choosing the best."""
    detector: bool
    """Whether both are above the threshold."""


class FilterResult(ResultModel):
    """Everything measured about one filter."""

    unit: int
    """Channel or unit of the layer."""
    outcome: FilterOutcome
    """What came of it."""
    threshold: float | None
    """T_u; None for dead filters."""
    peak: float
    """Largest activation over the split."""
    words: tuple[WordResult, ...]
    """Its words, most votes first, also where they do not stand out; a filter is called by those
    that do. Where words stand out but have too few votes to be listed, one of them comes first."""
    statistic: Estimate
    """How far its votes stand out from those for shuffled activations, in standard errors."""
    p_value: Estimate
    """Of that, by a permutation test against the null."""
    p_adjusted: Estimate
    """After Benjamini-Hochberg over filters."""
    match: MatchResult | None
    """The annotated concept it overlaps most; None where no concept could be compared."""
    agrees: bool | None
    """Whether a word of that concept is among its words that stand out; None for filters without a
    name and for concepts without a word."""

    @property
    def name(self) -> tuple[WordResult, ...]:
        """The words that it is called by; empty without a name."""
        return tuple(w for w in self.words if self.outcome == "named" and w.stands_out)


class ConceptResult(ResultModel):
    """One annotated concept."""

    name: str
    """Name in the annotations."""
    category: str | None
    """Category."""
    words: tuple[str, ...]
    """Words it stands for; empty where the vocabulary knows none."""
    rule: str
    """How they were found: `spec`, `whole`, `stem`, `parts`, `unknown` or `none`."""
    num_images: int
    """Photos that list it."""
    audited: bool
    """Whether enough photos list it."""
    num_detectors: int
    """Filters whose best concept it is, above the threshold."""


class RecallResult(ResultModel):
    """How well the explainer finds the concepts that a filter really overlaps."""

    method: Method
    """What it was shown."""
    candidates: Candidates
    """Among what it chose."""
    scope: Scope
    """Which concepts count."""
    k: int
    """Among its first k answers."""
    recall: Estimate
    """Share of the true concepts among the first k answers: mean over images, then over filters;
    interval by a bootstrap over filters."""
    precision: Estimate
    """Share of true concepts among the first k answers, the same way."""
    difference: Estimate | None = None
    """Recall minus that of whole images on the same pairs of a filter and an image, filters
    resampled together; None for whole images themselves."""
    num_filters: int
    """Filters with at least one true concept."""
    num_pairs: int
    """Pairs of a filter and an image with at least one true concept."""


class LearningResult(ResultModel):
    """How the explainer that names the filters was fitted."""

    loss: str
    """Loss."""
    num_regions: int
    """Regions it learnt from."""
    num_held_out: int
    """Regions of the images that decided when to stop."""
    num_parameters: int
    """Parameters."""
    best_epoch: int
    """Epoch whose weights were kept, from 1."""
    training_losses: tuple[float, ...]
    """Mean loss of each epoch."""
    held_out_losses: tuple[float, ...]
    """Loss on the held-out images after each epoch."""


class CardResult(ResultModel):
    """Pictures of one filter; files in `images/`, active pixels in `arrays/cards`, `active`."""

    unit: int
    """The filter."""
    images: tuple[str, ...]
    """Most activating images, files."""
    samples: tuple[str, ...]
    """Their sample ids."""
    activations: tuple[float, ...]
    """Largest activation in each."""
    first: int
    """Position of the first image in the array `active`."""


class FiltersResult(ResultModel):
    """Content of `result.json` of a filters audit."""

    schema_version: int = 1
    """Version of this layout."""
    kind: Literal["filters"] = "filters"
    """Kind of audit."""
    split: str
    """Split."""
    inspected: NetworkRole
    """Whose filters."""
    network: str
    """The network as a reader would say it."""
    layer: str
    """Layer."""
    start: str | None
    """Spatial layer through which its units were looked at; None where they have places."""
    side: tuple[int, int]
    """Rows and columns of the maps."""
    grid: tuple[int, int]
    """Rows and columns of the comparison with regions."""
    num_images: int
    """Images."""
    num_annotated: int
    """Images with annotated regions."""
    share: float
    """Share of places in which a filter counts as active."""
    exact: bool
    """Whether T_u are exact order statistics."""
    rank_error: float
    """Otherwise a bound on how far their rank is off, as a share of all places."""
    denominator: str
    """Denominator in force."""
    detector: float
    """Intersection over union above which a filter detects a concept."""
    min_images: int
    """Photos that must list a concept."""
    attention: str | None
    """What of an image named the filters; None without words."""
    vocabulary: str | None
    """The vocabulary as a reader would say it; None without words."""
    made: bool
    """Whether its vectors were made from this package's own taxonomy and not learnt."""
    num_words: int
    """Words to choose from."""
    alpha: float
    """Level in force."""
    filters: tuple[FilterResult, ...]
    """Every filter of the layer."""
    concepts: tuple[ConceptResult, ...]
    """Every annotated concept."""
    recall: tuple[RecallResult, ...]
    """Recall and precision by way of masking, candidates, scope and k."""
    agreement: Estimate
    """Share of detectors with a name whose name holds a word of the concept."""
    agreement_by_chance: Estimate
    """The same with their names dealt out at random among them: the expectation, and the range of
    95 % of the deals."""
    learning: LearningResult | None
    """How the explainer was fitted; None without words."""
    cards: tuple[CardResult, ...]
    """Filters shown with pictures, the most distinctly named first."""
    problems: tuple[str, ...] = ()
    """What a reader should know, such as concepts without a word."""


LAVISE = (
    "Yang, Kim, Joo: Explaining deep convolutional neural networks via latent visual-semantic "
    "filter attention, CVPR 2022"
)
DISSECTION = (
    "Bau et al.: Network dissection: quantifying interpretability of deep visual "
    "representations, CVPR 2017"
)

CODES = (
    Code(
        code="NAMED_FILTERS",
        title="How many filters of a layer look at something that has a name",
        meaning="Each filter's most activating images were shown to a network that puts picture "
        "parts into words. A filter has a name where its words stand out from those that shuffled "
        "activations give.",
        test="Votes of the filter's images against votes for shuffled activations of other filters "
        "in random images; Benjamini-Hochberg over filters, and the largest of all words of a "
        "filter for each of its words. Inconclusive where the explainer finds "
        "no more true concepts among its first five answers than from whole images, by a bootstrap "
        "over filters, on images that it never saw. Without words: how many filters detect an "
        "annotated concept.",
        action="Read the words as suggestions; confirm those that matter in the review file.",
        source=LAVISE,
        check="named_filters",
        metrics=("named_share", "detector_share"),
        worse="lower",
    ),
    Code(
        code="DEAD_FILTERS",
        title="Filters that are never active",
        meaning="Some filters never respond to any image of the split: they carry nothing.",
        test="Largest value not above 0, or the same everywhere.",
        action="Nothing for the judgement; the network could be made smaller.",
        source=DISSECTION,
        check="dead_filters",
        metrics=("dead_share",),
    ),
    Code(
        code="UNWANTED_CONCEPT",
        title="Whether a filter looks for something that should not matter",
        meaning="The spec names a concept that no filter should detect, and the filters were "
        "compared with the regions where it is annotated.",
        test="Intersection over union of the best filter with the concept, above the threshold on "
        "all images and on parts of them that the filter was not chosen on.",
        action="Look at the pictures of the filter, and whether the decision uses it.",
        source=DISSECTION,
        check="unwanted_concept",
        metrics=("held_out_iou",),
    ),
    Code(
        code="EXPECTED_CONCEPT",
        title="Whether some filter looks for something that should matter",
        meaning="The spec names a concept that the layer should know, and the filters were "
        "compared with the regions where it is annotated.",
        test="As for unwanted concepts.",
        action="Check whether another layer detects it, or whether the training images show it.",
        source=DISSECTION,
        check="expected_concept",
        metrics=("held_out_iou",),
        worse="lower",
    ),
)
