"""How well a freshly fitted network does on a split it was not fitted on, and whether it learnt.

A network that is no better than always giving the most frequent answer has learnt nothing that a
feature could stand for, however small its training loss: nothing is claimed on it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from auditor.adapters.models.accuracy import Answers, answers, evaluation_step_size
from auditor.adapters.models.losses import Loss
from auditor.engine.progress import Progress
from auditor.measure.intervals import wilson
from auditor.needs import NetworkRole
from auditor.results.estimate import Estimate
from auditor.spec.model import AdversarySpec, TrainedModel
from auditor.wording import counted, percent

LEVEL = 0.95
MAX_IMAGES = 1000
"""Images that the accuracies are measured on, at most: an attack costs as much as many epochs."""


class Evaluated(NamedTuple):
    """Images to measure on.

    Attributes:
        pixels: uint8 [N, 3, H, W] after resize and crop.
        targets: As `fit` takes them, for the same images.
        split: Their split.
        num_available: Images of that split; more than N where only a sample is looked at.
    """

    pixels: Tensor
    targets: Tensor
    split: str
    num_available: int


class Accuracies(NamedTuple):
    """Accuracy on images as they are, and on those an adversary has changed."""

    clean: Estimate
    robust: Estimate | None
    unlearnt: str | None


def measure_accuracies(
    network: nn.Module,
    model: TrainedModel,
    role: NetworkRole,
    evaluated: Evaluated,
    *,
    device: torch.device,
    progress: Progress,
) -> Accuracies:
    """Clean and, where the recipe has an adversary, robust accuracy, each with its interval.

    Args:
        network: The fitted network, on `device`.
        model: Its recipe and preprocessing.
        role: Its role in the spec, for sentences.
        evaluated: Images to measure on.
        device: Where to compute.
        progress: Where to report to.
    """
    adversary, loss = model.recipe.adversary, model.recipe.loss
    found: list[Estimate] = []
    for against in (None, adversary) if adversary is not None else (None,):
        what = "clean" if against is None else "robust"
        with progress.step(f"{what} accuracy", len(evaluated.pixels), "images") as advance:
            given = answers(
                network,
                evaluated.pixels,
                evaluated.targets,
                loss=loss,
                preprocess=model.preprocess,
                device=device,
                adversary=against,
                seed=model.recipe.seed,
                on_batch=advance,
            )
        found.append(accuracy(given, method=method_of(evaluated, against, model.split)))
    constant = constant_accuracy(evaluated.targets, loss)
    unlearnt = unlearnt_reason(found[0], constant, evaluated.split, model, role)
    return Accuracies(found[0], found[1] if adversary is not None else None, unlearnt)


def accuracy(given: Answers, *, method: str = "wilson") -> Estimate:
    """Share of right answers among those whose truth is known, the mean over attributes.

    The attributes of one picture are right or wrong together more often than not, so a picture
    counts as one answer: the interval is Wilson's for the mean accuracy and as many answers as the
    attribute with the fewest known labels has. It is never too narrow, however the attributes hang
    together: the standard deviation of a mean is at most the mean of the standard deviations, and
    √(p(1−p)) is concave in p (Jensen).

    Args:
        given: The answers.
        method: How the interval and the sample came about, for the record.
    """
    counts = given.known.sum(dim=0)
    asked = counts > 0
    num_answers = int(asked.sum())
    if not num_answers:
        return Estimate.absent("no image that was looked at has a label")
    shares = given.right.sum(dim=0)[asked].double() / counts[asked]
    fewest = int(counts[asked].min())
    value, low, high = wilson(min(1.0, float(shares.mean())) * fewest, fewest, level=LEVEL)
    if num_answers > 1:
        method = f"{method}, mean over {num_answers} attributes, one picture as one answer"
    return Estimate(value=value, low=low, high=high, level=LEVEL, method=method, num_samples=fewest)


def method_of(evaluated: Evaluated, adversary: AdversarySpec | None, fitted_on: str) -> str:
    """How an accuracy was measured: interval, sample and attack."""
    parts = ["wilson"]
    if evaluated.split == fitted_on:
        parts.append("on the images it was fitted on")
    num_images = len(evaluated.pixels)
    if num_images < evaluated.num_available:
        parts.append(
            f"{num_images} of {evaluated.num_available} images, the first in an order shuffled by "
            "sample id"
        )
    if adversary is not None:
        start = "a random start" if adversary.random_start else "the image"
        size = evaluation_step_size(adversary)
        parts.append(f"{adversary.test_steps} steps of {size:.3g} from {start}")
    return ", ".join(parts)


def constant_accuracy(targets: Tensor, loss: Loss) -> float | None:
    """Accuracy of always giving the most frequent answer, the mean over attributes.

    None where nothing is known, or where only one answer occurs: nobody can do better then.
    """
    if loss == "multi_class":
        counts = torch.bincount(targets[targets >= 0])
        shares = counts[None] / counts.sum() if len(counts) else torch.zeros(0, 1)
    else:
        present, absent = (targets > 0).sum(dim=0), (targets < 0).sum(dim=0)
        counts = torch.stack([present, absent], dim=1)[present + absent > 0]
        shares = counts / counts.sum(dim=1, keepdim=True)
    if not len(shares):
        return None
    share = float(shares.double().amax(dim=1).mean())
    return share if share < 1.0 else None


def unlearnt_reason(
    clean: Estimate,
    constant: float | None,
    split: str,
    model: TrainedModel,
    role: NetworkRole,
) -> str | None:
    """Why a network that is no better than a constant answer is of no use; None where it is.

    Args:
        clean: Accuracy on images as they are.
        constant: Accuracy of always giving the most frequent answer.
        split: Split of both.
        model: The recipe.
        role: Role of the network in the spec.
    """
    if clean.value is None or clean.low is None or clean.num_samples is None or constant is None:
        return None
    if clean.low > constant:
        return None
    return (
        f"The {role} has not learnt its task: on {counted(clean.num_samples, 'picture')} of split "
        f"{split!r} it is right in {percent(clean.value)} ({percent(clean.low)} to "
        f"{percent(clean.high)}), and always giving the most frequent answer is right in "
        f"{percent(constant)}. Nothing is claimed on its features. {next_move(model, role)}"
    )


def next_move(model: TrainedModel, role: NetworkRole) -> str:
    """What to change in a recipe whose fit came to nothing."""
    recipe = model.recipe
    moves = [
        f"lower {role}.recipe.learning_rate (now {recipe.learning_rate:g})",
        f"raise {role}.recipe.epochs (now {recipe.epochs})",
    ]
    if recipe.adversary is not None:
        moves.append(f"lower {role}.recipe.adversary.eps (now {recipe.adversary.eps:g})")
    text = f"{', '.join(moves[:-1])} or {moves[-1]}."
    return text[0].upper() + text[1:]
