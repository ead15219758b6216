"""Exact splits against scikit-learn's trees, closed forms, and brute force."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from sklearn.tree import DecisionTreeClassifier

from auditor.measure import splits
from auditor.measure.splits import Criterion
from auditor.measure.trees import (
    Node,
    best_stumps,
    grow_tree,
    place_samples,
    stump_null,
    stump_resamples,
)

CRITERIA: tuple[Criterion, ...] = ("balanced_entropy", "entropy", "gini")


def sample(num_samples: int, num_features: int, *, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Features on a grid of 2^-10, coarser than what scikit-learn tells apart, and failures."""
    random = np.random.default_rng(seed)
    normal = np.round(random.normal(size=(num_samples, num_features)) * 1024) / 1024
    failed = random.random(num_samples) < 0.25
    failed[:2] = (False, True)
    return torch.from_numpy(normal.astype(np.float32)), torch.from_numpy(failed)


def reference(
    features: torch.Tensor, failed: torch.Tensor, depth: int, criterion: str, min_leaf: int
) -> DecisionTreeClassifier:
    failures = int(failed.sum())
    balanced = criterion == "balanced_entropy"
    return DecisionTreeClassifier(
        criterion="gini" if criterion == "gini" else "entropy",
        class_weight={0: 1.0, 1: (len(failed) - failures) / failures} if balanced else None,
        max_depth=depth,
        min_samples_leaf=min_leaf,
        random_state=0,
    ).fit(features.numpy(), failed.numpy().astype(int))


def decrease(tree: DecisionTreeClassifier, node: int) -> float:
    """Decrease of impurity at a node of scikit-learn's tree."""
    found = tree.tree_
    mass, impurity = found.weighted_n_node_samples, found.impurity
    sides = (found.children_left[node], found.children_right[node])
    return impurity[node] - sum(mass[side] / mass[node] * impurity[side] for side in sides)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("min_leaf", [1, 20])
def test_stumps_equal_scikit_learn(criterion: Criterion, min_leaf: int) -> None:
    normal, failed = sample(160, 10, seed=min_leaf)
    relu, tied = normal.clamp(min=0), (normal * 2).round()
    features = torch.cat([normal, relu, tied, -relu], 1)
    found = best_stumps(features, failed, criterion=criterion, min_leaf=min_leaf)
    for index in range(features.shape[1]):
        column = features[:, index : index + 1]
        tree = reference(column, failed, 1, criterion, min_leaf)
        if tree.tree_.node_count == 1:
            assert found.gain[index] == -torch.inf
            continue
        assert found.gain[index].item() == pytest.approx(decrease(tree, 0), abs=1e-12)
        assert found.threshold[index].item() == tree.tree_.threshold[0]
    assert found.gain.isfinite().sum() > 30


def test_constant_features_have_no_stump() -> None:
    features = torch.tensor([[0.0, -0.0, 5.0]] * 3 + [[0.0, 0.0, 5.0]] * 3)
    found = best_stumps(features, torch.arange(6) < 2, criterion="entropy")
    assert (found.gain == -torch.inf).all()


def test_a_split_is_never_between_equal_values() -> None:
    """Five failures and five successes share the value 1; the one split keeps them together."""
    values = torch.tensor([0.0] * 2 + [1.0] * 10).unsqueeze(1)
    failed = torch.tensor([True] * 7 + [False] * 5)
    found = best_stumps(values, failed, criterion="gini")
    assert found.threshold.item() == 0.5
    pooled = 1 - (7 / 12) ** 2 - (5 / 12) ** 2
    assert found.gain.item() == pytest.approx(pooled - 10 / 12 * 0.5, abs=1e-15)


def test_sides_hold_enough_samples() -> None:
    """The one failure has the lowest value; a leaf of one sample is what min_leaf forbids."""
    values = torch.arange(10.0).unsqueeze(1)
    failed = torch.arange(10) == 0
    thresholds = [
        best_stumps(values, failed, criterion="entropy", min_leaf=size).threshold.item()
        for size in (1, 3, 5)
    ]
    assert thresholds == [0.5, 2.5, 4.5]
    assert best_stumps(values, failed, criterion="entropy", min_leaf=6).gain.item() == -math.inf


@given(
    st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=4, max_size=40).filter(
        lambda rows: len({failed for _, failed in rows}) == 2 and len({v for v, _ in rows}) > 1
    )
)
@settings(deadline=None, max_examples=60)
def test_balanced_gain_is_the_jensen_shannon_divergence(rows: list[tuple[int, bool]]) -> None:
    values = torch.tensor([[float(value)] for value, _ in rows])
    failed = torch.tensor([failed for _, failed in rows])
    found = best_stumps(values, failed, criterion="balanced_entropy")
    divergences = []
    for threshold in sorted({value for value, _ in rows})[:-1]:
        low = values[:, 0] <= threshold
        share = [low[failed == outcome].double().mean().item() for outcome in (True, False)]
        sides = [[p, 1 - p] for p in share]
        divergences.append(jensenshannon(*sides, base=2) ** 2)
    assert found.gain.item() == pytest.approx(max(divergences), abs=1e-12)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("seed", [0, 1])
def test_deep_trees_equal_scikit_learn(criterion: Criterion, seed: int) -> None:
    features, failed = sample(240, 6, seed=seed)
    nodes = {
        node.index: node
        for node in grow_tree(features, failed, max_depth=3, criterion=criterion, min_leaf=10)
    }
    tree = reference(features, failed, 3, criterion, 10)
    waiting, same = [(1, 0)], 0
    while waiting:
        index, other = waiting.pop()
        node = nodes[index]
        assert node.size == tree.tree_.n_node_samples[other]
        if tree.tree_.children_left[other] < 0:
            assert (node.feature, node.threshold, node.gain) == (None, None, None)
        elif node.feature is None:  # pure up to the rounding of scikit-learn's class weights
            assert decrease(tree, other) == pytest.approx(0, abs=1e-9)
        else:
            assert node.gain == pytest.approx(decrease(tree, other), abs=1e-12)
            if node.feature != tree.tree_.feature[other]:
                continue  # two features gain equally much; scikit-learn takes a random one
            assert node.threshold == tree.tree_.threshold[other]
            same += 1
            sides = (tree.tree_.children_left[other], tree.tree_.children_right[other])
            waiting += zip((2 * index, 2 * index + 1), sides, strict=True)
    assert same >= 3


def test_placed_samples_fill_the_nodes() -> None:
    features, failed = sample(200, 5, seed=3)
    nodes = grow_tree(features, failed, max_depth=3, criterion="entropy", min_leaf=15)
    placed = place_samples(nodes, features, max_depth=3)
    assert placed.shape == (4, 200)
    assert (placed[0] == 1).all()
    for node in nodes:
        depth = node.index.bit_length() - 1
        inside = placed[depth] == node.index
        assert int(inside.sum()) == node.size
        assert int(failed[inside].sum()) == node.failures
        if node.feature is None:  # where a branch has ended its samples stay
            assert (placed[depth:, inside] == node.index).all()
    parents = placed[1:] // 2
    assert ((parents == placed[:-1]) | (placed[1:] == placed[:-1])).all()


def test_unseen_samples_follow_the_thresholds() -> None:
    tree = (
        Node(1, 0, 1.5, 0.1, 4, 2),
        Node(2, None, None, None, 2, 0),
        Node(3, 1, 0.0, 0.1, 2, 2),
        Node(6, None, None, None, 1, 1),
        Node(7, None, None, None, 1, 1),
    )
    unseen = torch.tensor([[1.5, 9.0], [1.6, 0.0], [1.6, 0.1]])
    assert place_samples(tree, unseen, max_depth=2).tolist() == [[1, 1, 1], [2, 3, 3], [2, 6, 7]]


def test_nothing_to_explain_is_a_tree_of_one_node() -> None:
    features, _ = sample(30, 4, seed=0)
    for failed in (torch.zeros(30, dtype=torch.bool), torch.ones(30, dtype=torch.bool)):
        (root,) = grow_tree(features, failed, max_depth=2, criterion="balanced_entropy", min_leaf=1)
        assert root == Node(1, None, None, None, 30, int(failed.sum()))
    single = torch.tensor([True])
    (root,) = grow_tree(features[:1], single, max_depth=2, criterion="gini", min_leaf=1)
    assert root.feature is None


def test_equal_gains_take_the_first_feature() -> None:
    features, failed = sample(80, 3, seed=5)
    mirrored = torch.cat([torch.zeros(80, 1), features, -features, features], 1)
    for criterion in CRITERIA:
        root = grow_tree(mirrored, failed, max_depth=1, criterion=criterion, min_leaf=5)[0]
        assert root.feature in (1, 2, 3)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("min_leaf", [1, 9])
def test_null_is_the_best_stump_of_each_shuffle(criterion: Criterion, min_leaf: int) -> None:
    """The null takes a shortcut over extreme counts; the stumps themselves are the long way."""
    normal, failed = sample(60, 12, seed=min_leaf)
    features = torch.cat([normal, normal.clamp(min=0), normal.round(), torch.zeros(60, 1)], 1)
    found = stump_null(
        features, failed, num_permutations=20, criterion=criterion, min_leaf=min_leaf, seed=4
    )
    random = np.random.default_rng(4)
    for gain in found.tolist():
        shuffled = torch.from_numpy(random.permutation(failed.numpy()))
        best = best_stumps(features, shuffled, criterion=criterion, min_leaf=min_leaf).gain.max()
        assert gain == pytest.approx(best.item(), abs=1e-12)


def test_null_without_a_split_is_minus_infinity() -> None:
    found = stump_null(
        torch.zeros(9, 4),
        torch.arange(9) < 3,
        num_permutations=3,
        criterion="entropy",
        min_leaf=1,
        seed=0,
    )
    assert found.tolist() == [-math.inf] * 3


def test_null_p_values_are_uniform() -> None:
    """Share of shuffles that gain as much, for failures that follow nothing: 40 draws, mean 1/2."""
    shares = []
    for seed in range(40):
        features, failed = sample(60, 20, seed=100 + seed)
        null = stump_null(
            features, failed, num_permutations=39, criterion="entropy", min_leaf=5, seed=seed
        )
        real = best_stumps(features, failed, criterion="entropy", min_leaf=5).gain.max()
        shares.append((1 + (null >= real - 1e-12).sum().item()) / 40)
    # The mean of 40 uniform numbers has a standard deviation of 0.046.
    assert 0.5 - 0.18 < np.mean(shares) < 0.5 + 0.18


@pytest.mark.parametrize("criterion", CRITERIA)
def test_resamples_take_the_best_stump_of_the_repeated_samples(criterion: Criterion) -> None:
    features, failed = sample(50, 8, seed=2)
    features = torch.cat([features, features.clamp(min=0).round()], 1)
    found = stump_resamples(
        features, failed, num_resamples=15, criterion=criterion, min_leaf=4, seed=1
    )
    drawn = np.random.default_rng(1).multinomial(50, np.full(50, 1 / 50), size=15)
    for times, chosen in zip(torch.from_numpy(drawn), found.tolist(), strict=True):
        rows = torch.arange(50).repeat_interleave(times)
        gains = best_stumps(features[rows], failed[rows], criterion=criterion, min_leaf=4).gain
        assert gains[chosen].item() == pytest.approx(gains.max().item(), abs=1e-12)


def test_resamples_without_failures_choose_nothing() -> None:
    features, _ = sample(20, 3, seed=0)
    failed = torch.zeros(20, dtype=torch.bool)
    found = stump_resamples(
        features, failed, num_resamples=4, criterion="balanced_entropy", min_leaf=1, seed=0
    )
    assert found.tolist() == [-1] * 4


@pytest.mark.parametrize("chunk", [1, 100, 1000])
def test_chunks_change_nothing(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few values at a time also means that gains are computed instead of looked up."""
    features, failed = sample(70, 9, seed=7)

    def everything() -> list[list[float]]:
        stumps = best_stumps(features, failed, criterion="balanced_entropy", min_leaf=3)
        null = stump_null(
            features, failed, num_permutations=5, criterion="gini", min_leaf=3, seed=0
        )
        chosen = stump_resamples(
            features, failed, num_resamples=5, criterion="gini", min_leaf=3, seed=0
        )
        return [each.tolist() for each in (*stumps, null, chosen)]

    whole = everything()
    monkeypatch.setattr(splits, "CHUNK", {"cpu": chunk})
    assert everything() == whole


def test_computed_gains_equal_looked_up_gains() -> None:
    """One feature has fewer splits than a table has entries: its gains are computed directly."""
    features, failed = sample(90, 200, seed=8)
    for criterion in CRITERIA:
        looked_up = best_stumps(features, failed, criterion=criterion, min_leaf=2)
        for index in (0, 7, 30):
            alone = best_stumps(
                features[:, index : index + 1], failed, criterion=criterion, min_leaf=2
            )
            assert alone.gain.item() == pytest.approx(looked_up.gain[index].item(), abs=1e-14)
            assert alone.threshold.item() == looked_up.threshold[index].item()


def test_what_cannot_be_split_is_refused() -> None:
    features, failed = sample(20, 3, seed=0)
    for broken in (torch.nan, torch.inf):
        spoilt = features.clone()
        spoilt[3, 1] = broken
        with pytest.raises(ValueError, match="finite"):
            best_stumps(spoilt, failed, criterion="entropy")
        with pytest.raises(ValueError, match="finite"):
            grow_tree(spoilt, failed, max_depth=1, criterion="entropy", min_leaf=1)
    with pytest.raises(ValueError, match="needed"):
        best_stumps(features, failed[:5], criterion="entropy")
    with pytest.raises(ValueError, match="needed"):
        best_stumps(features, failed.long(), criterion="entropy")


@pytest.mark.parametrize(("seed", "criterion"), list(product((0, 1), CRITERIA)))
def test_a_planted_failure_is_found_among_2048_features(seed: int, criterion: Criterion) -> None:
    """300 images fail exactly where one feature is low, by a gap that the threshold lies in."""
    random = np.random.default_rng(seed)
    features = torch.from_numpy(random.normal(size=(300, 2048)).astype(np.float32))
    planted = int(random.integers(2048))
    failed = torch.zeros(300, dtype=torch.bool)
    failed[features[:, planted].argsort()[:60]] = True
    low = features[failed, planted].max().item()
    high = features[~failed, planted].min().item()
    root = grow_tree(features, failed, max_depth=1, criterion=criterion, min_leaf=10)[0]
    assert root.feature == planted
    assert root.threshold is not None
    assert low <= root.threshold < high


@pytest.mark.gpu
@pytest.mark.parametrize("criterion", CRITERIA)
def test_cuda_agrees(criterion: Criterion) -> None:
    features, failed = sample(200, 300, seed=0)
    on_gpu = (features.cuda(), failed.cuda())
    here = best_stumps(features, failed, criterion=criterion, min_leaf=5)
    there = best_stumps(*on_gpu, criterion=criterion, min_leaf=5)
    torch.testing.assert_close(there.gain.cpu(), here.gain, rtol=0, atol=1e-12)
    assert (there.threshold.cpu() == here.threshold).all()
    null, null_there = (
        stump_null(*data, num_permutations=9, criterion=criterion, min_leaf=5, seed=0).cpu()
        for data in ((features, failed), on_gpu)
    )
    torch.testing.assert_close(null_there, null, rtol=0, atol=1e-12)
