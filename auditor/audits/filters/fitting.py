"""Explainers by cross-fitting: one per part of images and concepts, fitted without either.

Explainer f of F never sees an image of part f, nor a concept of part f; a last one sees all images
and concepts, and names the filters. A tenth of the images that an explainer may learn from decides
when to stop. An image's part follows from a hash of its sample id.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from auditor.audits.filters.spec import ExplainerSpec
from auditor.audits.filters.states import RegionsState
from auditor.measure.explainer import Fitted, Recipe, directions, fit, open_explainer
from auditor.measure.threads import spread

STOPPING = 10
"""One image of so many decides when to stop."""


class Fits(NamedTuple):
    """F + 1 explainers; the last one saw everything.

    Attributes:
        weights: float32 [F + 1, P].
        history: float64 [F + 1, epochs, 2], training and held-out loss, -1 after the end.
        best: int64 [F + 1], epoch whose weights were kept; -1 where there was nothing to learn.
    """

    weights: Tensor
    history: Tensor
    best: Tensor


class Lesson(NamedTuple):
    """What one explainer learns from.

    Attributes:
        part: Which explainer, and the part that it never sees.
        features: float32 [M, d].
        targets: int64 [M], positions in `classes`.
        stops: bool [M], regions that decide when to stop.
        classes: Directions of the concepts it may know, float32 [C, D].
    """

    part: int
    features: Tensor
    targets: Tensor
    stops: Tensor
    classes: Tensor

    @property
    def enough(self) -> bool:
        """Whether there is something to tell apart, to learn from and to stop by."""
        return len(self.classes) >= 2 and 0 < int(self.stops.sum()) < len(self.stops)


def image_parts(buckets: Tensor, folds: int) -> Tensor:
    """The part of each image, int64 [n], from 0 to `folds` - 1."""
    return buckets % folds


def stopping(buckets: Tensor, folds: int) -> Tensor:
    """Images that decide when to stop, bool [n]: a tenth of every part."""
    return buckets // folds % STOPPING == 0


def parts_of_regions(
    recipe: ExplainerSpec, regions: RegionsState, learnable: Tensor
) -> tuple[Tensor, Tensor]:
    """Regions that the last explainer learns from, and those that it stops by, bool [M] each."""
    known = torch.isin(regions.region_concept, learnable)
    stops = stopping(regions.region_bucket, recipe.folds)
    return known & ~stops, known & stops


def fit_all(
    recipe: ExplainerSpec,
    regions: RegionsState,
    learnable: Tensor,
    vectors: Tensor,
    held_out: Tensor,
    *,
    seed: int,
) -> Fits:
    """Fit the explainers, side by side on the threads that are there.

    Args:
        recipe: How.
        regions: Masked features, with the concept and the bucket of each.
        learnable: Concepts to learn from, ascending, int64 [L].
        vectors: Their directions, float32 [L, D].
        held_out: The part of each of them, int64 [L].
        seed: Seed of the audit.
    """
    lessons = [
        lesson(recipe, regions, learnable, vectors, held_out, part)
        for part in range(recipe.folds + 1)
    ]

    def learn(one: Lesson) -> Fitted | None:
        if not one.enough:
            return None
        parts = (one.features, one.targets, one.stops, one.classes)
        return fit(*parts, recipe_of(recipe, one.features.shape[1]), seed=seed + one.part)

    fitted = spread(learn, lessons, device=torch.device("cpu"))
    size = next(len(one.weights) for one in fitted if one is not None)
    weights = torch.zeros(len(fitted), size)
    history = torch.full((len(fitted), recipe.epochs, 2), -1.0, dtype=torch.float64)
    best = torch.full((len(fitted),), -1)
    for index, one in enumerate(fitted):
        if one is not None:
            weights[index], history[index], best[index] = one.weights, one.history, one.best
    return Fits(weights, history, best)


def lesson(
    recipe: ExplainerSpec,
    regions: RegionsState,
    learnable: Tensor,
    vectors: Tensor,
    held_out: Tensor,
    part: int,
) -> Lesson:
    """What explainer `part` may know: nothing of its part of images and concepts."""
    known = (held_out != part).nonzero().flatten()
    position = torch.full((int(learnable.max()) + 1,), -1)
    position[learnable[known]] = torch.arange(len(known))
    concept, buckets = regions.region_concept, regions.region_bucket
    inside = torch.isin(concept, learnable[known])
    chosen = (inside & (image_parts(buckets, recipe.folds) != part)).nonzero().flatten()
    return Lesson(
        part,
        regions.region_features[chosen],
        position[concept[chosen]],
        stopping(buckets[chosen], recipe.folds),
        vectors[known],
    )


def recipe_of(spec: ExplainerSpec, num_channels: int) -> Recipe:
    """The spec as the kernel wants it."""
    return Recipe(
        loss=spec.loss,
        margin=spec.margin,
        num_hidden=spec.num_hidden or num_channels,
        epochs=spec.epochs,
        patience=spec.patience,
        batch_size=spec.batch_size,
        learning_rate=spec.learning_rate,
        dropout=spec.dropout,
        scale=spec.scale,
    )


def answers(spec: ExplainerSpec, weights: Tensor, features: Tensor, num_dimensions: int) -> Tensor:
    """What one explainer, weights [P], makes of features [N, d]: directions, float32 [N, D]."""
    num_channels = features.shape[1]
    num_hidden = spec.num_hidden or num_channels
    explainer = open_explainer(weights, num_channels, num_hidden, num_dimensions)
    return directions(explainer, features, spec.scale)
