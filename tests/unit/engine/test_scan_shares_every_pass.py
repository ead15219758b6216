"""Each image is decoded once and goes through the network once, whatever the folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from auditor.errors import ExecutionError, InputError
from auditor.measure.fold import Batch
from auditor.needs import Output
from tests.unit.engine.conftest import LOGITS, Bench, Look, Seen, look, placed, small_network

EARLY = Output(kind="jacobian", layer="1", outputs=(0, 3))
LATE = Output(kind="jacobian", layer="3", outputs=(3, 2))
FEATURES = Output(kind="activation", layer="0")


def samples(bench: Bench, state: object) -> list[int]:
    return state.samples.tolist()


def test_images_are_decoded_once_and_computed_once_for_all_folds(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(30)
    found = bench.run(
        look("logits", LOGITS),
        look("early", EARLY, FEATURES),
        look("late", LATE, LOGITS, audit="b"),
        look("rows", audit="c"),
    )
    assert set(bench.dataset.decoded.values()) == {1}
    assert len(bench.dataset.decoded) == 30
    assert sum(bench.passes["model"]) == 30
    assert {name: sorted(samples(bench, state)) for name, state in found.states.items()} == {
        name: list(range(30)) for name in ("a/logits", "a/early", "b/late", "c/rows")
    }


def test_shared_folds_see_what_they_would_see_alone(make_bench: Callable[..., Bench]) -> None:
    together = make_bench(30)
    found = together.run(look("early", EARLY), look("late", LATE, LOGITS), look("f", FEATURES))
    for name, outputs in {"early": (EARLY,), "late": (LATE, LOGITS), "f": (FEATURES,)}.items():
        alone = make_bench(30)
        alone.store = type(alone.store)(alone.store.root / name)
        state = alone.run(look(name, *outputs)).states[f"a/{name}"]
        assert torch.equal(state.samples, found.states[f"a/{name}"].samples)
        torch.testing.assert_close(state.total, found.states[f"a/{name}"].total)


class Draws(Look):
    """A fold whose numbers come from the global generator."""

    def measure(self, batch: Batch) -> Seen:
        return replace(super().measure(batch), total=torch.rand(1).double())


def test_random_numbers_of_a_fold_stay_when_another_audit_joins(
    make_bench: Callable[..., Bench],
) -> None:
    fold, _ = look("draws", LOGITS)
    alone, together = make_bench(30), make_bench(30)
    together.store = type(together.store)(together.store.root / "together")
    drawn = alone.run((fold, Draws((LOGITS,)))).states["a/draws"].total
    joined = together.run((fold, Draws((LOGITS,))), look("other", LOGITS, audit="b"))
    assert torch.equal(joined.states["a/draws"].total, drawn)


def test_outputs_are_what_autograd_says(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(4)
    pixels = bench.dataset.images
    computed = bench.network.compute(pixels, (EARLY, LATE, FEATURES, LOGITS))
    module = small_network()
    images = pixels.float() / 255
    assert torch.allclose(computed.logits, module(images))
    assert torch.allclose(computed.outputs[FEATURES], module[0](images))
    for output in (EARLY, LATE):
        cut = int(output.layer or 0) + 1
        x = module[:cut](images).detach().requires_grad_()
        logits = module[cut:](x)
        for row, index in enumerate(output.outputs):
            (expected,) = torch.autograd.grad(logits[:, index].sum(), x, retain_graph=True)
            assert torch.allclose(computed.outputs[output][:, row], expected)


def test_the_network_is_left_as_found(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(10)
    module = bench.network.module.train()
    module[0].eval()
    module[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    hooks = [len(each._forward_hooks) for each in module.modules()]
    bench.run(look("early", EARLY, FEATURES), look("logits", LOGITS))
    assert [each.training for each in module.modules()][:2] == [True, False]
    assert [len(each._forward_hooks) for each in module.modules()] == hooks
    assert [p.requires_grad for p in module.parameters()][:2] == [False, True]
    assert all(p.grad is None for p in module.parameters())
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_a_fold_that_has_seen_enough_gets_no_further_shard(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(30)
    found = bench.run(look("stops", LOGITS, stop_after=9), look("rows", audit="b"))
    assert len(samples(bench, found.states["a/stops"])) == 16
    assert len(samples(bench, found.states["b/rows"])) == 30
    assert sum(bench.dataset.decoded.values()) == 16, "rows that nobody looks at are not decoded"


def test_a_scan_ends_when_all_its_folds_have_seen_enough(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(30)
    bench.run(look("stops", LOGITS, stop_after=1), look("few", LOGITS, max_rows=5))
    assert sum(bench.dataset.decoded.values()) == 8
    assert len(bench.store.done("a-stops")) == 1


def test_a_fold_with_a_row_limit_sees_a_prefix(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(30)
    found = bench.run(look("few", LOGITS, max_rows=10), look("all", LOGITS))
    few, every = (samples(bench, found.states[f"a/{name}"]) for name in ("few", "all"))
    assert few == every[:10]


@pytest.mark.parametrize("num_workers", [0, 3])
def test_threads_that_decode_ahead_change_nothing(
    make_bench: Callable[..., Bench], num_workers: int
) -> None:
    bench = make_bench(30, num_workers=num_workers)
    plain = make_bench(30)
    plain.store = type(plain.store)(plain.store.root / "plain")
    found, expected = bench.run(look("l", LOGITS)), plain.run(look("l", LOGITS))
    assert torch.equal(found.states["a/l"].samples, expected.states["a/l"].samples)
    assert torch.equal(found.states["a/l"].total, expected.states["a/l"].total)
    assert set(bench.dataset.decoded.values()) == {1}


def test_unreadable_images_are_quarantined_and_counted(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(30, broken=frozenset({3, 17}), max_unreadable=0.1)
    found = bench.run(look("logits", LOGITS, max_rows=20), look("rows"))
    assert {image.sample for image in found.quarantined} <= {"003", "017"}
    everything = bench.run(look("all", LOGITS))
    assert {image.sample for image in everything.quarantined} == {"003", "017"}
    assert {image.reason for image in everything.quarantined} == {"truncated"}
    assert len(samples(bench, everything.states["a/all"])) == 28
    assert len(samples(bench, found.states["a/rows"])) == 30, "labels need no pixels"


def test_too_many_unreadable_images_stop_the_run(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(30, broken=frozenset({3, 17}), max_unreadable=0.05)
    with pytest.raises(ExecutionError, match="unreadable") as caught:
        bench.run(look("logits", LOGITS))
    assert "truncated" in str(caught.value)
    assert "engine.max_unreadable" in str(caught.value)


def test_scores_that_are_not_finite_name_samples_and_outputs(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(30)
    module = small_network()
    with torch.no_grad():
        module[5].bias[2] = float("nan")
    with pytest.raises(InputError, match=r"NaN.*samples 0\d\d.*outputs 2") as caught:
        bench.run(look("early", EARLY), network=placed(module))
    assert caught.value.exit_code == 2


def test_a_broken_fold_leaves_the_other_audits_alone(
    make_bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture
) -> None:
    bench = make_bench(30)
    found = bench.run(look("bad", LOGITS, breaks=True), look("good", LOGITS, audit="b"))
    assert found.failed == {"a": "a/bad: ZeroDivisionError: no variance"}
    assert len(samples(bench, found.states["b/good"])) == 30
    assert "ZeroDivisionError" in caplog.text


def test_images_of_different_sizes_ask_for_a_crop(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(6)
    images = list(bench.dataset.images)
    images[2] = torch.zeros(3, 9, 8, dtype=torch.uint8)
    bench.dataset = type(bench.dataset)(images)
    with pytest.raises(InputError, match=r"8×8 pixels.*8×9|8×9 pixels.*8×8"):
        bench.run(look("logits", LOGITS))
