"""What the comparison of groups keeps between its steps.

N images, U filters, I things compared, G groups, P comparisons, M tests (P · I), S differences that
are shown, K images per side; for two networks J image folds, C concepts, Q categories.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditor.measure.state import Concatenated, Largest, Summed, Top

IMAGE_FOLDS = 10
"""Parts of the images, by a hash of the sample id, behind the jackknife."""


@dataclass(frozen=True)
class TableState:
    """Of fold `table_<split>`: one row per image by intent, T_u needs no more than `values`.

    Attributes:
        rows: Positions in the split, int64 [N].
        columns: Positions of the group columns' values, in the order of `Context.columns`,
            -1 unknown, int64 [N, columns].
        peaks: Largest activation of each filter, NaN where it is not finite, float32 [N, U];
            U = 0 where no filters are compared.
        present: 1 present, 0 absent, -1 unknown, int8 [N, I]; I = 0 where filters are compared.
        values: Largest sampled values per filter, float32 [U, T] (see `measure.quantiles`).
        num_places: Places of all images, int64 [1].
        num_sampled: Places that `values` was taken from, int64 [1].
        side: Rows and columns of the maps, int64 [2]; 0 where no filters are compared.
    """

    rows: Concatenated
    columns: Concatenated
    peaks: Concatenated
    present: Concatenated
    values: Top
    num_places: Summed
    num_sampled: Summed
    side: Largest


@dataclass(frozen=True)
class ComparedState:
    """Of solve `compared`: every number; no word.

    Attributes:
        group_sizes: Images of each group, int64 [G].
        num_images: Images of all splits, int64 [1].
        num_unknown: Images whose group is unknown, int64 [1].
        num_known: Images in which each thing compared is known, int64 [I].
        sizes: First side, second side, left out because on both, int64 [P, 3].
        counts: Comparison, item, present on the first side, known there, present on the second
            side, known there, int64 [M, 6].
        p_values: Fisher's exact test, -1 where it was not made, float64 [M].
        p_adjusted: The same after Benjamini-Hochberg, float64 [M].
        different: Certain and large enough, bool [M].
        thresholds: T_u, +inf for filters that are never active, float32 [U].
        side: Rows and columns of the maps, int64 [2].
        exact: Whether T_u are order statistics of all places, bool [1].
        rank_error: Bound on the error of their rank as a share, float64 [1].
        shown: Tests that are shown with pictures, positions among the M, int64 [S].
        picture_split: Split of each picture by its position in the spec, -1 for none,
            int64 [S, 2, K].
        picture_row: Its row, int64 [S, 2, K].
        picture_value: Largest activation of the filter in it, float32 [S, 2, K]; 0 for others.
    """

    group_sizes: Concatenated
    num_images: Concatenated
    num_unknown: Concatenated
    num_known: Concatenated
    sizes: Concatenated
    counts: Concatenated
    p_values: Concatenated
    p_adjusted: Concatenated
    different: Concatenated
    thresholds: Concatenated
    side: Concatenated
    exact: Concatenated
    rank_error: Concatenated
    shown: Concatenated
    picture_split: Concatenated
    picture_row: Concatenated
    picture_value: Concatenated


@dataclass(frozen=True)
class ChosenState:
    """Of solve `chosen_<split>`.

    Attributes:
        rows: Rows of the split that are shown, ascending, once, int64 [R].
    """

    rows: Concatenated


@dataclass(frozen=True)
class PicturesState:
    """Of visit `pictures_<split>`.

    Attributes:
        rows: Readable rows, ascending, int64 [R].
        pixels: Their images, uint8 [R, 3, H, W].
        place: Which picture each region belongs to, position in the flattened
            `ComparedState.picture_row`, int64 [Z]; none where no filters are compared.
        active: Where the filter is active, bool [Z, g, g'].
    """

    rows: Concatenated
    pixels: Concatenated
    place: Concatenated
    active: Concatenated


@dataclass(frozen=True)
class LevelsState:
    """Of fold `levels_<side>_<split>`; fields as in `TableState`."""

    values: Top
    num_places: Summed
    num_sampled: Summed
    side: Largest


@dataclass(frozen=True)
class ThresholdsState:
    """Of solve `thresholds`.

    Attributes:
        first: T_u of the model's layer, float32 [U].
        second: T_u of the other layer, float32 [U'].
        side: Rows and columns of the maps of both, int64 [2, 2].
        exact: bool [1].
        rank_error: float64 [1], the larger one.
    """

    first: Concatenated
    second: Concatenated
    side: Concatenated
    exact: Concatenated
    rank_error: Concatenated


@dataclass(frozen=True)
class OverlapState:
    """Of fold `regions_<side>_<split>`. Counts are pixels of the grid, per image fold.

    Attributes:
        intersections: Active pixels inside the concept, float64 [J, U, C].
        active: Active pixels in images where the category is annotated, float64 [J, U, Q].
        areas: Pixels of the concept, float64 [J, C].
        images: Photos that list the concept, int64 [J, C].
        num_annotated: Images with an annotation, int64 [1].
    """

    intersections: Summed
    active: Summed
    areas: Summed
    images: Summed
    num_annotated: Summed
