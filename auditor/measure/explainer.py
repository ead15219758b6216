"""The network that turns features of a layer into a direction among words (LaViSE's explainer).

Yang, Kim, Joo, "Explaining deep convolutional neural networks via latent visual-semantic filter
attention", CVPR 2022. The extractor is frozen, so that features are computed once and the explainer
learns from vectors. Layers are those of the release (`model_loader.py`), whose batch normalisation
stays in evaluation mode throughout and so is a learnable scale and shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from auditor.measure.word_losses import Loss, Slope, hinges, loss_slope, unit

Scale = Literal["unit", "none"]

_ROWS = 4096
_SCORES = 1 << 24


@dataclass(frozen=True)
class Recipe:
    """How an explainer is trained; the fields are those of the filter audit's `explainer`.

    Attributes:
        loss: `hinge`, `cosine` or `softmax`.
        margin: Of the hinge.
        num_hidden: Hidden units; None for as many as there are channels.
        epochs: Passes over the training rows, at most.
        patience: Passes without a better held-out loss after which training ends.
        batch_size: Rows per step.
        learning_rate: Of Adam.
        dropout: Share of inputs dropped before each linear layer.
        scale: `unit` gives each row of features length 1; `none` leaves it as it is.
    """

    loss: Loss = "hinge"
    margin: float = 1.0
    num_hidden: int | None = None
    epochs: int = 60
    patience: int = 8
    batch_size: int = 128
    learning_rate: float = 1e-3
    dropout: float = 0.1
    scale: Scale = "unit"


class Fitted(NamedTuple):
    """A trained explainer.

    Attributes:
        weights: float32 [P], for `open_explainer`.
        history: float64 [epochs, 2], mean training loss (under dropout, while weights move) and
            held-out loss (without) of each pass; -1 after the end, or where nothing is held out.
        best: Pass whose weights were kept.
        num_parameters: P.
    """

    weights: Tensor
    history: Tensor
    best: int
    num_parameters: int


class Explainer(nn.Module):
    """Affine → dropout → linear → ReLU → affine → dropout → linear.

    With d channels, h hidden units and D dimensions it has dh + 2d + 3h + Dh + D parameters, so
    d² + 305d + 300 for h = d and D = 300. An affine layer is the release's batch normalisation in
    evaluation mode with its initial statistics 0 and 1, less its eps: that multiplies by
    1/√(1 + 1e-5), a constant which the learnable scale takes in.

    Dropout acts only where `forward` is given a generator, and nothing reads the global one.
    """

    def __init__(
        self, num_channels: int, num_hidden: int, num_dimensions: int, dropout: float
    ) -> None:
        """Scales 1 and all else 0; `initialise` draws the linear layers."""
        super().__init__()
        self.dropout = dropout
        self.scale_in = nn.Parameter(torch.ones(num_channels))
        self.shift_in = nn.Parameter(torch.zeros(num_channels))
        self.weight_in = nn.Parameter(torch.zeros(num_hidden, num_channels))
        self.bias_in = nn.Parameter(torch.zeros(num_hidden))
        self.scale_out = nn.Parameter(torch.ones(num_hidden))
        self.shift_out = nn.Parameter(torch.zeros(num_hidden))
        self.weight_out = nn.Parameter(torch.zeros(num_dimensions, num_hidden))
        self.bias_out = nn.Parameter(torch.zeros(num_dimensions))

    def initialise(self, generator: torch.Generator) -> None:
        """Linear layers as torch draws them by default: uniform in ±1/√(number of inputs)."""
        for weight, bias in ((self.weight_in, self.bias_in), (self.weight_out, self.bias_out)):
            bound = weight.shape[1] ** -0.5
            for parameter in (weight, bias):
                nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Directions of any length [B, D] for features [B, d]; with dropout given a generator."""
        return self.trace(features, generator).predicted

    def trace(self, features: Tensor, generator: torch.Generator | None) -> Trace:
        """`forward` with what lies between."""
        first = torch.addcmul(self.shift_in, features, self.scale_in)
        kept_in = _kept(first, self.dropout, generator)
        first = first * kept_in
        hidden = linear(first, self.weight_in, self.bias_in).relu()
        second = torch.addcmul(self.shift_out, hidden, self.scale_out)
        kept_out = _kept(second, self.dropout, generator)
        second = second * kept_out
        predicted = linear(second, self.weight_out, self.bias_out)
        return Trace(features, kept_in, first, hidden, kept_out, second, predicted)


class Trace(NamedTuple):
    """One pass through an explainer: inputs of its layers, and what dropout multiplied by.

    Attributes:
        features: [B, d].
        kept_in: Of `first` [B, d], or 1 without dropout.
        first: Input of the first linear layer [B, d].
        hidden: [B, h].
        kept_out: Of `second` [B, h], or 1 without dropout.
        second: Input of the second linear layer [B, h].
        predicted: [B, D].
    """

    features: Tensor
    kept_in: Tensor
    first: Tensor
    hidden: Tensor
    kept_out: Tensor
    second: Tensor
    predicted: Tensor


def hinge_rank_loss(
    predicted: Tensor, targets: Tensor, classes: Tensor, *, margin: float
) -> Tensor:
    """Σ_{j≠t} max(0, margin - cos(v, v_t) + cos(v, v_j)), averaged over the batch.

    LaViSE's loss with every other class as a negative. Where all hinges are active, margin is 1
    and v, v_j have length 1, it is (C - 1)(1 - v_t·v) + (S - v_t)·v with S = Σ_j v_j.

    Args:
        predicted: v [B, D], of any length.
        targets: t, int64 [B].
        classes: v_j [C, D], of any length.
        margin: Above 0.
    """
    cosines = unit(predicted) @ unit(classes).T
    # The target's own hinge is worth the margin everywhere.
    return hinges(cosines, targets, margin).sum() / len(targets) - margin


def fit(
    features: Tensor,
    targets: Tensor,
    held_out: Tensor,
    classes: Tensor,
    recipe: Recipe,
    *,
    seed: int,
) -> Fitted:
    """Trains an explainer by Adam, and keeps the pass with the smallest held-out loss.

    Everything random comes from one generator of its own, seeded with `seed`. Where no row is held
    out, every pass is made and the last one kept.

    Args:
        features: [M, d], finite.
        targets: Position in `classes`, int64 [M].
        held_out: bool [M], rows that early stopping looks at and training does not.
        classes: Directions of the concepts [C, D], of any length; all others are negatives.
        recipe: How.
        seed: Decides initial weights, order of rows and dropout.

    Raises:
        ValueError: for no row to train on, a target outside the classes, or features that are not
            finite.
    """
    _check(features, targets, held_out, classes)
    scaled, units = _scaled(features, recipe.scale), unit(classes.float())
    training, testing = ((scaled[part], targets[part]) for part in (~held_out, held_out))
    learner = _Learner(features.shape[1], units, recipe, torch.Generator().manual_seed(seed))
    history = torch.full((recipe.epochs, 2), -1.0, dtype=torch.float64)
    best, weights = 0, learner.weights.clone()
    for epoch in range(recipe.epochs):
        history[epoch, 0] = learner.train(*training)
        if len(testing[1]):
            history[epoch, 1] = learner.test(*testing)
        if epoch == 0 or not len(testing[1]) or history[epoch, 1] < history[best, 1]:
            best, weights = epoch, learner.weights.clone()
        if epoch - best >= recipe.patience:
            break
    return Fitted(weights, history, best, weights.numel())


def open_explainer(
    weights: Tensor, num_channels: int, num_hidden: int, num_dimensions: int
) -> Explainer:
    """The explainer with these parameters [P], in evaluation mode and without gradients.

    Raises:
        ValueError: where their number is not that of an explainer of this size.
    """
    explainer = Explainer(num_channels, num_hidden, num_dimensions, dropout=0.0)
    size = sum(parameter.numel() for parameter in explainer.parameters())
    if weights.shape != (size,):
        raise ValueError(f"this explainer has {size} parameters, not {list(weights.shape)}")
    vector_to_parameters(weights.detach().float().clone(), explainer.parameters())
    return explainer.requires_grad_(False).eval()


def directions(explainer: Explainer, features: Tensor, scale: Scale) -> Tensor:
    """Where features point among words: float32 [N, D], rows of length 1.

    Args:
        explainer: From `open_explainer`.
        features: [N, d].
        scale: As in the recipe it was fitted by.
    """
    scaled = _scaled(features, scale)
    with torch.no_grad():
        parts = [unit(explainer(part)) for part in torch.split(scaled, _ROWS)]
    return torch.cat(parts)


def top_words(directions: Tensor, vectors: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The words nearest to each direction, best first; of equal scores the lower position first.

    Args:
        directions: [N, D], rows of length 1.
        vectors: [W, D], rows of length 1.
        count: Words per row.

    Returns:
        Cosines, float32 [N, n], and positions of the words, int64 [N, n], with n = min(count, W).
    """
    count = min(count, len(vectors))
    chunks = torch.split(directions.float(), max(1, _SCORES // max(1, len(vectors))))
    parts = [_largest(chunk @ vectors.float().T, count) for chunk in chunks]
    scores, words = zip(*parts, strict=True)
    return torch.cat(scores), torch.cat(words)


class _Learner:
    """An explainer in training: its parameters are views of one vector, and so are its gradients.

    Gradients are written out instead of recorded: steps are so small that recording them would
    cost a third more.
    """

    def __init__(
        self, num_channels: int, units: Tensor, recipe: Recipe, generator: torch.Generator
    ) -> None:
        self.units, self.recipe, self.generator = units, recipe, generator
        sizes = (num_channels, recipe.num_hidden or num_channels, units.shape[1], recipe.dropout)
        self.explainer, self.gradient = (Explainer(*sizes).requires_grad_(False) for _ in range(2))
        self.explainer.initialise(generator)
        self.weights, gradient = (
            parameters_to_vector(each.parameters()) for each in (self.explainer, self.gradient)
        )
        vector_to_parameters(self.weights, self.explainer.parameters())
        vector_to_parameters(gradient, self.gradient.parameters())
        self.weights.grad = gradient
        self.adam = torch.optim.Adam([self.weights], lr=recipe.learning_rate, fused=True)

    def train(self, features: Tensor, targets: Tensor) -> float:
        """One pass over some rows in random order; their mean loss meanwhile."""
        order = torch.randperm(len(targets), generator=self.generator)
        total = 0.0
        for rows in torch.split(order, self.recipe.batch_size):
            trace = self.explainer.trace(features[rows], self.generator)
            slope = self.slope(trace.predicted, targets[rows])
            backward(self.explainer, trace, slope.gradient, into=self.gradient)
            self.adam.step()
            total += float(slope.loss) * len(rows)
        return total / len(targets)

    def slope(self, predicted: Tensor, targets: Tensor) -> Slope:
        """The recipe's loss."""
        how = self.recipe
        return loss_slope(predicted, targets, self.units, loss=how.loss, margin=how.margin)

    def test(self, features: Tensor, targets: Tensor) -> float:
        """Mean loss of some rows, without dropout."""
        total = 0.0
        for part, truth in zip(
            torch.split(features, _ROWS), torch.split(targets, _ROWS), strict=True
        ):
            slope = self.slope(self.explainer(part), truth)
            total += float(slope.loss) * len(truth)
        return total / len(targets)


def backward(explainer: Explainer, trace: Trace, gradient: Tensor, *, into: Explainer) -> None:
    """Carries a gradient [B, D] back to every parameter, written to those of `into`.

    Args:
        explainer: Whose pass it was.
        trace: The pass.
        gradient: With respect to `trace.predicted`.
        into: An explainer of the same size that needs no gradients itself.
    """
    torch.mm(gradient.T, trace.second, out=into.weight_out)
    torch.sum(gradient, 0, out=into.bias_out)
    at_hidden = (gradient @ explainer.weight_out).mul_(trace.kept_out)
    torch.sum(at_hidden * trace.hidden, 0, out=into.scale_out)
    torch.sum(at_hidden, 0, out=into.shift_out)
    at_hidden.mul_(explainer.scale_out).mul_(trace.hidden.sign())
    torch.mm(at_hidden.T, trace.first, out=into.weight_in)
    torch.sum(at_hidden, 0, out=into.bias_in)
    at_features = (at_hidden @ explainer.weight_in).mul_(trace.kept_in)
    torch.sum(at_features * trace.features, 0, out=into.scale_in)
    torch.sum(at_features, 0, out=into.shift_in)


def _kept(x: Tensor, dropout: float, generator: torch.Generator | None) -> Tensor:
    """What dropout multiplies x [B, F] by: 0 or 1/(share kept); 1 without a generator."""
    if generator is None:
        return x.new_ones(())
    # Four 16-bit draws from each number of the generator, which is most of the cost; the share is
    # rounded to 1/65536.
    bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64)
    draws = bits.random_(-(2**63), None, generator=generator).view(torch.int16)
    dropped = min(round(dropout * 2**16), 2**16 - 1)
    kept = torch.empty(x.shape)
    torch.ge(draws[: x.numel()].view(x.shape), dropped - 2**15, out=kept)
    return kept.mul_(2**16 / (2**16 - dropped))


def _largest(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest of each row in order, ties by position, as a stable sort would give them."""
    # `topk` leaves open which of equal scores it takes: one more shows where that matters.
    top = scores.topk(min(count + 1, scores.shape[1]))
    words, order = top.indices[:, :count].sort()
    values, by_score = top.values[:, :count].gather(1, order).sort(stable=True, descending=True)
    words = words.gather(1, by_score)
    if 0 < count < scores.shape[1]:
        open_rows = top.values[:, count - 1] == top.values[:, count]
        full = scores[open_rows].sort(stable=True, descending=True)
        words[open_rows] = full.indices[:, :count]
    return values, words


def _scaled(features: Tensor, scale: Scale) -> Tensor:
    return unit(features.float()) if scale == "unit" else features.float()


def _check(features: Tensor, targets: Tensor, held_out: Tensor, classes: Tensor) -> None:
    if bool(held_out.all()):
        raise ValueError("every row is held out: nothing is left to train on")
    if int(targets.min()) < 0 or int(targets.max()) >= len(classes):
        raise ValueError(f"targets lie in [0, {len(classes)})")
    if not bool(features.isfinite().all()):
        raise ValueError("features are not finite")
