"""A scan with a model and an extractor: one decoding, one pass each, and what the folds get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch

from auditor.adapters.models.preprocess import fit_geometry
from auditor.context import Context
from auditor.engine.networks import passed, refuse_other_classes
from auditor.errors import InputError
from auditor.measure.fold import Batch
from auditor.needs import Fold, NetworkRole, Output
from auditor.spec.model import Preprocess
from tests.unit.engine.conftest import LOGITS, Bench, Look, Seen, look, placed, small_network

GRADIENTS = Output(kind="jacobian", layer="1", outputs=(0, 3))
MAPS = Output(kind="features", network="extractor", layer="3", pool="mean")
PEAKS = Output(kind="features", network="extractor", layer="1", pool="max")
UNITS = Output(kind="features", network="extractor", layer="5", pool="mean")
OWN_UNITS = Output(kind="features", network="model", layer="3", pool="mean")
THEIR_LOGITS = Output(kind="logits", network="extractor")


@dataclass(frozen=True)
class Keep(Look):
    """A fold that keeps its batches."""

    batches: list[Batch] = field(default_factory=list)

    def measure(self, batch: Batch) -> Seen:
        self.batches.append(batch)
        return super().measure(batch)


def keep(name: str, *outputs: Output, audit: str = "a") -> tuple[Fold, Keep]:
    return look(name, *outputs, audit=audit)[0], Keep(outputs)


def test_images_are_decoded_once_and_each_network_runs_once(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(30)
    bench.run(
        look("logits", LOGITS),
        look("both", LOGITS, MAPS, PEAKS),
        look("features", UNITS, audit="b"),
        look("gradients", GRADIENTS, OWN_UNITS, THEIR_LOGITS, audit="c"),
        look("rows", audit="d"),
    )
    assert set(bench.dataset.decoded.values()) == {1}
    assert len(bench.dataset.decoded) == 30
    assert {role: sum(sizes) for role, sizes in bench.passes.items()} == {
        "model": 30,
        "extractor": 30,
    }


def test_an_extractor_that_is_the_model_needs_no_pass_of_its_own(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(30)
    bench.run(look("table", LOGITS, OWN_UNITS))
    assert {role: sum(sizes) for role, sizes in bench.passes.items()} == {
        "model": 30,
        "extractor": 0,
    }


def test_features_are_the_pooled_outputs_of_the_layer(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(30)
    fold, kept = keep("f", LOGITS, MAPS, PEAKS, UNITS)
    bench.run((fold, kept))
    module = small_network()
    for batch in kept.batches:
        rows = [int(name) for name in batch.ids]
        assert batch.rows.tolist() == rows
        images = bench.dataset.images[rows].float() / 255
        early, late, logits = module[:2](images), module[:4](images), module(images)
        torch.testing.assert_close(batch.outputs[PEAKS], early.amax((2, 3)))
        torch.testing.assert_close(batch.outputs[MAPS], late.mean((2, 3)))
        torch.testing.assert_close(batch.outputs[UNITS], logits)
        torch.testing.assert_close(batch.outputs[LOGITS], logits)
        assert not batch.outputs[MAPS].requires_grad


def test_networks_that_see_images_alike_share_one_tensor(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(8)
    bench.preprocess = {
        "model": Preprocess(crop=8, mean=(0.5, 0.5, 0.5)),
        "extractor": Preprocess(crop=8, std=(0.2, 0.2, 0.2)),
    }
    fold, kept = keep("f", LOGITS, MAPS)
    bench.run((fold, kept))
    for batch in kept.batches:
        assert batch.pixels["model"] is batch.pixels["extractor"]


def test_each_network_gets_its_own_resize_and_crop(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(8)
    network = torch.nn.Sequential(*small_network()[:4], torch.nn.Flatten(), torch.nn.LazyLinear(5))
    network(torch.zeros(1, 3, 12, 12))
    bench.networks["extractor"] = placed(network.eval())
    larger = Preprocess(resize=14, crop=12)
    bench.preprocess = {"model": Preprocess(), "extractor": larger}
    fold, kept = keep("f", LOGITS, MAPS)
    bench.run((fold, kept))
    assert set(bench.dataset.decoded.values()) == {1}
    for batch in kept.batches:
        images = bench.dataset.images[batch.rows]
        assert torch.equal(batch.pixels["model"], images)
        expected = torch.stack([fit_geometry(image, larger) for image in images])
        assert torch.equal(batch.pixels["extractor"], expected)


def test_unreadable_images_are_left_out_of_everything(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(30, broken=frozenset({3, 17}), max_unreadable=0.1)
    fold, kept = keep("f", LOGITS, MAPS)
    found = bench.run((fold, kept), look("rows"))
    assert {image.sample for image in found.quarantined} == {"003", "017"}
    seen = torch.cat([batch.rows for batch in kept.batches]).tolist()
    assert sorted(seen) == sorted(set(range(30)) - {3, 17})
    for batch in kept.batches:
        sizes = {len(batch.rows), len(batch.attributes), len(batch.outputs[MAPS])}
        assert sizes == {len(batch.ids)} == {len(batch.pixels["extractor"])}
    assert len(found.states["a/rows"].samples) == 30


def test_features_that_are_not_finite_pass_and_scores_do_not(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(6)
    broken = small_network()
    with torch.no_grad():
        broken[2].bias[1] = float("nan")
    bench.networks["extractor"] = placed(broken)
    fold, kept = keep("f", LOGITS, MAPS)
    found = bench.run((fold, kept))
    assert not found.failed
    for batch in kept.batches:
        assert batch.outputs[MAPS].isnan().any(0).tolist() == [False, True, False, False]
    with pytest.raises(InputError, match=r"extractor's scores are NaN.*samples 00\d") as caught:
        bench.run(look("scores", THEIR_LOGITS, MAPS))
    assert "extractor.preprocess" in str(caught.value)


def test_an_extractor_without_scores_lends_its_units(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(6)
    bench.networks["extractor"] = placed(small_network()[:4])
    fold, kept = keep("f", LOGITS, MAPS)
    assert not bench.run((fold, kept)).failed
    with pytest.raises(InputError, match="not one row of logits per image"):
        bench.run(look("scores", THEIR_LOGITS))


def test_a_layer_without_units_names_the_next_move(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(6)
    deep = torch.nn.Sequential(torch.nn.Unflatten(1, (1, 3)), torch.nn.Flatten())
    bench.networks["extractor"] = placed(torch.nn.Sequential(deep, torch.nn.Linear(192, 5)))
    with pytest.raises(InputError, match="no units to read as features"):
        bench.run(look("f", Output(kind="features", network="extractor", layer="0.0", pool="max")))


def test_an_extractor_of_another_input_size_names_size_and_next_move(
    make_bench: Callable[..., Bench],
) -> None:
    sample = torch.zeros(3, 40, 24, dtype=torch.uint8)
    with pytest.raises(InputError, match="extractor cannot take images of 24×40") as caught:
        passed(make_bench(1).networks["extractor"], sample, "extractor")
    assert "`extractor.preprocess.resize`" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("role", "move"), [("model", "was fitted on these classes"), ("extractor", "audits.a.inspect")]
)
def test_a_classifier_with_other_outputs_than_there_are_classes_is_refused(
    role: NetworkRole, move: str
) -> None:
    known = Context(
        audit="a",
        attributes=(),
        rules=(),
        relations=(),
        head="multi_class",
        num_available={},
        seed=0,
        classes=("cat", "dog", "frog"),
    )
    refuse_other_classes(torch.zeros(1, 3), known, role)
    with pytest.raises(InputError, match=f"the {role} has 5 outputs.*3 classes") as caught:
        refuse_other_classes(torch.zeros(1, 5), known, role)
    assert move in str(caught.value)


def test_a_fold_with_a_row_limit_sees_a_prefix_of_every_network(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(30)
    fold, _ = look("few", LOGITS, MAPS, max_rows=10)
    few = Keep((LOGITS, MAPS))
    every_fold, every = keep("all", LOGITS, MAPS)
    bench.run((fold, few), (every_fold, every))
    part = torch.cat([batch.outputs[MAPS] for batch in few.batches])
    assert torch.equal(part, torch.cat([batch.outputs[MAPS] for batch in every.batches])[:10])
    assert len(part) == 10
