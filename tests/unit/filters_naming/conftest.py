"""States of the filter audit in which it is known what each filter looks at.

Concept k has channel k of the layer to itself. Filter u looks at concept `looks_at[u]`: what its
attention leaves of an image is that channel. A filter that looks at -1 is noise: what is left is a
random mixture, as in the null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from auditor.audits.filters.assemble import outcome
from auditor.audits.filters.explaining import explained_state
from auditor.audits.filters.result import FilterResult, FiltersResult
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.states import (
    IMAGE_FOLDS,
    ExplainedState,
    PicturesState,
    RegionsState,
    SelectedState,
)
from auditor.context import Concept, Context, Words
from auditor.measure.jpeg import jpeg
from auditor.measure.vocabulary import Vocabulary
from auditor.results.finding import Finding
from auditor.results.outcome import Outcome

GRID = (6, 8)
ANIMALS = ("cat", "dog", "cow", "hen", "bee", "ant", "owl", "fox", "rat", "bat", "eel", "emu")


@dataclass(frozen=True)
class World:
    """Concepts, filters and images.

    Attributes:
        concepts: Names of the annotated concepts.
        looks_at: What each filter looks at; -1 noise, -2 dead.
        words: The vocabulary; by default the concepts and as many other words.
        num_images: Images of the split.
        photos: Photos that list each concept.
        iou: Intersection over union of a filter with what it looks at.
        blind: Ways of showing an image, by number, that leave a random mixture of every image.
    """

    concepts: tuple[str, ...] = ANIMALS
    looks_at: tuple[int, ...] = (*range(12), -1, -1, -1, -1)
    words: tuple[str, ...] = (*ANIMALS, *(f"word{k}" for k in range(12)))
    num_images: int = 300
    photos: int = 20
    iou: float = 0.5
    blind: tuple[int, ...] = ()
    seed: int = 0

    @property
    def num_units(self) -> int:
        return len(self.looks_at)

    @property
    def num_channels(self) -> int:
        return max(len(self.concepts), 4) + 4


def make_spec(**changes: Any) -> FiltersSpec:
    """A quick explainer, and whatever is changed of the spec."""
    explainer = {"epochs": 15, "learning_rate": 0.03, "batch_size": 64, "num_hidden": 24}
    fields = {
        "kind": "filters",
        "layer": "features.3",
        "explainer": {**explainer, "dropout": 0.0, "folds": 3},
        "naming": {"images": 10, "words_per_image": 3, "words": 5, "draws": 99},
        "cards": {"filters": 4, "images": 2},
    }
    return FiltersSpec.model_validate({**fields, **changes})


def make_context(world: World, **changes: Any) -> Context:
    """The context of a world."""
    fields: dict[str, Any] = {
        "audit": "filters",
        "attributes": (),
        "rules": (),
        "relations": (),
        "head": "multi_class",
        "num_available": {"test": world.num_images},
        "seed": 3,
        "model_title": "a small network",
        "concepts": tuple(Concept(name) for name in world.concepts),
        "words": Words("twenty-four words", made=False, concepts={}),
    }
    return Context(**{**fields, **changes})


def make_vocabulary(words: Sequence[str], entities: Sequence[str] | None = None) -> Vocabulary:
    """Words at right angles to each other."""
    known = [entities is None or word in entities for word in words]
    return Vocabulary(tuple(words), torch.eye(len(words)), torch.tensor(known))


def make_selected(world: World, spec: FiltersSpec) -> SelectedState:
    """Thresholds and most activating images of a world's filters."""
    generator = torch.Generator().manual_seed(world.seed)
    alive = torch.tensor([target != -2 for target in world.looks_at])
    units = alive.nonzero().flatten().repeat_interleave(spec.naming.images)
    rows = drawn_rows(world, spec, generator)
    return SelectedState(
        thresholds=torch.where(alive, 1.0, torch.inf),
        alive=alive,
        peak=torch.where(alive, 3.0, 0.0),
        num_images=torch.tensor([world.num_images]),
        side=torch.tensor([3, 4]),
        exact=torch.tensor([True]),
        rank_error=torch.zeros(1, dtype=torch.float64),
        pair_unit=units,
        pair_row=rows,
        pair_value=torch.linspace(3, 2, spec.naming.images).repeat(int(alive.sum())),
        null_unit=units.clone(),
        null_row=drawn_rows(world, spec, generator),
        evaluated=alive.nonzero().flatten()[: spec.naming.evaluated],
    )


def make_regions(world: World, spec: FiltersSpec, selected: SelectedState) -> RegionsState:
    """What the pass over the images of a world would find."""
    generator = torch.Generator().manual_seed(world.seed + 1)
    buckets = torch.randint(2**31, (world.num_images,), generator=generator)
    target = torch.tensor(world.looks_at)[selected.pair_unit]
    seen = patterns(world, target, generator)
    ways = torch.stack([seen, seen, seen, seen], 1)
    for way in world.blind:
        ways[:, way] = patterns(world, torch.full_like(target, -1), generator)
    concept = torch.arange(len(world.concepts)).repeat(world.photos)
    photo = torch.randint(world.num_images, (len(concept),), generator=generator)
    truth = torch.zeros(len(target), len(world.concepts), dtype=torch.bool)
    planted = (target >= 0).nonzero().flatten()
    truth[planted, target[planted]] = True
    asked = torch.isin(selected.pair_unit, selected.evaluated)
    nothing = torch.full_like(selected.null_unit, -1)
    return RegionsState(
        **pixels(world),
        num_annotated=torch.tensor([world.num_images]),
        grid=torch.tensor(GRID),
        region_features=patterns(world, concept, generator),
        region_concept=concept,
        region_bucket=buckets[photo],
        pair_unit=selected.pair_unit,
        pair_row=selected.pair_row,
        pair_bucket=buckets[selected.pair_row],
        pair_extent=torch.ones(len(target)),
        pair_features=seen,
        pair_truth=truth,
        other_unit=selected.pair_unit[asked],
        other_row=selected.pair_row[asked],
        other_features=ways[asked],
        null_unit=selected.null_unit,
        null_extent=torch.ones(len(nothing)),
        null_features=patterns(world, nothing, generator),
    )


def make_pictures(
    spec: FiltersSpec, selected: SelectedState, regions: RegionsState, explained: ExplainedState
) -> PicturesState:
    """What the visit would see; masking in pixels leaves of an image what attention does."""
    unit, row = [], []
    for card in explained.cards.tolist():
        rows = selected.pair_row[selected.pair_unit == card][: spec.cards.images]
        unit += [card] * len(rows)
        row += rows.tolist()
    shown = sorted(set(row))
    files = [jpeg(torch.full((3, 8, 8), k % 256, dtype=torch.uint8)) for k in shown]
    ids = [f"Ünit {k}.jpg".encode() for k in shown]
    masked = torch.isin(regions.pair_unit, explained.masked)
    active = torch.zeros(len(unit), *GRID, dtype=torch.bool)
    active[:, 0] = True
    return PicturesState(
        card_unit=torch.tensor(unit, dtype=torch.int64),
        card_row=torch.tensor(row, dtype=torch.int64),
        card_value=torch.linspace(3, 2, len(unit)),
        card_active=active,
        jpegs=one_after_the_other(files),
        jpeg_row=torch.tensor(shown, dtype=torch.int64),
        jpeg_end=ends_of(files),
        ids=one_after_the_other(ids),
        id_end=ends_of(ids),
        masked_unit=regions.pair_unit[masked],
        masked_row=regions.pair_row[masked],
        masked_features=regions.pair_features[masked],
    )


def one_after_the_other(pieces: Sequence[bytes]) -> Tensor:
    """Bytes of all pieces, uint8; one byte that belongs to none where there are none."""
    return torch.frombuffer(bytearray(b"".join(pieces) or b"."), dtype=torch.uint8)


def ends_of(pieces: Sequence[bytes]) -> Tensor:
    """Where each piece ends."""
    return torch.tensor([len(piece) for piece in pieces], dtype=torch.int64).cumsum(0)


def drawn_rows(world: World, spec: FiltersSpec, generator: torch.Generator) -> Tensor:
    """Different random rows for each living filter, one filter after the other."""
    alive = sum(target != -2 for target in world.looks_at)
    rows = [
        torch.randperm(world.num_images, generator=generator)[: spec.naming.images]
        for _ in range(alive)
    ]
    return torch.cat([torch.zeros(0, dtype=torch.int64), *rows])


def patterns(world: World, targets: Tensor, generator: torch.Generator) -> Tensor:
    """Channels of concepts with a little noise, or random mixtures for -1, float32 [N, d]."""
    shape = (len(targets), world.num_channels)
    mixed = torch.rand(shape, generator=generator)
    noise = 0.05 * torch.rand(shape, generator=generator)
    pure = torch.eye(world.num_channels)[targets.clamp_min(0)]
    return torch.where((targets >= 0).unsqueeze(1), pure + noise, mixed)


def pixels(world: World) -> dict[str, Tensor]:
    """Counts by which each filter overlaps what it looks at by `iou`, the same in every fold."""
    num_concepts = len(world.concepts)
    shape = (IMAGE_FOLDS, world.num_units, num_concepts)
    intersections = torch.zeros(shape, dtype=torch.float64)
    active = torch.zeros(IMAGE_FOLDS, world.num_units, 1, dtype=torch.float64)
    # Active pixels and area of 100 each: I / (200 - I) is the overlap wanted.
    both = 200 * world.iou / (1 + world.iou)
    for unit, target in enumerate(world.looks_at):
        active[:, unit] = 0.0 if target == -2 else 100.0
        if target >= 0:
            intersections[:, unit, target] = both
    per_fold = world.photos // IMAGE_FOLDS
    return {
        "intersections": intersections,
        "active_original": active,
        "active_lite": active.clone(),
        "areas": torch.full((IMAGE_FOLDS, num_concepts), 100.0, dtype=torch.float64),
        "images": torch.full((IMAGE_FOLDS, num_concepts), per_fold),
    }


def audited(
    world: World,
    *,
    entities: Sequence[str] | None = None,
    context: Context | None = None,
    **changes: Any,
) -> Outcome:
    """The whole judging half on one world, with whatever is changed of the spec."""
    spec = make_spec(**changes)
    context = context or make_context(world)
    vocabulary = make_vocabulary(world.words, entities) if spec.explainer else None
    selected = make_selected(world, spec)
    regions = make_regions(world, spec, selected)
    explained = explained_state(spec, context, selected, regions, vocabulary)
    pictures = make_pictures(spec, selected, regions, explained)
    return outcome(spec, context, selected, regions, explained, pictures, vocabulary)


def result_of(found: Outcome) -> FiltersResult:
    """The result, and proof that it survives the way to a file and back."""
    assert isinstance(found.result, FiltersResult)
    assert FiltersResult.model_validate_json(found.result.model_dump_json()) == found.result
    return found.result


def finding(found: Outcome, code: str, subject: str | None = None) -> Finding:
    """The one finding with a code, about a subject where one is given."""
    (one,) = (
        each
        for each in found.findings
        if each.code == code and (subject is None or subject in each.subjects)
    )
    return one


def top_word(one: FilterResult) -> str:
    """The first word of a filter."""
    return one.words[0].word
