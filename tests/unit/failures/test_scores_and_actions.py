"""Identities of the scores, the correction, suggestions for names, and advice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from auditor.measure.trees import Node
from scipy.stats import fisher_exact
from sklearn.metrics import roc_auc_score

from auditor.audits.failures.actions import Kind, LeafSituation, suggest_actions
from auditor.audits.failures.aggregate import COVERAGES, EXCESSES, aggregate, surfaces
from auditor.audits.failures.assemble import explain
from auditor.audits.failures.confirming import (
    Scored,
    candidates,
    correct,
    excess,
    fisher,
    leaves_at,
    level_of,
    path_to,
)
from auditor.audits.failures.result import Counts, GroupResult
from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.states import TableState
from auditor.audits.failures.store import feature_health
from auditor.audits.failures.suggestions import area_interval, areas, suggestion
from auditor.context import Attribute, Context
from auditor.measure.rates import chi_square

MakeTable = Callable[..., TableState]
MakeSpec = Callable[..., FailuresSpec]
MakeContext = Callable[..., Context]

TREE = (
    Node(1, 4, 0.5, 0.2, 100, 30),
    Node(2, None, None, None, 40, 24),
    Node(3, 9, 1.5, 0.1, 60, 6),
    Node(6, None, None, None, 20, 0),
    Node(7, None, None, None, 40, 6),
)


@pytest.fixture
def groups(
    make_table: MakeTable, make_spec: MakeSpec, make_context: MakeContext
) -> tuple[GroupResult, ...]:
    """Groups of a table with a planted failure, up to depth 3."""
    spec = make_spec(max_depth=3, group_by=("label", "prediction", "union", "confusion"))
    table = make_table()
    found = explain(spec, make_context(), table, feature_health(table.features))
    assert sum(bool(group.depths) for group in found.groups) >= 9
    return found.groups


def test_leaves_of_a_cut_tree_share_out_its_images(groups: tuple[GroupResult, ...]) -> None:
    for group in groups:
        nodes = {node.index: node for node in group.nodes}
        kinds = [
            Node(n.index, n.feature, n.threshold, n.gain, n.found.size, n.found.failures)
            for n in group.nodes
        ]
        for tree in group.depths:
            leaves = [nodes[index] for index in leaves_at(kinds, tree.depth)]
            assert len(leaves) == tree.num_leaves
            assert group.confirmed is not None
            for whole, ends in (
                (group.found, [leaf.found for leaf in leaves]),
                (group.confirmed, [leaf.confirmed for leaf in leaves if leaf.confirmed]),
            ):
                assert sum(end.size for end in ends) == whole.size
                assert sum(end.failures for end in ends) == whole.failures


def test_average_leaf_error_rate_is_chi_square_above_the_base(
    groups: tuple[GroupResult, ...],
) -> None:
    for group in groups:
        nodes = {node.index: node for node in group.nodes}
        kinds = [Node(n.index, n.feature, None, None, 0, 0) for n in group.nodes]
        for tree in group.depths:
            ends = [nodes[index].confirmed for index in leaves_at(kinds, tree.depth)]
            filled = [end for end in ends if end is not None and end.size]
            aler, base = tree.average_leaf_error_rate, group.confirmed
            assert aler is not None
            assert base is not None
            assert base.error_rate is not None
            assert tree.gain == pytest.approx(aler - base.error_rate)
            assert tree.gain is not None
            assert tree.gain >= -1e-12
            expected = chi_square([e.size for e in filled], [e.failures for e in filled])
            assert expected is not None
            assert tree.normalised_gain == pytest.approx(expected / base.size)
            assert tree.gain / (1 - base.error_rate) == pytest.approx(expected / base.size)
            # At least one leaf reaches the average.
            assert max(e.failures / e.size for e in filled) >= aler - 1e-12
        found = [tree.found_gain or 0.0 for tree in group.depths]
        assert all(deeper >= shallow - 1e-12 for shallow, deeper in pairwise(found))


def test_each_node_is_one_hypothesis_named_at_its_smallest_depth(
    groups: tuple[GroupResult, ...],
) -> None:
    for group in groups:
        tested = [leaf.node for leaf in group.leaves]
        assert len(tested) == len(set(tested))
        nodes = {node.index: node for node in group.nodes}
        for index, node in nodes.items():
            rate, base = node.found.error_rate, group.found.error_rate
            if index > 1 and rate is not None and base is not None and group.depths:
                assert (index in tested) == (rate > base + 1e-12)
        assert all(leaf.depth == level_of(leaf.node) for leaf in group.leaves)
        assert all(len(leaf.path) == leaf.depth for leaf in group.leaves)


def test_a_cut_keeps_branches_that_ended_early() -> None:
    assert leaves_at(TREE, 1) == (2, 3)
    assert leaves_at(TREE, 2) == leaves_at(TREE, 3) == (2, 6, 7)
    assert leaves_at(TREE[:1], 2) == ()
    assert leaves_at((Node(1, None, None, None, 9, 3),), 2) == (1,)
    steps = [(step.feature, step.side, step.threshold) for step in path_to(TREE, 7)]
    assert steps == [(4, "high", 0.5), (9, "high", 1.5)]


def test_candidates_fail_more_than_their_group_most_important_first() -> None:
    counts = {node.index: Counts(size=node.size, failures=node.failures) for node in TREE}
    assert candidates(Scored(TREE, counts, counts, False)) == (2,)
    counts[7] = Counts(size=10, failures=10)
    assert candidates(Scored(TREE, counts, counts, False)) == (2, 7)


def test_fisher_is_scipys_one_sided_test() -> None:
    inside, group = Counts(size=40, failures=18), Counts(size=150, failures=40)
    table = [[18, 22], [22, 88]]
    expected = float(fisher_exact(table, alternative="greater").pvalue)
    assert fisher(inside, group, exploratory=False).value == pytest.approx(expected, rel=1e-9)
    assert fisher(Counts(size=0, failures=0), group, exploratory=False).value is None
    assert fisher(inside, group, exploratory=True).value is None


def test_the_excess_interval_covers_what_it_says() -> None:
    random = np.random.default_rng(3)
    size, num_inside, p_inside, p_rest = 200, 60, 0.4, 0.2
    true = (1 - num_inside / size) * (p_inside - p_rest)
    hits = 0
    for _ in range(2000):
        a = int(random.binomial(num_inside, p_inside))
        b = int(random.binomial(size - num_inside, p_rest))
        found = excess(Counts(size=num_inside, failures=a), Counts(size=size, failures=a + b))
        assert found.value == pytest.approx(a / num_inside - (a + b) / size)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= true <= found.high
    assert abs(hits / 2000 - 0.95) < 0.02
    whole = excess(Counts(size=5, failures=2), Counts(size=5, failures=2))
    assert whole.value == 0.0


def test_the_correction_runs_over_all_leaves_of_all_groups(
    groups: tuple[GroupResult, ...],
) -> None:
    values = [leaf.p_value.value for group in groups for leaf in group.leaves]
    known = sorted(value for value in values if value is not None)
    assert len(known) == len(values) > 9
    adjusted = [leaf.p_adjusted.value for group in groups for leaf in group.leaves]
    smallest = min(value for value in adjusted if value is not None)
    assert smallest == pytest.approx(
        min(len(known) * p / rank for rank, p in enumerate(known, start=1))
    )
    half = correct(groups[: len(groups) // 2], alpha=0.05)
    again = [leaf.p_adjusted.value for group in half for leaf in group.leaves]
    assert again != adjusted[: len(again)]


def test_the_surface_falls_in_both_thresholds_and_agrees_with_the_ones_in_force(
    groups: tuple[GroupResult, ...],
) -> None:
    rows = {(row.grouping, row.depth): row for row in aggregate(groups, max_depth=3, seed=0)}
    for surface in surfaces(groups, max_depth=3):
        shares = np.array(surface.shares)
        assert shares.shape == (len(COVERAGES), len(EXCESSES))
        assert (np.diff(shares, axis=0) <= 0).all()
        assert (np.diff(shares, axis=1) <= 0).all()
        row = rows[surface.grouping, surface.depth]
        assert row.num_groups == surface.num_groups
        assert shares[COVERAGES.index(0.2), EXCESSES.index(0.05)] == row.share_valid.value


def test_areas_are_scikit_learns_with_ties_and_unknown_labels() -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 12, 400).astype(np.float32)
    labels = random.integers(-1, 2, (400, 3)).astype(np.int8)
    labels[:, 2] = np.where(labels[:, 2] > 0, 1, 0)
    found = areas(values, labels)
    for k in range(2):
        known = labels[:, k] != 0
        expected = roc_auc_score(labels[known, k] > 0, values[known])
        assert found.area[k] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(found.area[2])


def test_the_attribute_that_a_feature_tells_best_is_suggested(
    make_table: MakeTable, make_context: MakeContext
) -> None:
    table, attributes = make_table(), make_context().attributes
    values, labels = table.features[:, 7].numpy(), table.attributes.numpy()
    found = suggestion(values, labels, attributes)
    assert found is not None
    assert (found.attribute, found.present_when, found.auc.value) == ("smile", "high", 1.0)
    assert found.auc.low is not None
    assert 0.9 < found.auc.low < 1.0
    turned = suggestion(-values, labels, attributes)
    assert turned is not None
    assert (turned.present_when, turned.auc.value) == ("low", 1.0)


def test_nothing_is_suggested_without_thirty_labels_of_each_kind() -> None:
    attributes = (Attribute("smile", "smiling", 0, 0),)
    values = np.arange(59, dtype=np.float32)
    labels = np.where(values < 30, -1, 1).astype(np.int8).reshape(-1, 1)
    assert suggestion(values, labels, attributes) is None
    more = np.arange(60, dtype=np.float32)
    assert suggestion(more, np.where(more < 30, -1, 1).astype(np.int8)[:, None], attributes)
    assert suggestion(more, np.zeros((60, 1), dtype=np.int8), attributes) is None
    assert suggestion(more[:0], np.zeros((0, 1), dtype=np.int8), attributes) is None
    assert suggestion(more, np.zeros((60, 0), dtype=np.int8), ()) is None


def test_the_interval_of_an_area_covers_it() -> None:
    random = np.random.default_rng(1)
    # Normal scores one standard deviation apart: P(present > absent) = Φ(1 / √2).
    true, hits = 0.7602499389065233, 0
    for _ in range(1000):
        values = np.r_[random.normal(1, 1, 40), random.normal(0, 1, 60)].astype(np.float32)
        labels = np.r_[np.ones(40), -np.ones(60)].astype(np.int8)[:, None]
        area = float(areas(values, labels).area[0])
        low, high = area_interval(area, 40, 60)
        assert low <= area <= high
        hits += low <= true <= high
    assert abs(hits / 1000 - 0.95) < 0.025


def situation(**changes: Any) -> LeafSituation:
    plain = LeafSituation(
        where="buckle is low",
        feature="buckle",
        side="low",
        images="pictures of the class purse",
        error_rate=0.3,
        base_error_rate=0.2,
    )
    return replace(plain, **changes)


def test_advice_follows_what_a_person_decided() -> None:
    def kinds(about: LeafSituation, kind: Kind | None) -> list[str]:
        return [action.category for action in suggest_actions(about, kind)]

    assert kinds(situation(), None) == kinds(situation(), "unsure") == ["varied data"]
    assert kinds(situation(), "spurious") == ["varied data", "masking", "augmentation"]
    assert kinds(situation(), "causal") == ["varied data", "augmentation"]
    assert kinds(situation(side="high"), "causal") == ["varied data"]
    assert kinds(situation(error_rate=0.6), None) == ["varied data", "relabelling"]
    hard = situation(error_rate=0.9, base_error_rate=0.6)
    assert kinds(hard, "causal")[-2:] == ["relabelling", "capacity"]
    assert "capacity" not in kinds(hard, "spurious")
    assert kinds(situation(error_rate=None, base_error_rate=None), None) == ["varied data"]
    for action in suggest_actions(hard, "causal"):
        assert action.what.endswith(".")
        assert action.reason.endswith(".")


def test_health_counts_constant_and_broken_features() -> None:
    features = torch.rand(50, 5)
    features[:, 1] = 0.0
    features[3, 2] = torch.nan
    features[:, 3] = torch.inf
    health = feature_health(features)
    assert health.constant.tolist() == [False, True, False, False, False]
    assert health.nonfinite.tolist() == [False, False, True, True, False]
    assert health.num_usable == 2
    assert feature_health(features[:0]).num_usable == 0
