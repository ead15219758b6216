"""Large companions of the result: tables for spreadsheets, pictures and active pixels of cards."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auditor.audits.filters.result import CardResult, FilterResult, RecallResult
from auditor.audits.filters.states import PicturesState
from auditor.context import Context

WORTH_A_ROW = 0.01
"""Pairs of a filter and a concept with a larger intersection over union stand in the table."""


class CardFiles(NamedTuple):
    """Cards and their files.

    Attributes:
        cards: One per filter that has a picture.
        images: File name -> JPEG, each image once, however many cards show it.
        active: Active pixels of all pictures in the order of the cards, uint8 [N, g, g'].
    """

    cards: tuple[CardResult, ...]
    images: dict[str, bytes]
    active: NDArray[np.uint8]


def card_files(order: Sequence[int], pictures: PicturesState) -> CardFiles:
    """Cards of the filters in this order, from what the visit saw.

    Args:
        order: Filters that are to be shown, the most distinctly named first.
        pictures: Their pictures; filters without a readable one are left out.
    """
    jpegs, samples = jpegs_by_row(pictures), samples_by_row(pictures)
    cards: list[CardResult] = []
    active: list[Tensor] = []
    images: dict[str, bytes] = {}
    first = 0
    for unit in order:
        at = (pictures.card_unit == unit).nonzero().flatten()
        rows = pictures.card_row[at].tolist()
        if not rows:
            continue
        images |= {file_name(row): jpegs[row] for row in rows}
        cards.append(
            CardResult(
                unit=unit,
                images=tuple(file_name(row) for row in rows),
                samples=tuple(samples[row] for row in rows),
                activations=tuple(pictures.card_value[at].tolist()),
                first=first,
            )
        )
        active.append(pictures.card_active[at])
        first += len(rows)
    whole = torch.cat([pictures.card_active[:0], *active])
    return CardFiles(tuple(cards), images, whole.to(torch.uint8).numpy())


def file_name(row: int) -> str:
    """`row-0000012.jpg`: a picture is stored once, whichever filters show it."""
    return f"row-{row:07d}.jpg"


def jpegs_by_row(pictures: PicturesState) -> dict[int, bytes]:
    """The pictures, by row of the split."""
    return dict(
        zip(pictures.jpeg_row.tolist(), pieces(pictures.jpegs, pictures.jpeg_end), strict=True)
    )


def samples_by_row(pictures: PicturesState) -> dict[int, str]:
    """Sample ids of the pictures, by row of the split."""
    ids = (piece.decode() for piece in pieces(pictures.ids, pictures.id_end))
    return dict(zip(pictures.jpeg_row.tolist(), ids, strict=True))


def pieces(content: Tensor, ends: Tensor) -> list[bytes]:
    """Bytes that lie one after the other, cut where each ends.

    Args:
        content: uint8 [bytes].
        ends: int64 [Q], ascending.
    """
    whole, cuts = content.numpy().tobytes(), [0, *ends.tolist()]
    return [whole[start:end] for start, end in pairwise(cuts)]


def dissection_table(context: Context, overlaps: Tensor) -> dict[str, list[Any]]:
    """Every filter with every concept that it overlaps at all, `unit`, `concept`, `iou`."""
    units, concepts = (overlaps > WORTH_A_ROW).nonzero(as_tuple=True)
    return {
        "unit": units.tolist(),
        "concept": [context.concepts[concept].name for concept in concepts.tolist()],
        "iou": overlaps[units, concepts].tolist(),
    }


def word_table(filters: Sequence[FilterResult]) -> dict[str, list[Any]]:
    """Every word of every filter; `rank` counts from 1."""
    pairs = [(one, rank, word) for one in filters for rank, word in enumerate(one.words, start=1)]
    return {
        "unit": [one.unit for one, _, _ in pairs],
        "outcome": [one.outcome for one, _, _ in pairs],
        "rank": [rank for _, rank, _ in pairs],
        "word": [word.word for _, _, word in pairs],
        "share": [word.share for _, _, word in pairs],
        "by_chance": [word.by_chance for _, _, word in pairs],
        "stands_out": [word.stands_out for _, _, word in pairs],
        "score": [word.score for _, _, word in pairs],
        "novel": [word.novel for _, _, word in pairs],
    }


def recall_table(rows: Sequence[RecallResult]) -> dict[str, list[Any]]:
    """Recall, precision and the difference to whole images, with intervals."""
    plain = ("method", "candidates", "scope", "k", "num_filters", "num_pairs")
    table: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in plain}
    for name in ("recall", "precision", "difference"):
        measured = [getattr(row, name) for row in rows]
        for end in ("value", "low", "high"):
            column = name if end == "value" else f"{name}_{end}"
            table[column] = [one and getattr(one, end) for one in measured]
    return table
