"""States of the filter audit. U units, d channels, C concepts, K categories, J image folds."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.measure.state import Concatenated, Largest, Smallest, Summed, Top

IMAGE_FOLDS = 10
"""Parts of the images, by a hash of the sample id, behind jackknife intervals and held-out IoU."""

METHODS = ("paper", "release", "activation", "original", "image")
"""Ways of showing an image to the explainer, in the order of tables; `image` masks pixels."""


@dataclass(frozen=True)
class LevelsState:
    """Of fold `levels`: what thresholds and most activating images follow from.

    Attributes:
        values: float32 [U, T], the largest sampled values per unit (see `measure.quantiles`).
        images: int64 [U, p], packed (activation, row) of the most activating images per unit.
        peak: float32 [U], largest value.
        floor: float32 [U], smallest value.
        num_places: int64 [1], places of all images.
        num_sampled: int64 [1], places that `values` was taken from; all of them where exact.
        num_images: int64 [1].
        side: int64 [2], rows and columns of the maps.
    """

    values: Top
    images: Top
    peak: Largest
    floor: Smallest
    num_places: Summed
    num_sampled: Summed
    num_images: Summed
    side: Largest


@dataclass(frozen=True)
class SelectedState:
    """Of solve `selected`.

    Attributes:
        thresholds: float32 [U], T_u; +inf for dead units.
        alive: bool [U], false for units that never rise above their smallest value or above 0.
        peak: float32 [U].
        num_images: int64 [1].
        side: int64 [2].
        exact: bool [1], whether T_u are order statistics of all places.
        rank_error: float64 [1], bound on |rank of T_u / places - share|, 0 where exact.
        pair_unit: int64 [S], units of the chosen (unit, image) pairs, ascending.
        pair_row: int64 [S], rows of their images, most activating first.
        pair_value: float32 [S], largest activation of the unit in the image.
        null_unit: int64 [S0], units of the null's pairs.
        null_row: int64 [S0], rows drawn at random for them.
        evaluated: int64 [E], units on which ways of masking are compared, ascending.
    """

    thresholds: Concatenated
    alive: Concatenated
    peak: Concatenated
    num_images: Concatenated
    side: Concatenated
    exact: Concatenated
    rank_error: Concatenated
    pair_unit: Concatenated
    pair_row: Concatenated
    pair_value: Concatenated
    null_unit: Concatenated
    null_row: Concatenated
    evaluated: Concatenated


@dataclass(frozen=True)
class RegionsState:
    """Of fold `regions`. Counts are pixels of the comparison grid, summed per image fold.

    Attributes:
        intersections: float64 [J, U, C], active pixels inside the concept.
        active_original: float64 [J, U, K], active pixels in images where the category is annotated.
        active_lite: float64 [J, U, K], the same where it is annotated under active pixels.
        areas: float64 [J, C], pixels of the concept.
        images: int64 [J, C], photos that list the concept.
        num_annotated: int64 [1], images with an annotation.
        grid: int64 [2], rows and columns of the grid.
        region_features: float32 [M, d], mean over places of masked channels, one row per region of
            which a place is left; at most `max_regions` / images of each image, chosen by hashes.
        region_concept: int64 [M].
        region_bucket: int64 [M], hash of the id of its image, which says what fold it is in.
        pair_unit: int64 [S], pairs of `SelectedState` whose image was read.
        pair_row: int64 [S].
        pair_bucket: int64 [S], as `region_bucket`.
        pair_extent: float32 [S], places that carry the unit's map (`effective_places`).
        pair_features: float32 [S, d], seen by the naming attention.
        pair_truth: bool [S, C], concepts whose IoU with the unit's active pixels in this image is
            above `dissection.detector`.
        other_unit: int64 [S1], pairs of evaluated units.
        other_row: int64 [S1].
        other_features: float32 [S1, 4, d], under the first four of `METHODS`.
        null_unit: int64 [S0], pairs of the null whose image was read, and raises the unit above 0
            somewhere, as the chosen images do.
        null_extent: float32 [S0], as `pair_extent`.
        null_features: float32 [S0, d], naming attention with the unit's values shuffled over the
            places of a random image.
    """

    intersections: Summed
    active_original: Summed
    active_lite: Summed
    areas: Summed
    images: Summed
    num_annotated: Summed
    grid: Largest
    region_features: Concatenated
    region_concept: Concatenated
    region_bucket: Concatenated
    pair_unit: Concatenated
    pair_row: Concatenated
    pair_bucket: Concatenated
    pair_extent: Concatenated
    pair_features: Concatenated
    pair_truth: Concatenated
    other_unit: Concatenated
    other_row: Concatenated
    other_features: Concatenated
    null_unit: Concatenated
    null_extent: Concatenated
    null_features: Concatenated


@dataclass(frozen=True)
class ExplainedState:
    """Of solve `explained`: words and their worth. W words (concepts without a word of their own
    behind them), n words per unit, F explainers.

    Attributes:
        rows: int64 [R], rows of the images that the visit looks at, ascending.
        cards: int64 [D], units that are shown with pictures, best first.
        masked: int64 [D1], units whose images are masked in pixels, a part of `evaluated`.
        words: int64 [U, n], position of each unit's words, best first; -1 where there is none.
        shares: float64 [U, n], share of votes.
        scores: float64 [U, n], mean cosine with the word over the unit's images.
        by_chance: float64 [U, n], share of null pairs that vote for the word.
        stands_out: bool [U, n], whether it stands out within its filter.
        statistic: float64 [U], how far the votes stand out from the null; NaN-free, -1 without.
        p_values: float64 [U], of the null; 1 where there is none.
        held_out: int64 [C], explainer fold that never saw the concept; -1 for unaudited concepts.
        weights: float32 [F + 1, P], parameters of the explainers (the last one saw everything),
            flat in the order of `measure.explainer`.
        history: float64 [F + 1, epochs, 2], training and held-out loss, -1 after the end.
        best: int64 [F + 1], epoch whose weights were kept; -1 where there was nothing to learn
            from; [0] without words.
        recall: float64 [E, 4, 2, 3, 3], evaluated unit × method × candidates (concepts, vocabulary)
            × scope (all, seen, held out) × k (5, 10, 20), mean over the unit's images; -1 where
            none has a true concept.
        precision: float64 [E, 4, 2, 3, 3], the same of precision.
        num_pairs: int64 [E, 3], images with a true concept, by scope.
    """

    rows: Concatenated
    cards: Concatenated
    masked: Concatenated
    words: Concatenated
    shares: Concatenated
    scores: Concatenated
    by_chance: Concatenated
    stands_out: Concatenated
    statistic: Concatenated
    p_values: Concatenated
    held_out: Concatenated
    weights: Concatenated
    history: Concatenated
    best: Concatenated
    recall: Concatenated
    precision: Concatenated
    num_pairs: Concatenated


@dataclass(frozen=True)
class PicturesState:
    """Of visit `pictures`.

    Attributes:
        card_unit: int64 [N], unit of each picture, in the order of `ExplainedState.cards`.
        card_row: int64 [N].
        card_value: float32 [N], largest activation of the unit in the image.
        card_active: bool [N, g, g'], active pixels on the comparison grid.
        jpegs: uint8 [bytes], the pictures as JPEG, one after the other, each image once.
        jpeg_row: int64 [Q], row of each JPEG.
        jpeg_end: int64 [Q], where each JPEG ends.
        ids: uint8 [bytes], their sample ids as UTF-8, one after the other.
        id_end: int64 [Q], where each id ends.
        masked_unit: int64 [S2], pairs whose image was masked in pixels.
        masked_row: int64 [S2].
        masked_features: float32 [S2, d], mean channels of the masked image.
    """

    card_unit: Concatenated
    card_row: Concatenated
    card_value: Concatenated
    card_active: Concatenated
    jpegs: Concatenated
    jpeg_row: Concatenated
    jpeg_end: Concatenated
    ids: Concatenated
    id_end: Concatenated
    masked_unit: Concatenated
    masked_row: Concatenated
    masked_features: Concatenated
