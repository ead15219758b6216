"""One broken rule at length: the claim, the numbers, where it shows, where it hurts, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from auditor.audits.relationships import figures
from auditor.audits.relationships.result import (
    CellResult,
    PairResult,
    RelationResult,
    RelationshipsResult,
)
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.context import Rule
from auditor.drawing import Drawing, Tile
from auditor.results.finding import Finding
from auditor.spec.rule import Severity
from auditor.wording import (
    count,
    counted,
    interval,
    listing,
    number,
    p_value,
    percent_with_interval,
    plain,
    points_with_interval,
    sentence,
)

EXAMPLES_PER_CASE = 2

SHARED = 5
"""Filters that a sentence about what two attributes share looks at."""

NO_LOSS = "How the model does on the two combinations in which they come apart."

NOTICEABLE = 0.1
"""Correlations weaker than this are called small."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Images with one heat map per attribute.

    Attributes:
        images: File names in the audit's `images/`, K of them.
        maps: Heat maps [K, A, h, w], attributes in the order of the result.
        present: Labels [K, A]: 1 present, -1 absent, 0 unknown.
        channels: How much each filter contributes to each attribute's score [A, C].
    """

    images: tuple[str, ...] = ()
    maps: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0, 1, 1), np.float32))
    present: NDArray[np.int8] = field(default_factory=lambda: np.zeros((0, 0), np.int8))
    channels: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))


@dataclass(frozen=True)
class Reader:
    """What every sentence about this audit may draw on."""

    audit: str
    spec: RelationshipsSpec
    result: RelationshipsResult
    rules: Sequence[Rule]
    examples: Examples
    filters: Mapping[int, str] = field(default_factory=dict)
    """Filter of the audited layer -> words that another audit of the run suggests for it."""

    @cached_property
    def titles(self) -> Mapping[str, str]:
        return {attribute.name: plain(attribute.title) for attribute in self.result.attributes}

    def relation(self, pair: PairResult) -> RelationResult | None:
        return next((r for r in self.result.relations if r.name == pair.expect), None)

    def usual(self, pair: PairResult) -> float | None:
        relation = self.relation(pair)
        return relation.mean if relation else None

    def rule(self, pair: PairResult) -> Rule | None:
        both = {pair.a, pair.b}
        return next((rule for rule in self.rules if {rule.a, rule.b} == both), None)

    def relation_title(self, name: str) -> str:
        return plain(name.replace("_", " "))

    def pair_title(self, pair: PairResult) -> str:
        return f"{self.titles[pair.a]} and {self.titles[pair.b]}"


@dataclass(frozen=True)
class CellRow:
    """One combination of the two labels that the model may be worse on."""

    combination: str
    num_mined: str
    accuracy: str
    drop: str


@dataclass(frozen=True, eq=False)
class Case:
    """One broken rule as the report shows it at length."""

    pair: frozenset[str]
    number: int
    anchor: str
    title: str
    severity: Severity
    claim: str
    further: tuple[str, ...]
    numbers: tuple[str, ...]
    why: str
    drawing: Drawing | None
    examples: tuple[tuple[Tile, ...], ...]
    cells: tuple[CellRow, ...]
    loss: str
    baselines: tuple[str, ...]
    actions: tuple[str, ...]
    ids: tuple[str, ...]
    location: str


def make_case(reader: Reader, position: int, pair: PairResult, findings: Sequence[Finding]) -> Case:
    """One broken rule, from its pair and the findings about it."""
    rule = reader.rule(pair)
    claims = {f.code: sentence(plain(f.claim)) for f in findings}
    loss = claims.pop("FAILURE_MODE", NO_LOSS)
    claim, *further = claims.values() or [fallback_claim(reader, pair)]
    severities: tuple[Severity, ...] = ("error", "warning", "note")
    found = {f.severity for f in findings}
    titles = reader.titles
    return Case(
        pair=frozenset((pair.a, pair.b)),
        number=position,
        anchor=f"{reader.audit}-{pair.a}-{pair.b}",
        title=sentence(reader.pair_title(pair)).removesuffix("."),
        severity=next((s for s in severities if s in found), "error"),
        claim=claim,
        further=tuple(further),
        numbers=numbers(reader, pair),
        why=sentence(plain(rule.why)) if rule else "",
        drawing=figures.distribution(pair, reader.relation(pair), titles),
        examples=example_tiles(reader, pair),
        cells=tuple(cell_row(reader, pair, cell) for cell in pair.cells),
        loss=loss,
        baselines=baselines(reader, pair),
        actions=tuple(
            dict.fromkeys(sentence(plain(action)) for f in findings for action in f.actions)
        ),
        ids=tuple(f.id for f in findings),
        location=next((str(f.location) for f in findings if f.location), ""),
    )


def fallback_claim(reader: Reader, pair: PairResult) -> str:
    return f"The model relates {reader.pair_title(pair)} otherwise than the rule says."


def numbers(reader: Reader, pair: PairResult) -> tuple[str, ...]:
    strength = pair.cosine.value
    if strength is None:
        return ()
    around = interval(pair.cosine)
    usual = reader.usual(pair)
    seen = pair.cosine.num_samples
    toward = "for" if strength >= 0 else "against"
    first = (
        f"In {counted(seen, 'picture')} that show either"
        if seen
        else "In pictures that show either"
    )
    first += (
        f", the parts of the picture that speak for the one speak {toward} the other with strength "
        f"{number(strength)}" + (f" ({around})" if around else "") + " on a scale from −1 to 1"
    )
    first += f", where {number(usual)} is usual." if usual is not None else "."
    second = ""
    if pair.robust_z.value is not None:
        second = (
            f"That is {number(abs(pair.robust_z.value), 1)} times as far from the usual as pairs "
            f"of this kind commonly stray{chance(pair)}."
        )
    return tuple(filter(None, (first, second, known(reader, pair), shared_filters(reader, pair))))


def shared_filters(reader: Reader, pair: PairResult) -> str:
    """The named filters that count most for both attributes; a number alone would say nothing."""
    channels, names = reader.examples.channels, [a.name for a in reader.result.attributes]
    if not reader.filters or not channels.size:
        return ""
    own = channels[[names.index(pair.a), names.index(pair.b)]]
    shares = (own / np.maximum(own.sum(axis=1, keepdims=True), 1e-12)).min(axis=0)
    strongest = [int(k) for k in np.argsort(-shares, kind="stable")[:SHARED] if shares[k] > 0]
    named = [f"filter {k} (“{plain(reader.filters[k])}”)" for k in strongest if k in reader.filters]
    if not named:
        return ""
    return (
        f"Among the {counted(SHARED, 'filter')} that count most for both, the words suggested for "
        f"{listing(named)} may say what they share."
    )


def known(reader: Reader, pair: PairResult) -> str:
    """How well the model knows both attributes: a tie to one it never learnt would mean little."""
    found = {attribute.name: attribute.balanced_accuracy for attribute in reader.result.attributes}
    a, b = (
        f"{reader.titles[name]} in {percent_with_interval(found[name])}"
        for name in (pair.a, pair.b)
    )
    return (
        f"The model is right about {a} of the pictures and about {b}, where pictures with and "
        "without count equally."
    )


def chance(pair: PairResult) -> str:
    p = pair.p_adjusted.value
    if p is None:
        return ""
    relation = p_value(p) if p < 0.001 else f"= {p_value(p)}"
    return f" (p {relation} after correction for all rules)"


def example_tiles(reader: Reader, pair: PairResult) -> tuple[tuple[Tile, ...], ...]:
    """Typical examples rather than striking ones: the pair's tie is nearest its mean there."""
    examples, names = reader.examples, [a.name for a in reader.result.attributes]
    if not examples.images or pair.cosine.value is None:
        return ()
    columns = [names.index(pair.a), names.index(pair.b)]
    shown = np.flatnonzero((examples.present[:, columns] > 0).any(axis=1))
    maps = examples.maps[shown][:, columns].astype(np.float64).reshape(len(shown), 2, -1)
    norms = np.linalg.norm(maps, axis=2)
    usable = (norms > 0).all(axis=1)
    shown, maps, norms = shown[usable], maps[usable], norms[usable]
    ties = (maps[:, 0] * maps[:, 1]).sum(axis=1) / (norms[:, 0] * norms[:, 1])
    if not len(ties):
        return ()
    order = np.argsort(np.abs(ties - np.median(ties)), kind="stable")
    return tuple(tiles(reader, pair, int(shown[i])) for i in order[:EXAMPLES_PER_CASE])


def tiles(reader: Reader, pair: PairResult, row: int) -> tuple[Tile, ...]:
    names = [a.name for a in reader.result.attributes]
    image = reader.examples.images[row]
    labels = " · ".join(
        f"{reader.titles[name]}: {label(reader.examples.present[row, names.index(name)])}"
        for name in (pair.a, pair.b)
    )
    heat = tuple(
        Tile(
            image=image,
            alt=f"Heat map: which parts of the example picture count for {reader.titles[name]}.",
            caption=f"counts for {reader.titles[name]}",
            heat=reader.examples.maps[row, names.index(name)].astype(np.float32),
        )
        for name in (pair.a, pair.b)
    )
    return (Tile(image=image, alt=f"Example picture. {labels}.", caption=labels), *heat)


def label(present: int) -> str:
    return {1: "yes", -1: "no"}.get(int(present), "unknown")


def combination(reader: Reader, pair: PairResult, present: tuple[bool, bool]) -> str:
    a, b = reader.titles[pair.a], reader.titles[pair.b]
    match present:
        case (True, True):
            return f"both {a} and {b}"
        case (True, False):
            return f"{a} but not {b}"
        case (False, True):
            return f"{b} but not {a}"
        case _:
            return f"neither {a} nor {b}"


def cell_row(reader: Reader, pair: PairResult, cell: CellResult) -> CellRow:
    accuracy = percent_with_interval(cell.accuracy)
    if cell.accuracy.value is None:
        accuracy = plain(cell.accuracy.reason or accuracy)
    return CellRow(
        combination=combination(reader, pair, cell.present),
        num_mined=count(cell.num_mined),
        accuracy=accuracy,
        drop=points_with_interval(cell.drop),
    )


def baselines(reader: Reader, pair: PairResult) -> tuple[str, ...]:
    """What two simple looks without the network's inside would have said."""
    found = []
    phi = pair.label_correlation.value
    if phi is not None and abs(phi) >= NOTICEABLE:
        how = "go together" if phi > 0 else "exclude each other"
        found.append(
            f"The labels of the training pictures {how} as well (correlation {number(phi)}), so "
            "the model may have learnt the tie from them."
        )
    elif phi is not None:
        found.append(
            f"The labels of the training pictures do not show the tie (correlation {number(phi)})."
        )
    weight = pair.regression.value
    if weight is not None:
        size = "noticeably" if abs(weight) >= NOTICEABLE else "hardly"
        found.append(
            f"The model's score for one of the two moves {size} with the label of the other when "
            f"all other labels are held fixed (standardised weight {number(weight)})."
        )
    return tuple(found)
