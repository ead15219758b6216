"""What a recipe's network is fitted to: outputs in their order, unknown labels left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from auditor.engine.rows import Labels
from auditor.engine.train import targets_of
from auditor.errors import PlanError
from auditor.spec.model import TrainedModel

LABELS = Labels(
    ids=["a", "b", "c"],
    attributes=np.array([[1, -1], [0, 1], [-1, -1]], dtype=np.float32),
    classes=np.array([2, -1, 0]),
)


def model(**other: Any) -> TrainedModel:
    recipe = {"epochs": 1, **other.pop("recipe", {})}
    network = {"source": "builtin", "name": "portraits_net", "num_outputs": 3}
    return TrainedModel.model_validate(
        {"source": "train", "network": network, "recipe": recipe, **other}
    )


def test_columns_stand_at_the_outputs_that_score_them() -> None:
    found = targets_of(model(), LABELS, [2, 0], None)
    assert found.num_targets == 3
    assert found.values.tolist() == [[-1, 0, 1], [1, 0, 0], [-1, 0, -1]]


def test_a_new_head_has_one_output_per_attribute() -> None:
    found = targets_of(model(replace_head="classifier.2"), LABELS, [1, 0], None)
    assert found.num_targets == 2
    assert found.values.tolist() == [[-1, 1], [1, 0], [-1, -1]]


def test_an_output_beyond_the_last_is_refused() -> None:
    with pytest.raises(PlanError, match="output 3, but the fitted network has 3"):
        targets_of(model(), LABELS, [0, 3], None)


def test_classes_are_indices_and_unknown_ones_stay_unknown() -> None:
    found = targets_of(model(recipe={"loss": "multi_class"}), LABELS, [], ("x", "y", "z"))
    assert found.num_targets == 3
    assert found.values.dtype == torch.int64
    assert found.values.tolist() == [2, -1, 0]


def test_classes_have_to_be_there() -> None:
    without = Labels(LABELS.ids, LABELS.attributes, None)
    with pytest.raises(PlanError, match="no class labels"):
        targets_of(model(recipe={"loss": "multi_class"}), without, [], None)
