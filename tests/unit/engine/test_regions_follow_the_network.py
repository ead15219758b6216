"""Annotated regions reach folds on a grid over what a network sees, and evidence costs no pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
import torch

from auditor.adapters.datasets.protocol import Regions, Unreadable
from auditor.engine.regions import grid_of, part_of
from auditor.errors import ExecutionError
from auditor.measure.features import evidence_maps
from auditor.measure.fold import Batch, Masks
from auditor.needs import Fold, Output
from auditor.spec.model import Preprocess
from tests.unit.engine.conftest import LOGITS, Bench, Look, Seen, look, small_network

MASKS = Output(kind="masks", size=8)
EVIDENCE = Output(kind="evidence", layer="5", start="3")


@dataclass(frozen=True)
class Keep(Look):
    """A fold that keeps its batches."""

    batches: list[Batch] = field(default_factory=list)

    def measure(self, batch: Batch) -> Seen:
        self.batches.append(batch)
        return super().measure(batch)


def keep(name: str, *outputs: Output) -> tuple[Fold, Keep]:
    return look(name, *outputs)[0], Keep(outputs)


def bright(row: int, image: torch.Tensor) -> Regions:
    """The pixels of the upper half that are red, and an empty region."""
    red = image[0] > 127
    red[4:] = False
    return Regions((row % 3, 7), torch.stack([red, torch.zeros_like(red)]))


def annotated(bench: Bench) -> Bench:
    found = {row: bright(row, image) for row, image in enumerate(bench.dataset.images)}
    return replace(bench, dataset=replace(bench.dataset, annotations=found))


def test_every_image_meets_its_own_regions_whatever_the_batch(
    make_bench: Callable[..., Bench],
) -> None:
    for size in (1, 3, 8):
        bench = annotated(make_bench(12, broken=frozenset({5}), max_unreadable=1.0))
        bench.batch_size = size
        fold, kept = keep(f"f{size}", LOGITS, MASKS)
        bench.run((fold, kept))
        seen = set()
        for batch in kept.batches:
            masks = batch.masks[MASKS]
            assert masks.annotated.all()
            assert masks.image.tolist() == sorted(masks.image.tolist())
            for image, concept, mask in zip(masks.image, masks.concept, masks.masks, strict=True):
                row = int(batch.ids[image])
                expected = bright(row, bench.dataset.images[row])
                assert torch.equal(mask, expected.masks[expected.concepts.index(int(concept))])
                seen.add((row, int(concept)))
        assert seen == {(row, c) for row in range(12) if row != 5 for c in (row % 3, 7)}


def test_regions_without_a_network_are_read_all_the_same(make_bench: Callable[..., Bench]) -> None:
    bench = annotated(make_bench(9))
    fold, kept = keep("f", MASKS)
    bench.run((fold, kept))
    assert sum(len(batch.ids) for batch in kept.batches) == 9
    assert sum(map(sum, bench.passes.values())) == 0


def test_images_without_annotation_and_with_a_damaged_one_stay_and_are_told_apart(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(6, max_unreadable=1.0)
    small = Regions((0,), torch.ones(1, 4, 5, dtype=torch.bool))
    found = {0: bright(0, bench.dataset.images[0]), 2: Unreadable("no mask file"), 3: small}
    bench = replace(bench, dataset=replace(bench.dataset, annotations=found))
    fold, kept = keep("f", LOGITS, MASKS)
    scanned = bench.run((fold, kept))
    known = {
        int(name): bool(flag)
        for batch in kept.batches
        for name, flag in zip(batch.ids, batch.masks[MASKS].annotated, strict=True)
    }
    assert known == {0: True, 1: False, 2: False, 3: False, 4: False, 5: False}
    reasons = {each.sample: each.reason for each in scanned.quarantined}
    assert reasons == {
        "002": "no mask file",
        "003": "its regions are for 5×4 pixels, the image has 8×8",
    }


def test_too_many_unusable_annotations_stop_the_run(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(6, max_unreadable=0.2)
    found = {row: Unreadable("no mask file") for row in range(3)}
    bench = replace(bench, dataset=replace(bench.dataset, annotations=found))
    with pytest.raises(ExecutionError, match="no mask file"):
        bench.run(keep("f", LOGITS, MASKS))


def test_regions_are_cropped_like_the_image(make_bench: Callable[..., Bench]) -> None:
    bench = annotated(make_bench(4))
    bench.preprocess["model"] = Preprocess(crop=4)
    fold, kept = keep("f", MASKS)
    bench.run((fold, kept))
    for batch in kept.batches:
        masks = batch.masks[MASKS]
        for image, concept, mask in zip(masks.image, masks.concept, masks.masks, strict=True):
            if int(concept) != 7:
                whole = bright(0, bench.dataset.images[int(batch.ids[image])]).masks[0]
                assert torch.equal(mask, whole[2:6, 2:6])


@pytest.mark.parametrize(
    ("size", "given", "expected"),
    [
        (None, (224, 224), (112, 112)),
        (None, (48, 48), (48, 48)),
        (None, (64, 64), (48, 48)),
        (None, (32, 32), (32, 32)),
        (112, (224, 448), (112, 224)),
        (112, (100, 100), (100, 100)),
    ],
)
def test_the_grid_follows_the_input(
    size: int | None, given: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert grid_of(Output(kind="masks", size=size), given) == expected


def test_a_part_of_a_batch_keeps_the_regions_of_its_images_in_its_order() -> None:
    masks = Masks(
        annotated=torch.tensor([True, False, True]),
        image=torch.tensor([0, 0, 2]),
        concept=torch.tensor([4, 5, 6]),
        masks=torch.arange(3)[:, None, None] == torch.tensor([[[0, 1]]]),
    )
    part = part_of(masks, [2, 0])
    assert part.annotated.tolist() == [True, True]
    assert part.image.tolist() == [0, 1, 1]
    assert part.concept.tolist() == [6, 4, 5]
    assert torch.equal(part.masks, masks.masks[[2, 0, 1]])


def test_evidence_comes_from_the_one_pass_and_equals_each_units_own(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(7)
    fold, kept = keep("f", LOGITS, EVIDENCE, Output(kind="jacobian", layer="1", outputs=(0, 3)))
    bench.run((fold, kept))
    assert sum(bench.passes["model"]) == 7
    module = small_network()
    for batch in kept.batches:
        images = bench.network.prepare(batch.pixels["model"])
        found = batch.outputs[EVIDENCE]
        assert found.shape == (len(images), 5, 4, 4)
        for unit in range(5):
            units = torch.full((len(images),), unit)
            expected = evidence_maps(module, images, "5", units, start="3")
            assert torch.allclose(found[:, unit], expected, atol=1e-6)
        # The network above the start is linear: places add up to the score less its bias.
        whole = batch.outputs[LOGITS] - module[5].bias.detach()
        assert torch.allclose(found.sum((2, 3)), whole, atol=1e-4)
