"""The explainer against torch's own layers, its losses against loops and closed forms, its words
against a full sort."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from auditor.measure.explainer import (
    Explainer,
    Recipe,
    backward,
    directions,
    fit,
    hinge_rank_loss,
    open_explainer,
    top_words,
)
from auditor.measure.word_losses import Loss, loss_slope, unit

LOSSES: tuple[Loss, ...] = ("hinge", "cosine", "softmax")


def close_classes(num_classes: int, shared: float) -> Tensor:
    """Class vectors of length 1 with the same cosine between any two, in float64."""
    own = torch.eye(num_classes + 1, dtype=torch.float64)
    common, each = float(shared**0.5), float((1 - shared) ** 0.5)
    return common * own[:1] + each * own[1:]


def drawn_units(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return unit(torch.randn(*shape, generator=generator, dtype=torch.float64))


# The network


def release(d: int) -> nn.Sequential:
    """The explainer as torch's own layers, all in evaluation mode."""
    layers = (nn.BatchNorm1d(d), nn.Dropout(0.1), nn.Linear(d, d), nn.ReLU())
    return nn.Sequential(*layers, nn.BatchNorm1d(d), nn.Dropout(0.1), nn.Linear(d, 300)).eval()


@pytest.mark.parametrize("d", [8, 64, 300, 512])
def test_as_many_parameters_as_the_layers_of_the_release(d: int) -> None:
    ours = sum(each.numel() for each in Explainer(d, d, 300, 0.1).parameters())
    assert ours == d**2 + 305 * d + 300
    assert ours == sum(each.numel() for each in release(d).parameters())
    # d² + 303d + 900 is what a normalisation of 300 instead of d numbers would have.
    assert (ours == d**2 + 303 * d + 900) == (d == 300)


def test_affine_layers_are_batch_norm_at_rest_but_for_its_eps() -> None:
    generator = torch.Generator().manual_seed(0)
    reference = release(20)
    drawn = (torch.randn(p.shape, generator=generator) for p in reference.parameters())
    weights = torch.cat([each.flatten() for each in drawn])
    nn.utils.vector_to_parameters(weights, reference.parameters())
    features = torch.randn(50, 20, generator=generator)
    plain = open_explainer(weights, 20, 20, 300)
    # Only the eps of 1e-5 differs, by a factor of 5e-6 in each of two layers.
    torch.testing.assert_close(plain(features), reference(features), rtol=1e-4, atol=1e-3)
    shrunk = open_explainer(weights, 20, 20, 300)
    for scale in (shrunk.scale_in, shrunk.scale_out):
        scale.div_(1.00001**0.5)
    torch.testing.assert_close(shrunk(features), reference(features), rtol=1e-5, atol=1e-5)


def test_dropout_keeps_its_share_and_the_mean() -> None:
    explainer = Explainer(400, 400, 3, dropout=0.3).requires_grad_(False)
    trace = explainer.trace(torch.ones(500, 400), torch.Generator().manual_seed(0))
    for kept in (trace.kept_in, trace.kept_out):
        assert sorted(set(kept.flatten().tolist())) == [0.0, pytest.approx(1 / 0.7, rel=1e-4)]
        # 200,000 draws: the standard error of the share is 0.001.
        assert float((kept == 0).float().mean()) == pytest.approx(0.3, abs=0.005)
    assert not torch.equal(trace.kept_in, trace.kept_out)
    rows = trace.kept_in.eq(0).float()
    assert float(torch.corrcoef(rows[:20]).fill_diagonal_(0).abs().max()) < 0.25


def test_a_vector_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="parameters"):
        open_explainer(torch.zeros(10), 4, 4, 3)


# The losses


@pytest.mark.parametrize("margin", [0.1, 0.5, 1.0])
def test_the_rank_loss_equals_a_triple_loop(margin: float) -> None:
    predicted, classes = 3 * drawn_units(7, 5), 2 * drawn_units(6, 5, seed=1)
    targets = torch.tensor([0, 5, 2, 2, 1, 4, 3])
    total = 0.0
    for v, target in zip(predicted.tolist(), targets.tolist(), strict=True):
        cosines = []
        for word in classes.tolist():
            dot, a, b = 0.0, 0.0, 0.0
            for x, y in zip(v, word, strict=True):
                dot, a, b = dot + x * y, a + x * x, b + y * y
            cosines.append(dot / (a * b) ** 0.5)
        for other, cosine in enumerate(cosines):
            if other != target:
                total += max(0.0, margin - cosines[target] + cosine)
    loss = hinge_rank_loss(predicted, targets, classes, margin=margin)
    assert float(loss) == pytest.approx(total / 7, abs=1e-12)


def test_with_all_hinges_active_the_loss_is_linear() -> None:
    """No difference of two classes is longer than 1 where all cosines are at least a half."""
    classes, target = close_classes(8, 0.6), 3
    own, total = classes[target], classes.sum(0)
    for v in drawn_units(20, 9):
        loss = hinge_rank_loss(v[None], torch.tensor([target]), classes, margin=1.0)
        linear = 7 * (1 - own @ v) + (total - own) @ v
        assert float(loss) == pytest.approx(float(linear), abs=1e-12)


def test_with_all_hinges_active_the_gradient_is_constant_and_points_to_the_optimum() -> None:
    classes, target = close_classes(8, 0.6), 3
    own, total = classes[target], classes.sum(0)
    slope = -7 * own + (total - own)
    for v in drawn_units(20, 9):
        v.requires_grad_()
        loss = hinge_rank_loss(v[None], torch.tensor([target]), classes, margin=1.0)
        torch.autograd.backward(loss)
        assert v.grad is not None
        along = v.detach()
        # v enters at length 1: of the constant slope, what points along v is lost.
        torch.testing.assert_close(v.grad, slope - (slope @ along) * along)
    v = drawn_units(1, 9, seed=4)[0]
    for _ in range(200):
        v = unit((v - 0.05 * loss_slope_of(v, target, classes))[None])[0]
    assert float(v @ unit(-slope[None])[0]) == pytest.approx(1.0, abs=1e-9)
    torch.testing.assert_close(-slope, 7 * own - (total - own))


def loss_slope_of(v: Tensor, target: int, classes: Tensor) -> Tensor:
    found = loss_slope(v[None], torch.tensor([target]), classes, loss="hinge", margin=1.0)
    return found.gradient[0]


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_losses_equal_autograd(loss: Loss) -> None:
    predicted, classes = 3 * drawn_units(30, 12), drawn_units(9, 12, seed=1)
    targets = torch.arange(30) % 9
    value, gradient = loss_slope(predicted, targets, classes, loss=loss, margin=0.3)
    predicted.requires_grad_()
    cosines = nn.functional.cosine_similarity(predicted[:, None], classes[None], dim=2)
    expected = {
        "hinge": lambda: hinge_rank_loss(predicted, targets, classes, margin=0.3),
        "cosine": lambda: 1 - cosines.gather(1, targets[:, None]).mean(),
        "softmax": lambda: nn.functional.cross_entropy(cosines / 0.1, targets),
    }[loss]()
    torch.autograd.backward(expected)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(gradient, predicted.grad)


def test_gradients_of_parameters_equal_autograd() -> None:
    generator = torch.Generator().manual_seed(0)
    explainer, gradients = (Explainer(10, 14, 6, dropout=0.2) for _ in range(2))
    gradients.requires_grad_(False)
    nn.utils.vector_to_parameters(
        torch.randn(sum(p.numel() for p in explainer.parameters()), generator=generator),
        explainer.parameters(),
    )
    features, at_end = (torch.randn(25, n, generator=generator) for n in (10, 6))
    predicted = explainer(features, torch.Generator().manual_seed(5))
    torch.autograd.backward(predicted, at_end)
    with torch.no_grad():
        trace = explainer.trace(features, torch.Generator().manual_seed(5))
        backward(explainer, trace, at_end, into=gradients)
    for (name, parameter), ours in zip(
        explainer.named_parameters(), gradients.parameters(), strict=True
    ):
        torch.testing.assert_close(ours.data, parameter.grad, msg=name)


# Training


def planted(
    num_concepts: int = 12, per_concept: int = 30, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One channel per concept, noise on all, and an orthonormal vocabulary of which the concepts
    are the odd words."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(num_concepts).repeat(per_concept)
    features = 0.1 * torch.rand(len(targets), num_concepts + 4, generator=generator)
    strength = 0.5 + torch.rand(len(targets), generator=generator)
    features[torch.arange(len(targets)), targets] += strength
    held_out = torch.rand(len(targets), generator=generator) < 0.25
    size = 2 * num_concepts
    vocabulary = torch.linalg.qr(torch.randn(size, size, generator=generator)).Q
    return features, targets, held_out, vocabulary


QUICK = Recipe(epochs=25, patience=25, batch_size=32, learning_rate=5e-3)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", ["unit", "none"])
def test_planted_features_are_named_by_their_concept(
    loss: Loss, scale: Literal["unit", "none"]
) -> None:
    features, targets, held_out, vocabulary = planted()
    classes = vocabulary[1::2]
    recipe = replace(QUICK, loss=loss, scale=scale)
    fitted = fit(features, targets, held_out, classes, recipe, seed=0)
    explainer = open_explainer(fitted.weights, 16, 16, 24)
    found = directions(explainer, features[held_out], scale)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(len(found)))
    _, words = top_words(found, vocabulary, 1)
    assert torch.equal(words[:, 0], 2 * targets[held_out] + 1)


def test_a_fit_follows_from_its_seed_alone() -> None:
    features, targets, held_out, vocabulary = planted()
    given = (features, targets, held_out, vocabulary[1::2], Recipe(epochs=3, dropout=0.2))
    before = torch.get_rng_state()
    first = fit(*given, seed=7)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(123)
    second = fit(*given, seed=7)
    torch.set_rng_state(before)
    assert torch.equal(first.weights, second.weights)
    assert torch.equal(first.history, second.history)
    assert not torch.equal(first.weights, fit(*given, seed=8).weights)


def held_out_loss(weights: Tensor, features: Tensor, targets: Tensor, classes: Tensor) -> float:
    explainer = open_explainer(weights, features.shape[1], features.shape[1], classes.shape[1])
    found = directions(explainer, features, "unit")
    return float(hinge_rank_loss(found, targets, classes, margin=1.0))


def test_training_stops_after_its_patience_and_keeps_the_best_pass() -> None:
    features, targets, held_out, vocabulary = planted()
    classes = vocabulary[1::2]
    # Answers to the held-out rows are shuffled: what is learned makes them worse before long.
    mixed = targets.clone()
    mixed[held_out] = targets[held_out].roll(5)
    recipe = replace(QUICK, epochs=50, patience=4)
    fitted = fit(features, mixed, held_out, classes, recipe, seed=0)
    made = fitted.best + 1 + 4
    assert made < 50
    assert (fitted.history[:made] > 0).all()
    assert (fitted.history[made:] == -1).all()
    assert int(fitted.history[:made, 1].argmin()) == fitted.best
    again = held_out_loss(fitted.weights, features[held_out], mixed[held_out], classes)
    assert again == pytest.approx(float(fitted.history[fitted.best, 1]), rel=1e-4)


def test_with_nothing_held_out_the_last_pass_is_kept() -> None:
    features, targets, held_out, vocabulary = planted()
    recipe = Recipe(epochs=6, patience=1, batch_size=32)
    nothing = torch.zeros_like(held_out)
    fitted = fit(features, targets, nothing, vocabulary[1::2], recipe, seed=0)
    assert fitted.best == 5
    assert (fitted.history[:, 1] == -1).all()
    assert all(after < before for before, after in pairwise(fitted.history[:, 0].tolist()))


def test_held_out_rows_teach_nothing() -> None:
    features, targets, held_out, vocabulary = planted()
    other = features.clone()
    other[held_out] = 1.0
    recipe = Recipe(epochs=2, patience=5)
    first, second = (
        fit(each, targets, held_out, vocabulary[1::2], recipe, seed=0) for each in (features, other)
    )
    assert torch.equal(first.history[:, 0], second.history[:, 0])
    assert not torch.equal(first.history[:, 1], second.history[:, 1])


def test_hidden_units_and_lengths_follow_the_recipe() -> None:
    features, targets, held_out, vocabulary = planted()
    classes = vocabulary[1::2]
    fitted = fit(features, targets, held_out, classes, Recipe(epochs=1, num_hidden=5), seed=0)
    assert fitted.num_parameters == fitted.weights.numel() == 2 * 16 + 17 * 5 + 2 * 5 + 6 * 24
    # At length 1, rows that differ in length alone are one.
    one, other = (
        fit(factor * features, targets, held_out, 3 * classes, Recipe(epochs=1), seed=0).history
        for factor in (1.0, 1024.0)
    )
    torch.testing.assert_close(one, other)


def test_what_cannot_be_trained_on_is_refused() -> None:
    features, targets, held_out, vocabulary = planted()
    classes = vocabulary[1::2]
    with pytest.raises(ValueError, match="nothing is left"):
        fit(features, targets, torch.ones_like(held_out), classes, QUICK, seed=0)
    with pytest.raises(ValueError, match="targets"):
        fit(features, targets, held_out, classes[:5], QUICK, seed=0)
    with pytest.raises(ValueError, match="finite"):
        fit(features / 0, targets, held_out, classes, QUICK, seed=0)


# The words


@pytest.mark.parametrize("count", [1, 5, 40, 60])
def test_top_words_are_those_of_a_full_sort(count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    # Small whole numbers: many scores are equal, and rounding plays no part.
    found, vectors = (
        torch.randint(-2, 3, shape, generator=generator).float() for shape in ((300, 3), (40, 3))
    )
    scores, words = top_words(found, vectors, count)
    full = (found @ vectors.T).sort(dim=1, descending=True, stable=True)
    kept = min(count, 40)
    assert scores.shape == words.shape == (300, kept)
    assert torch.equal(scores, full.values[:, :kept])
    assert torch.equal(words, full.indices[:, :kept])


def test_top_words_of_many_rows_come_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    found, vectors = drawn_units(50, 8).float(), drawn_units(30, 8, seed=1).float()
    scores, words = top_words(found, vectors, 4)
    monkeypatch.setattr("auditor.measure.explainer._SCORES", 90)
    cut_scores, cut_words = top_words(found, vectors, 4)
    assert torch.equal(words, cut_words)
    torch.testing.assert_close(scores, cut_scores, rtol=0, atol=1e-6)
    assert top_words(found[:0], vectors, 4)[1].shape == (0, 4)
