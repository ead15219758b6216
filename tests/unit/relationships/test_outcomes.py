"""The audit from batches to findings, on networks whose relations are known by construction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from auditor.audits.relationships.compute import measurement, solve, state_type
from auditor.audits.relationships.needs import needs
from auditor.audits.relationships.result import PairResult, RelationshipsResult
from auditor.audits.relationships.spec import RelationshipsSpec
from auditor.context import Attribute, Context, Relation, Rule
from auditor.measure.fold import Batch
from auditor.measure.jacobians import layer_jacobian
from auditor.measure.state import from_tensors, merge_all, to_tensors
from auditor.needs import Fold, Output, Solve
from auditor.results.outcome import Outcome

NAMES = ("anna", "bert", "cara", "dora", "emil", "fred")
SIZE = 8


class Drawn(nn.Module):
    """Each attribute lights one block of pixels; the head reads blocks with given weights."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.body = nn.Conv2d(1, 1, 1, bias=False)
        self.body.weight.data.fill_(1.0)
        self.head = nn.Linear(SIZE * SIZE, len(weights))
        blocks = torch.zeros(len(NAMES), SIZE * SIZE)
        for index in range(len(NAMES)):
            blocks[index, index * 10 : index * 10 + 10] = 0.1
        self.head.weight.data = weights @ blocks
        self.head.bias.data.fill_(0.0)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images).flatten(1))


class Bent(Drawn):
    """The same with gradients that differ from image to image."""

    def forward(self, images: Tensor) -> Tensor:
        seen = self.body(images).flatten(1)
        return self.head(seen + 0.2 * seen.square())


def drawn_images(labels: Tensor, *, noise: float = 0.3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    images = noise * torch.randn(len(labels), SIZE * SIZE, generator=generator)
    for index in range(len(NAMES)):
        images[:, index * 10 : index * 10 + 10] += labels[:, index : index + 1]
    return images.reshape(-1, 1, SIZE, SIZE)


def random_labels(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(count, len(NAMES), generator=generator) < 0.5).float() * 2 - 1


def context(**changes: Any) -> Context:
    pairs = [(a, b) for i, a in enumerate(NAMES) for b in NAMES[i + 1 :]]
    plain = Context(
        audit="ties",
        attributes=tuple(Attribute(name, name.title(), i, i) for i, name in enumerate(NAMES)),
        rules=tuple(Rule(f"r{a}{b}", a, b, "unrelated", "error", "", None) for a, b in pairs),
        relations=(Relation("unrelated", "unrelated"),),
        head="multi_label",
        num_available={"train": 400, "test": 400},
        seed=3,
    )
    return replace(plain, **changes)


def spec(**changes: Any) -> RelationshipsSpec:
    fields = {"kind": "relationships", "layer": "body", "examples": 4, "top": (2,)}
    return RelationshipsSpec.model_validate({**fields, **changes})


def batches(
    network: nn.Module, labels: Tensor, images: Tensor, fold: Fold, size: int
) -> list[Batch]:
    found = []
    limit = fold.max_rows if fold.max_rows is not None else len(labels)
    for rows in torch.arange(min(len(labels), limit)).split(size):
        outputs: dict[Output, Tensor] = {}
        for output in fold.outputs:
            jacobian = layer_jacobian(network, images[rows], "body", range(len(NAMES)))
            every = {
                "logits": jacobian.logits,
                "activation": jacobian.activation,
                "jacobian": jacobian.jacobian,
            }
            outputs[output] = every[output.kind]
        ids = tuple(f"{fold.source.split}/{row}" for row in rows.tolist())
        pixels = (images[rows].clamp(0, 1) * 255).to(torch.uint8).expand(-1, 3, -1, -1)
        found.append(Batch(ids, rows, {"model": pixels}, labels[rows], None, None, {}, outputs))
    return found


def audit(
    network: nn.Module,
    chosen: RelationshipsSpec,
    known: Context,
    *,
    size: int = 50,
    labels: Callable[[int, int], Tensor] = random_labels,
) -> Outcome:
    """Run every fold and solve as an engine would, states through bytes."""
    states: dict[str, Any] = {}
    split = {"train": labels(400, 1), "test": random_labels(400, 2)}
    for need in needs("ties", chosen, tuple(a.output for a in known.attributes)):
        if isinstance(need, Fold):
            working = measurement(chosen, known, need.name, states)
            given = split[need.source.split]
            images = drawn_images(given, seed=len(need.source.split))
            parts = []
            for batch in batches(network, given, images, need, size):
                parts.append(working.measure(batch))
                if need.sequential and working.enough(merge_all(parts)):
                    break
            kind = state_type(chosen, need.name)
            states[need.name] = from_tensors(kind, load(save(to_tensors(merge_all(parts)))))
        if isinstance(need, Solve):
            solved = solve(chosen, known, need.name, {name: states[name] for name in need.inputs})
            if isinstance(solved, Outcome):
                return solved
            states[need.name] = solved
    raise AssertionError("no solve made a result")


def result_of(outcome: Outcome) -> RelationshipsResult:
    assert isinstance(outcome.result, RelationshipsResult)
    return outcome.result


def pair_of(outcome: Outcome, a: str, b: str) -> PairResult:
    return next(p for p in result_of(outcome).pairs if {p.a, p.b} == {a, b})


def tied(strength: float, *, first: int = 0, second: int = 1) -> Tensor:
    """Every attribute reads its own block; the second also reads the first's.

    A little shared evidence everywhere gives the harmless pairs something to differ in.
    """
    generator = torch.Generator().manual_seed(11)
    weights = torch.eye(len(NAMES)) + 0.04 * torch.randn(6, 6, generator=generator)
    weights[second, first] += strength
    return weights


def test_cosines_are_those_of_the_weight_rows() -> None:
    weights = tied(0.7)
    outcome = audit(Drawn(weights), spec(), context())
    expected = nn.functional.cosine_similarity(weights[:, None], weights[None], dim=-1)
    for pair in result_of(outcome).pairs:
        i, j = NAMES.index(pair.a), NAMES.index(pair.b)
        assert pair.cosine.value == pytest.approx(float(expected[i, j]), abs=1e-5)
        assert pair.sd == pytest.approx(0.0, abs=1e-3)


def test_a_planted_tie_is_found_ranked_first_and_costs_accuracy_where_labels_differ() -> None:
    outcome = audit(Drawn(tied(0.95)), spec(), context())
    first = result_of(outcome).pairs[0]
    assert (first.a, first.b, first.outcome) == ("anna", "bert", "broken")
    assert first.shape == "failure_mode"
    assert {cell.present for cell in first.cells} == {(True, False), (False, True)}
    assert all(cell.drop.low is not None and cell.drop.low > 0 for cell in first.cells)
    broken = [f for f in outcome.findings if f.code == "BROKEN_RULE" and f.verdict == "fail"]
    assert [f.subjects for f in broken] == [("anna", "bert")]
    modes = [f for f in outcome.findings if f.code == "FAILURE_MODE"]
    assert [f.verdict for f in modes] == ["fail"]
    assert result_of(outcome).num_decided == result_of(outcome).num_rules == 15


def test_a_planted_opposition_makes_the_same_labels_the_candidates() -> None:
    pair = pair_of(audit(Drawn(tied(-0.95)), spec(), context()), "anna", "bert")
    assert pair.outcome == "broken"
    assert {cell.present for cell in pair.cells} == {(True, True), (False, False)}


def test_a_missed_relation_is_a_blind_spot() -> None:
    declared = (Relation("definitely_positive", "always together", mean=0.9, sd=0.1),)
    rules = (Rule("r", "cara", "dora", "definitely_positive", "warning", "", None),)
    known = context(rules=rules, relations=declared)
    outcome = audit(Drawn(tied(0.0)), spec(), known)
    pair = pair_of(outcome, "cara", "dora")
    assert (pair.outcome, pair.shape) == ("broken", "blind_spot")
    assert {f.code: f.severity for f in outcome.findings if f.verdict == "fail"} == {
        "BROKEN_RULE": "warning", "BLIND_SPOT": "warning",
    }  # fmt: skip


def test_a_weak_relation_that_nobody_expects_is_no_blind_spot() -> None:
    chosen = spec(cut=0.05, presence_cut=0.5)
    pair = pair_of(audit(Drawn(tied(0.4)), chosen, context()), "anna", "bert")
    assert (pair.outcome, pair.shape) == ("broken", "failure_mode")


def test_a_sound_network_breaks_no_rule() -> None:
    outcome = audit(Drawn(tied(0.0)), spec(), context())
    assert {pair.outcome for pair in result_of(outcome).pairs} == {"as_expected"}
    assert {f.verdict for f in outcome.findings} == {"pass"}


def test_limits_see_the_divergence_of_each_decided_rule() -> None:
    outcome = audit(Bent(tied(0.6)), spec(), context())
    decided = [one for one in outcome.findings if "kl" in one.estimates]
    assert len(decided) == result_of(outcome).num_decided > 0
    for one in decided:
        kl, pair = one.estimates["kl"], pair_of(outcome, *one.subjects)
        assert kl.value == pytest.approx(abs(pair.divergence_gaussian or 0.0))
        assert 0 <= (kl.low or 0.0) <= (kl.value or 0.0) < (kl.high or 0.0)


def test_decided_rules_end_the_sample_and_agree_with_the_full_pass() -> None:
    network = Drawn(tied(0.95))
    few = audit(network, spec(), context())
    every = audit(network, spec(sampling={"method": "full"}), context())
    assert result_of(few).stopped == "all_decided"
    assert result_of(few).num_images < 200
    assert result_of(every).num_images == 400
    outcomes = [{(p.a, p.b): p.outcome for p in result_of(o).pairs} for o in (few, every)]
    assert outcomes[0] == outcomes[1]


def test_batches_do_not_matter() -> None:
    full = spec(sampling={"method": "full"})
    first, second = (audit(Drawn(tied(0.5)), full, context(), size=size) for size in (50, 37))
    for one, other in zip(result_of(first).pairs, result_of(second).pairs, strict=True):
        assert (one.a, one.b, one.outcome, one.histogram) == (
            other.a, other.b, other.outcome, other.histogram,
        )  # fmt: skip
        assert one.cosine.low == pytest.approx(other.cosine.low, abs=1e-9)


def test_an_answer_about_another_attribute_is_a_broken_rule_not_an_unlearnt_one() -> None:
    weights = tied(0.0)
    weights[1] = weights[0]  # bert's output says anna
    outcome = audit(Drawn(weights), spec(), context())
    first = result_of(outcome).pairs[0]
    assert (first.a, first.b, first.outcome) == ("anna", "bert", "broken")
    claims = {f.code: f.claim for f in outcome.findings if f.verdict == "fail"}
    assert claims["BROKEN_RULE"] == "The model's answer for Bert is about Anna instead."
    assert claims["FAILURE_MODE"].startswith("The model gives one and the same answer")
    assert pair_of(outcome, "bert", "cara").outcome == "not_learnt"


def test_an_attribute_that_is_not_learnt_breaks_nothing() -> None:
    weights = tied(0.0)
    # bert's output follows what nobody labels, and half of what anna's does
    weights[1] = 0.2 * weights[0]
    weights[1, 1] = 0.0
    network = Drawn(weights)
    network.head.weight.data[1, 60:] = 2.0
    outcome = audit(network, spec(), context())
    assert pair_of(outcome, "anna", "bert").outcome == "not_learnt"
    assert result_of(outcome).attributes[1].learnt is False
    learnt = {f.subjects[0]: f.verdict for f in outcome.findings if f.code == "NOT_LEARNT"}
    assert learnt["bert"] == "warn"
    assert learnt["anna"] == "pass"


def test_a_dead_output_is_not_testable_and_nothing_is_nan() -> None:
    weights = tied(0.0)
    weights[2] = 0.0
    outcome = audit(Drawn(weights), spec(), context())
    pair = pair_of(outcome, "anna", "cara")
    assert pair.outcome == "not_testable"
    assert "gradient is zero" in (pair.reason or "")
    assert result_of(outcome).stopped == "all_decided"


def test_the_sample_goes_on_until_rare_attributes_have_shown() -> None:
    def rare(count: int, seed: int) -> Tensor:
        labels = random_labels(count, seed)
        labels[:200, 4:] = -1.0
        return labels

    outcome = audit(Drawn(tied(0.0)), spec(), context(), labels=rare)
    assert result_of(outcome).stopped == "all_decided"
    assert 200 < result_of(outcome).num_images < 400
    assert pair_of(outcome, "emil", "fred").outcome == "as_expected"


def test_too_few_pairs_of_a_relation_stay_open_unless_the_spec_declares_it() -> None:
    rules = context().rules[:5]
    open_result = result_of(audit(Drawn(tied(0.95)), spec(), context(rules=rules)))
    assert {p.outcome for p in open_result.pairs} == {"undecided", "no_rule"}
    assert open_result.num_decided == 0
    declared = (Relation("unrelated", "unrelated", mean=0.0, sd=0.1),)
    outcome = audit(Drawn(tied(0.95)), spec(), context(rules=rules, relations=declared))
    assert pair_of(outcome, "anna", "bert").outcome == "broken"
    assert result_of(outcome).relations[0].source == "declared"


@pytest.mark.parametrize("estimator", ["robust", "pooled", "leave_one_out"])
def test_every_estimator_of_the_expected_distribution_finds_the_tie(estimator: str) -> None:
    chosen = spec(expected={"estimator": estimator})
    outcome = audit(Drawn(tied(0.95)), chosen, context())
    assert pair_of(outcome, "anna", "bert").outcome == "broken"
    assert result_of(outcome).relations[0].source == estimator


def test_greedy_masks_keep_the_block_of_each_attribute() -> None:
    chosen = spec(mask={"method": "greedy", "penalty": 1e-3})
    outcome = audit(Drawn(torch.eye(6)), chosen, context())
    sizes = result_of(outcome).mask_sizes
    assert all(5 <= size <= 10 for size in sizes.values())


def test_a_mask_that_keeps_nothing_is_named() -> None:
    chosen = spec(mask={"method": "greedy", "penalty": 10.0})
    outcome = audit(Drawn(tied(0.0)), chosen, context())
    assert set(result_of(outcome).mask_sizes.values()) == {0}
    assert {pair.outcome for pair in result_of(outcome).pairs} == {"not_testable"}
    assert "zero inside the mask" in (result_of(outcome).pairs[0].reason or "")


def test_threshold_masks_keep_their_share() -> None:
    chosen = spec(mask={"method": "threshold", "fraction": 0.1})
    outcome = audit(Drawn(tied(0.0)), chosen, context())
    assert set(result_of(outcome).mask_sizes.values()) == {6}


def test_one_split_alone_is_halved_by_sample_id() -> None:
    chosen = spec(confirm=None, sampling={"method": "full"}, min_cell=5)
    result = result_of(audit(Drawn(tied(0.95)), chosen, context()))
    assert result.num_images + result.num_confirming == 400
    assert 150 < result.num_images < 250
    assert not result.exploratory


def test_the_same_split_for_both_is_exploratory() -> None:
    result = result_of(audit(Drawn(tied(0.0)), spec(confirm="train"), context()))
    assert result.exploratory


def test_scores_that_are_not_finite_are_left_out_and_counted() -> None:
    network = Drawn(tied(0.0))
    network.head.bias.data[3] = float("nan")
    outcome = audit(network, spec(), context())
    assert result_of(outcome).num_confirming == 0
    assert result_of(outcome).attributes[0].learnt is None
    assert "not finite" in (result_of(outcome).attributes[0].balanced_accuracy.reason or "")
    assert pair_of(outcome, "anna", "bert").outcome == "undecided"


def test_heads_of_classes_predict_the_largest_output() -> None:
    def one_hot(count: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        classes = torch.randint(0, 6, (count,), generator=generator)
        return nn.functional.one_hot(classes, 6).float() * 2 - 1

    outcome = audit(
        Drawn(tied(0.0)), spec(confirm="train"), context(head="multi_class"), labels=one_hot
    )
    assert all(a.learnt for a in result_of(outcome).attributes)


def test_planted_labels_show_in_correlation_and_regression() -> None:
    def biased(count: int, seed: int) -> Tensor:
        labels = random_labels(count, seed)
        labels[: count * 3 // 4, 1] = labels[: count * 3 // 4, 0]
        return labels

    outcome = audit(Drawn(tied(0.95)), spec(), context(), labels=biased)
    pair = pair_of(outcome, "anna", "bert")
    assert pair.label_correlation.value == pytest.approx(0.75, abs=0.1)
    assert pair.regression.value is not None
    assert pair.regression.value > 0.4
    assert pair.cells[0].num_mined <= pair.cells[1].num_mined
    rankings = {drop.ranking for drop in result_of(outcome).top_drops}
    assert rankings == {"audit", "entropy_smallest", "entropy_largest"}


def test_examples_have_maps_labels_and_jpegs() -> None:
    outcome = audit(Drawn(tied(0.0)), spec(), context())
    maps, present = outcome.arrays["examples"]["maps"], outcome.arrays["examples"]["present"]
    assert maps.shape == (4, 6, SIZE, SIZE)
    assert set(np.unique(present)) <= {-1, 0, 1}
    assert list(outcome.images) == ["0000.jpg", "0001.jpg", "0002.jpg", "0003.jpg"]
    assert all(data[:2] == b"\xff\xd8" for data in outcome.images.values())


def test_results_survive_strict_json() -> None:
    outcome = audit(Drawn(tied(0.95)), spec(), context())
    text = result_of(outcome).model_dump_json()
    assert RelationshipsResult.model_validate_json(text) == result_of(outcome)
    lengths = {len(column) for column in outcome.tables["pairs"].values()}
    assert lengths == {15}
