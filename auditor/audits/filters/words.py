"""Words and small questions about a result that several sentences, tables and figures share."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.audits.filters.result import (
    Candidates,
    FilterOutcome,
    FilterResult,
    FiltersResult,
    Method,
    RecallResult,
    Scope,
)
from auditor.results.estimate import Estimate
from auditor.wording import plain, with_interval

METHODS: dict[Method, str] = {
    "paper": "filter attention",
    "release": "filter attention as released",
    "activation": "active places only",
    "original": "the whole picture",
    "image": "the picture, masked",
}
"""What the explainer was shown, where there is little room."""

BASELINES: tuple[Method, ...] = ("original", "image", "activation")
"""Ways of showing a picture that know less of the filter, or nothing."""

SCOPES: dict[Scope, str] = {
    "all": "all",
    "seen": "learnt from",
    "held_out": "never seen",
}
"""Which concepts count."""

CANDIDATES: dict[Candidates, str] = {
    "concepts": "the annotated concepts",
    "vocabulary": "every word",
}
"""Among what the explainer chose."""

OUTCOMES: dict[FilterOutcome, str] = {
    "named": "named",
    "no_name": "no name",
    "dead": "never active",
    "not_tried": "not tried",
}
"""Outcomes as a table says them."""

RULES = {
    "spec": "named in the spec",
    "whole": "the name itself",
    "stem": "the name without its ending",
    "parts": "the parts of the name",
    "unknown": "unknown to the vocabulary",
    "none": "no vocabulary",
}
"""How a concept's words were found."""

KS = (5, 10, 20)
"""Numbers of answers that recall and precision look at."""


def noun(result: FiltersResult) -> str:
    """`filter` where it has places; else `unit`, such as an output of the network."""
    return "filter" if result.start is None else "unit"


def with_outcome(result: FiltersResult, outcome: FilterOutcome) -> tuple[FilterResult, ...]:
    """Filters of one outcome."""
    return tuple(found for found in result.filters if found.outcome == outcome)


def detectors(result: FiltersResult) -> tuple[FilterResult, ...]:
    """Filters with a confirmed concept."""
    return tuple(f for f in result.filters if f.match is not None and f.match.detector)


def detected(result: FiltersResult) -> tuple[tuple[str, tuple[FilterResult, ...]], ...]:
    """Concepts with the filters that detect them, best first; the most detected concept first."""
    found: dict[str, list[FilterResult]] = {}
    for unit in detectors(result):
        if unit.match is not None:
            found.setdefault(unit.match.concept, []).append(unit)
    listed = [(name, tuple(sorted(units, key=best_first))) for name, units in found.items()]
    return tuple(sorted(listed, key=lambda pair: (-len(pair[1]), *best_first(pair[1][0]))))


def best_first(unit: FilterResult) -> tuple[float, int]:
    """Sorts filters by how well they fit their concept."""
    value = unit.match.iou.value if unit.match is not None else None
    return -(value or 0.0), unit.unit


def recalls(
    result: FiltersResult, candidates: Candidates, scope: Scope, k: int
) -> dict[Method, RecallResult]:
    """What was measured for every way of showing a picture, in the order of tables."""
    found = {
        row.method: row
        for row in result.recall
        if (row.candidates, row.scope, row.k) == (candidates, scope, k)
    }
    return {method: found[method] for method in METHODS if method in found}


def num_candidates(result: FiltersResult) -> int:
    """Concepts that an answer is chosen from: enough photos list them, and they have a word."""
    return sum(concept.audited and bool(concept.words) for concept in result.concepts)


def by_chance(result: FiltersResult, k: int) -> float | None:
    """Recall of k answers drawn at random from the annotated concepts."""
    among = num_candidates(result)
    return min(1.0, k / among) if among else None


def overlap(estimate: Estimate) -> str:
    """`0.012 (0.008 to 0.017)`: most intersections over union are small."""
    return with_interval(estimate, 3)


def quoted(words: Sequence[str]) -> list[str]:
    """Names from files, each on one line."""
    return [plain(word) for word in words]
