"""A synthetic run of a filter audit, written by the store's own writer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.audits.filters.result import (
    CardResult,
    ConceptResult,
    FilterResult,
    FiltersResult,
    LearningResult,
    MatchResult,
    RecallResult,
    WordResult,
)
from auditor.catalog import AuditSpec
from auditor.results.base import canonical_json
from auditor.results.estimate import Estimate
from auditor.results.finding import Finding, make_finding
from auditor.results.outcome import Outcome
from auditor.results.run_record import InputRecord, Interval, RunRecord
from auditor.store.reader import Run, read_run
from tests.unit.finished_run import (
    HOST,
    audit_record,
    picture,
    provenance,
    share,
    write_finished_run,
)

CONCEPTS = (
    "hair", "face", "eye", "glasses", "mouth", "hat", "beard", "necktie", "ear", "nose",
    "flower", "badge", "traffic light", "wall-other-merged", "zamboni",
)  # fmt: skip
NOVEL = ("eyebrow", "smile", "spectacles", "scarf", "cheek", "monocle")
GRID = 28
WEIGHTS = "5a" * 32
"""Digest of the model's weights."""
LEVELS = {"paper": 0.52, "release": 0.5, "activation": 0.44, "original": 0.31, "image": 0.36}
"""Recall of the first five answers, by what the explainer was shown."""


def around(value: float, half: float = 0.04, n: int = 48) -> Estimate:
    value = min(max(value, 0.0), 1.0)
    return Estimate(
        value=round(value, 4),
        low=round(max(0.0, value - half), 4),
        high=round(min(1.0, value + half), 4),
        level=0.95,
        method="bootstrap",
        num_samples=n,
    )


def make_words(
    rng: np.random.Generator, concept: int, most: float, *, named: bool
) -> tuple[WordResult, ...]:
    """Ten words, the concept's own one first; every second one of a name stands out."""
    known = [CONCEPTS[concept], *(c for c in CONCEPTS[:12] if c != CONCEPTS[concept])]
    names = [known[0], NOVEL[concept % 6], known[1], NOVEL[(concept + 1) % 6], *known[2:8]]
    return tuple(
        WordResult(
            word=name,
            share=round(most * 0.8**i, 3),
            by_chance=0.05 if named and i % 2 == 0 else 0.2,
            stands_out=named and i % 2 == 0,
            score=round(0.62 - 0.04 * i - 0.02 * float(rng.random()), 3),
            novel=name in NOVEL,
        )
        for i, name in enumerate(names)
    )


def make_filter(rng: np.random.Generator, unit: int, *, worded: bool) -> FilterResult:
    """Every seventh filter is dead, every third of the others has no name."""
    dead = unit % 7 == 6
    named = worded and not dead and unit % 3 != 2
    concept = int(rng.integers(0, 12)) if unit > 8 else unit
    iou = 0.0 if dead else float(rng.gamma(2.0, 0.035)) + (0.05 if named else 0.0)
    held = iou * 0.92
    absent = Estimate.absent("it is never active" if dead else "no words were looked for")
    p = float(rng.uniform(0.0002, 0.02) if named else rng.uniform(0.2, 0.9))
    tried = worded and not dead
    return FilterResult(
        unit=unit,
        outcome="dead" if dead else "named" if named else "no_name" if worded else "not_tried",
        threshold=None if dead else round(float(rng.uniform(0.4, 3.2)), 4),
        peak=0.0 if dead else round(float(rng.uniform(4, 12)), 3),
        words=make_words(rng, concept, 0.72 if named else 0.24, named=named) if tried else (),
        statistic=around(8.0 if named else 0.4, 0.0) if tried else absent,
        p_value=Estimate(value=p / 2) if tried else absent,
        p_adjusted=Estimate(value=p) if tried else absent,
        match=None
        if dead
        else MatchResult(
            concept=CONCEPTS[concept],
            category=None,
            iou=around(iou, 0.012),
            held_out=around(held, 0.014),
            detector=min(iou, held) > 0.04,
        ),
        agrees=bool(unit % 4) if named else None,
    )


def make_concepts(filters: list[FilterResult]) -> tuple[ConceptResult, ...]:
    rules = {"traffic light": "parts", "wall-other-merged": "stem", "zamboni": "unknown"}
    words = {"traffic light": ("traffic", "light"), "wall-other-merged": ("wall",), "zamboni": ()}
    return tuple(
        ConceptResult(
            name=name,
            category=None,
            words=words.get(name, (name,)),
            rule=rules.get(name, "whole"),
            num_images=4 if name == "badge" else 320 - 20 * i,
            audited=name != "badge",
            num_detectors=sum(
                f.match is not None and f.match.detector and f.match.concept == name
                for f in filters
            ),
        )
        for i, name in enumerate(CONCEPTS)
    )


def make_recall(levels: dict[str, float]) -> tuple[RecallResult, ...]:
    rows = []
    for candidates, less in (("concepts", 1.0), ("vocabulary", 0.7)):
        for scope, factor in (("all", 1.0), ("seen", 1.05), ("held_out", 0.8)):
            for k, more in ((5, 0.0), (10, 0.14), (20, 0.3)):
                for method, level in levels.items():
                    value = less * factor * (level + more)
                    gap = value - less * factor * (levels.get("original", 0.0) + more)
                    paired = Estimate(value=gap, low=gap - 0.03, high=gap + 0.03, level=0.95)
                    rows.append(
                        RecallResult(
                            method=method,
                            candidates=candidates,
                            scope=scope,
                            k=k,
                            recall=around(value),
                            precision=around(value / k * 2, 0.01),
                            difference=None if method == "original" else paired,
                            num_filters=24 if method == "image" else 48,
                            num_pairs=500 if method == "image" else 1100,
                        )
                    )
    return tuple(rows)


def make_result(
    *,
    units: int = 64,
    worded: bool = True,
    made: bool = True,
    exact: bool = True,
    levels: dict[str, float] = LEVELS,
    cards: int = 6,
    images: int = 6,
    seed: int = 3,
    **changes: Any,
) -> FiltersResult:
    """A result with named, nameless and dead filters."""
    rng = np.random.default_rng(seed)
    filters = [make_filter(rng, unit, worded=worded) for unit in range(units)]
    shown = sorted((f for f in filters if f.outcome != "dead"), key=lambda f: f.outcome != "named")
    shown = [*shown[: max(cards - 1, 0)], *shown[-1:]][:cards]
    result = FiltersResult(
        split="test",
        inspected="model",
        network="Portraits network, four convolutions",
        layer="features.8",
        start=None,
        side=(16, 16),
        grid=(GRID, GRID),
        num_images=800,
        num_annotated=800,
        share=0.005,
        exact=exact,
        rank_error=0.0 if exact else 0.00041,
        denominator="original",
        detector=0.04,
        min_images=10,
        attention="paper" if worded else None,
        vocabulary="the everyday vocabulary" if worded else None,
        made=made and worded,
        num_words=1204 if worded else 0,
        alpha=0.05,
        filters=tuple(filters),
        concepts=make_concepts(filters),
        recall=make_recall(levels) if worded else (),
        agreement=share(21, 28) if worded else Estimate.absent("no words were looked for"),
        agreement_by_chance=Estimate(value=0.14, low=0.07, high=0.25, level=0.95)
        if worded
        else Estimate.absent("no words were looked for"),
        learning=LearningResult(
            loss="hinge",
            num_regions=6400,
            num_held_out=710,
            num_parameters=7236,
            best_epoch=3,
            training_losses=(9.1, 7.2, 6.4, 6.1),
            held_out_losses=(9.4, 7.6, 7.0, 7.1),
        )
        if worded
        else None,
        cards=tuple(
            CardResult(
                unit=f.unit,
                images=tuple(f"{(5 * n + i) % 24:04d}.jpg" for i in range(images)),
                samples=tuple(f"p{(5 * n + i) % 24}" for i in range(images)),
                activations=tuple(9.4 - 0.3 * i for i in range(images)),
                first=n * images,
            )
            for n, f in enumerate(shown)
        ),
        problems=("1 concept has no word in the vocabulary: zamboni",) if worded else (),
    )
    return result.model_copy(update=changes)


def make_findings(result: FiltersResult, audit: str) -> list[Finding]:
    named = sum(f.outcome == "named" for f in result.filters)
    return [
        make_finding(
            audit=audit,
            code="NAMED_FILTERS",
            verdict="pass",
            severity="note",
            claim=f"{named} of {len(result.filters)} filters of {result.layer} have a name.",
            subjects=(result.layer,),
            estimates={"share": share(named, len(result.filters))},
        ),
        make_finding(
            audit=audit,
            code="UNWANTED_CONCEPT",
            verdict="warn",
            severity="warning",
            claim="Filter 7 detects necktie, which should not matter.",
            subjects=("necktie",),
            estimates={"iou": around(0.08)},
            actions=("Look at the pictures of filter 7, and whether the decision uses it",),
        ),
    ]


def make_files(result: FiltersResult) -> tuple[dict[str, bytes], dict[str, np.ndarray]]:
    rng = np.random.default_rng(2)
    names = sorted({name for card in result.cards for name in card.images})
    number = sum(len(card.images) for card in result.cards)
    yy, xx = np.mgrid[0:GRID, 0:GRID] / (GRID - 1)
    active = np.stack(
        [
            (xx - a) ** 2 + ((yy - b) / 0.7) ** 2 < 0.03
            for a, b in rng.uniform(0.15, 0.85, (max(number, 1), 2))
        ]
    )
    return {name: picture(rng, 64) for name in names}, {"active": active}


def make_spec(result: FiltersResult, **report: object) -> AuditSpec:
    worded = result.attention is not None
    audit: dict[str, object] = {"kind": "filters", "layer": result.layer}
    return AuditSpec.model_validate_json(
        canonical_json(
            {
                "version": 1,
                "name": "portraits",
                "title": "Portrait attribute classifier, what its filters see",
                "purpose": "Decides which portraits enter the catalogue search.",
                "dataset": {"source": "portraits", "title": "Procedural portraits"},
                "model": {"source": "builtin", "name": "portraits_net", "num_outputs": 3},
                "vocabulary": {"source": "everyday"} if worded else None,
                "audits": {"filters": audit if worded else {**audit, "explainer": None}},
                "report": {"audience": "Model owners", **report},
            }
        )
    )


def make_record(findings: list[Finding], digest: str) -> RunRecord:
    inputs = (
        InputRecord(role="dataset test", name="portraits", digest="d" * 64, num_rows=800),
        InputRecord(role="model weights", name="net.safetensors", digest=WEIGHTS),
    )
    return RunRecord(
        run_id="20260301T140510Z-" + digest[:8],
        name="portraits",
        title="Portrait attribute classifier, what its filters see",
        status="ok",
        verdict="warn",
        exit_code=0,
        times=Interval(started="2026-03-01T14:05:10Z", ended="2026-03-01T14:06:42Z"),
        host=HOST,
        provenance=provenance(digest, command="auditor run portraits", inputs=inputs),
        audits=(audit_record("filters", "filters", "What the filters look at", "warn", findings),),
    )


def write_run(
    out: Path,
    *,
    result: FiltersResult | None = None,
    review: bytes | None = None,
    **report: object,
) -> Path:
    """Write one finished run and return its directory."""
    result = result or make_result()
    findings = make_findings(result, "filters")
    images, arrays = make_files(result)
    outcome = Outcome(
        result=result,
        findings=tuple(findings),
        arrays={"cards": arrays} if result.cards else {},
        images=images,
    )
    return write_finished_run(
        out,
        spec=make_spec(result, **report),
        outcomes={"filters": outcome},
        record=lambda digest: make_record(findings, digest),
        review=review,
    )


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with named, nameless and dead filters."""
    return read_run(write_run(tmp_path_factory.mktemp("runs")))


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Writes a run with another result or report settings."""
    return lambda **changes: read_run(write_run(tmp_path_factory.mktemp("runs"), **changes))


@pytest.fixture(scope="session")
def fixture_result() -> Callable[..., FiltersResult]:
    """Builds a result with other filters, recall or pictures."""
    return make_result
