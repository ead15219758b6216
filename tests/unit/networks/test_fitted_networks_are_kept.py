"""A recipe is fitted once, measured, and kept with how it went; a broken one is never trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from auditor.adapters.datasets.protocol import Unreadable
from auditor.adapters.models.accuracy import Answers, answers
from auditor.adapters.models.open import open_network
from auditor.catalog import AuditSpec
from auditor.engine.accuracy import accuracy, constant_accuracy
from auditor.engine.progress import Silent
from auditor.engine.rows import Labels
from auditor.engine.train import FittedNetwork, train_network
from auditor.errors import InputError
from auditor.measure.intervals import wilson
from auditor.needs import View
from auditor.plan.steps import Train
from auditor.spec.extractor import TrainedExtractor
from auditor.spec.model import TrainedModel

CPU = torch.device("cpu")


class Colours:
    """Reddish and greenish noise; class and attribute say which. Every seventh cannot be read."""

    def __init__(self, sizes: dict[str, int], *, damaged: bool = False, side: int = 16) -> None:
        self.sizes, self.damaged, self.side = sizes, damaged, side
        self.classes = ("red", "green")

    def read(self, split: str, rows: Any, view: View) -> list[Tensor | Unreadable]:
        return [self._image(split, row) for row in rows]

    def labels(self, split: str) -> Labels:
        count = self.sizes[split]
        classes: NDArray[np.int64] = np.arange(count, dtype=np.int64) % 2
        attributes = np.stack([1 - 2 * classes, np.zeros(count)], axis=1).astype(np.float32)
        return Labels([f"{split}-{row}" for row in range(count)], attributes, classes)

    def _image(self, split: str, row: int) -> Tensor | Unreadable:
        if self.damaged and row % 7 == 3:
            return Unreadable("the file is cut off")
        generator = torch.Generator().manual_seed(row + 1000 * len(split))
        image = 90 + 30 * torch.randn(3, self.side, self.side, generator=generator)
        image[row % 2] += 40
        return image.round().clamp(0, 255).to(torch.uint8)


SIZES = {"train": 60, "test": 40, "large": 1100}
RECIPE = {
    "epochs": 6, "batch_size": 20, "learning_rate": 3e-3, "loss": "multi_class",
    "adversary": {"norm": "linf", "eps": 0.02, "num_steps": 2, "test_steps": 3},
}  # fmt: skip


def extractor(**changes: Any) -> TrainedExtractor:
    recipe = RECIPE | changes.pop("recipe", {})
    network = {"source": "builtin", "name": "portraits_net", "num_outputs": 2}
    return TrainedExtractor.model_validate(
        {
            "source": "train", "layer": "classifier.1", "network": network, "recipe": recipe,
            "preprocess": {"mean": (0.4, 0.4, 0.4), "std": (0.2, 0.2, 0.2)}, **changes,
        }
    )  # fmt: skip


def train(
    cache: Path, model: TrainedModel, data: Colours | None = None, *, name: str = "one"
) -> FittedNetwork:
    data = data or Colours(SIZES)
    spec = AuditSpec.model_validate(
        {
            "version": 1, "name": "colours", "title": "Colours", "dataset": {
                "source": "portraits", "splits": {"train": {"count": 2}}
            },
            "model": {"source": "builtin", "name": "portraits_net", "num_outputs": 2},
            "engine": {"max_unreadable": 0.5}, "audits": {},
        }
    )  # fmt: skip
    step = Train(id=name, ingredients={}, network="extractor", split="train")
    split = model.evaluate if isinstance(model, TrainedExtractor) else None
    return train_network(
        step, spec, model, data, data.labels("train"),  # type: ignore[arg-type]
        outputs=(0, 1), layers={}, device=CPU, cache_dir=cache, progress=Silent(),
        evaluated=None if split is None else data.labels(split),
    )  # fmt: skip


def test_accuracies_are_recorded_with_intervals_and_read_back_from_the_cache(
    tmp_path: Path,
) -> None:
    found = train(tmp_path, extractor())
    record = found.training
    assert record.diverged is None
    assert record.network == "extractor"
    assert record.name == "portraits_net"
    assert record.digest == found.digest
    assert record.num_epochs == len(record.epoch_losses) == 6
    assert record.adversary == "linf, eps 0.02, 2 steps of 0.025"
    assert record.evaluated_on == "test"
    clean, robust = record.clean_accuracy, record.robust_accuracy
    assert clean is not None
    assert clean.value is not None
    assert clean.value > 0.9
    assert (clean.low, clean.high) == wilson(40 * clean.value, 40)[1:]
    assert clean.method == "wilson"
    assert clean.num_samples == 40
    assert robust is not None
    assert robust.value is not None
    assert robust.value <= clean.value
    assert robust.method == "wilson, 3 steps of 0.0167 from a random start"
    stamp = found.path.stat().st_mtime_ns
    again = train(tmp_path, extractor())
    assert again == found
    assert again.path.stat().st_mtime_ns == stamp


def test_the_recorded_accuracy_is_that_of_the_kept_network(tmp_path: Path) -> None:
    model, data = extractor(), Colours(SIZES)
    found = train(tmp_path, model)
    network = open_network(model, trained=found.path)
    pixels = torch.stack([data._image("test", row) for row in range(40)])  # type: ignore[misc]
    given = answers(
        network, pixels, torch.arange(40) % 2, loss="multi_class",
        preprocess=model.preprocess, device=CPU, adversary=None,
    )  # fmt: skip
    assert found.training.clean_accuracy is not None
    assert found.training.clean_accuracy.value == float(given.right.float().mean())


def test_the_same_recipe_gives_the_same_record_in_another_cache(tmp_path: Path) -> None:
    one, two = (train(tmp_path / name, extractor()) for name in ("a", "b"))
    assert one.digest == two.digest
    assert one.training == two.training


def test_at_most_a_thousand_images_are_measured_and_the_record_says_so(tmp_path: Path) -> None:
    found = train(tmp_path, extractor(evaluate="large", recipe={"epochs": 2}))
    clean = found.training.clean_accuracy
    assert clean is not None
    assert clean.num_samples == 1000
    assert clean.method is not None
    assert "1000 of 1100 images, the first in an order shuffled by sample id" in clean.method


def test_measuring_on_the_fitted_images_is_said(tmp_path: Path) -> None:
    clean = train(tmp_path, extractor(evaluate="train")).training.clean_accuracy
    assert clean is not None
    assert clean.method == "wilson, on the images it was fitted on"


def test_nothing_is_measured_where_no_split_is_named(tmp_path: Path) -> None:
    record = train(tmp_path, extractor(evaluate=None)).training
    assert (record.clean_accuracy, record.robust_accuracy, record.evaluated_on) == (None,) * 3
    assert record.diverged is None


def test_without_an_adversary_there_is_no_robust_accuracy(tmp_path: Path) -> None:
    record = train(tmp_path, extractor(recipe={"adversary": None})).training
    assert (record.adversary, record.robust_accuracy) == (None, None)
    assert record.clean_accuracy is not None


def test_a_recipe_that_breaks_down_is_reported_the_same_way_twice(tmp_path: Path) -> None:
    broken = extractor(recipe={"learning_rate": 1e20, "optimizer": "sgd"})
    found = train(tmp_path, broken)
    reason = found.training.diverged
    assert reason is not None
    assert "The training of the extractor broke down" in reason
    assert "no longer" in reason
    assert "extractor.recipe.learning_rate (now 1e+20)" in reason
    assert "adversary.eps (now 0.02)" in reason
    for measured in (found.training.clean_accuracy, found.training.robust_accuracy):
        assert measured is not None
        assert measured.value is None
        assert measured.reason
    assert train(tmp_path, broken) == found


def test_a_network_no_better_than_a_constant_answer_is_not_trusted(tmp_path: Path) -> None:
    lazy = extractor(recipe={"epochs": 1, "learning_rate": 1e-9, "schedule": "constant"})
    found = train(tmp_path, lazy)
    reason = found.training.diverged
    assert reason is not None
    assert "has not learnt its task" in reason
    assert "always giving the most frequent answer is right in 50" in reason
    assert "Raise extractor.recipe.epochs" in reason or "raise extractor.recipe.epochs" in reason
    assert found.training.clean_accuracy is not None
    assert found.training.clean_accuracy.value is not None
    assert train(tmp_path, lazy) == found


@pytest.mark.parametrize("damage", ["old", "foreign", "half"])
def test_notes_of_an_older_version_or_broken_ones_mean_a_new_fit(
    tmp_path: Path, damage: str
) -> None:
    found = train(tmp_path, extractor(recipe={"epochs": 2}))
    notes = found.path.with_suffix(".json")
    kept = json.loads(notes.read_text())
    if damage == "old":
        del kept["training"]
        notes.write_text(json.dumps(kept))
    elif damage == "foreign":
        notes.write_text(json.dumps(kept | {"novelty": 1}))
    else:
        found.path.write_bytes(found.path.read_bytes()[:-8])
    assert train(tmp_path, extractor(recipe={"epochs": 2})) == found
    assert json.loads(notes.read_text())["training"]["num_epochs"] == 2


def test_unreadable_images_of_both_splits_are_named_and_left_out(tmp_path: Path) -> None:
    found = train(tmp_path, extractor(), Colours(SIZES, damaged=True))
    names = {image.sample for image in found.quarantined}
    assert {"train-3", "test-3", "test-38"} <= names
    assert len(names) == 9 + 6
    assert found.training.clean_accuracy is not None
    assert found.training.clean_accuracy.num_samples == 34


def test_attributes_are_measured_by_their_mean(tmp_path: Path) -> None:
    record = train(tmp_path, extractor(recipe={"loss": "multi_label"})).training
    clean = record.clean_accuracy
    assert clean is not None
    assert clean.num_samples == 40  # the second attribute is unknown everywhere
    assert clean.value is not None
    assert clean.value > 0.8


def test_images_of_a_size_that_the_network_cannot_take_are_refused_before_the_work(
    tmp_path: Path,
) -> None:
    network = {"source": "builtin", "name": "robust_resnet2b", "num_outputs": 2}
    small = extractor(network=network, layer="relu1")
    with pytest.raises(InputError, match=r"robust_resnet2b cannot take images of 16×16 pixels"):
        train(tmp_path, small)
    with pytest.raises(InputError, match=r"extractor\.preprocess\.resize"):
        train(tmp_path, small)


def test_a_mean_over_attributes_counts_a_picture_as_one_answer() -> None:
    right = torch.tensor([[1, 1], [1, 0], [0, 0], [1, 0]], dtype=torch.bool)
    known = torch.tensor([[1, 1], [1, 1], [1, 0], [1, 0]], dtype=torch.bool)
    found = accuracy(Answers(right & known, known))
    assert found.value == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert (found.low, found.high) == pytest.approx(wilson(2 * 0.625, 2)[1:])
    assert found.num_samples == 2
    assert found.method == "wilson, mean over 2 attributes, one picture as one answer"
    absent = accuracy(Answers(right & False, known & False))
    assert absent.value is None
    assert absent.reason


def test_the_mean_interval_covers_however_attributes_hang_together() -> None:
    generator = np.random.default_rng(0)
    for copies in (1, 6):  # the same attribute six times, and six unrelated ones
        covered = 0
        for _ in range(400):
            columns = generator.random((80, 6 // copies)) < 0.7
            right = torch.from_numpy(np.repeat(columns, copies, axis=1))
            found = accuracy(Answers(right, torch.ones_like(right)))
            assert found.low is not None
            assert found.high is not None
            covered += found.low <= 0.7 <= found.high
        assert covered >= 370  # 380 expected at 95 % for copies, more for unrelated ones


def test_the_most_frequent_answer() -> None:
    classes = torch.tensor([0, 1, 1, -1, 2, 1])
    assert constant_accuracy(classes, "multi_class") == pytest.approx(3 / 5)
    signs = torch.tensor([[1.0, -1, 0], [1, -1, 0], [-1, 1, 0], [0, -1, 0]])
    assert constant_accuracy(signs, "multi_label") == pytest.approx((2 / 3 + 3 / 4) / 2)
    assert constant_accuracy(torch.tensor([1, 1]), "multi_class") is None  # nobody can beat it
    assert constant_accuracy(torch.tensor([-1, -1]), "multi_class") is None
    assert constant_accuracy(torch.zeros(3, 2), "multi_label") is None
