"""Tables of the failure audit with known failures, and the context that goes with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from auditor.audits.failures.spec import FailuresSpec
from auditor.audits.failures.states import TableState
from auditor.context import Attribute, Context, Extractor

CLASSES = ("cat", "dog", "car")


@pytest.fixture
def make_spec() -> Callable[..., FailuresSpec]:
    """A spec of two groupings without pictures, and whatever is changed of it."""

    def make(**changes: Any) -> FailuresSpec:
        fields = {"kind": "failures", "permutations": 19, "resamples": 10, "max_depth": 2}
        fields["pictures"] = {"findings": 0}
        return FailuresSpec.model_validate({**fields, **changes})

    return make


@pytest.fixture
def make_context() -> Callable[..., Context]:
    """A context of three classes, with features from a file unless changed."""

    def make(**changes: Any) -> Context:
        fields: dict[str, Any] = {
            "audit": "failures",
            "attributes": (Attribute("smile", "smiling", 0, 0), Attribute("hat", "a hat", 1, 1)),
            "rules": (),
            "relations": (),
            "head": "multi_class",
            "num_available": {"test": 900},
            "seed": 5,
            "classes": CLASSES,
            "extractor": Extractor("features", None, None, None, None, None, False),
            "model_title": "a small network",
        }
        return Context(**{**fields, **changes})

    return make


@pytest.fixture
def make_table() -> Callable[..., TableState]:
    """Images of three classes whose failures gather, in class `cat`, where one feature is low.

    Feature `planted` is uniform and tells nothing else; failures have probability `inside` where
    it is below 0.3 and `outside` above. Other classes fail with probability `outside`.
    """

    def make(
        *,
        num_images: int = 900,
        num_features: int = 30,
        planted: int = 7,
        inside: float = 0.9,
        outside: float = 0.1,
        shuffled: bool = False,
        seed: int = 0,
    ) -> TableState:
        generator = torch.Generator().manual_seed(seed)
        features = torch.rand(num_images, num_features, generator=generator)
        truth = torch.arange(num_images) % len(CLASSES)
        low = (features[:, planted] < 0.3) & (truth == 0)
        chance = torch.where(low, inside, outside)
        failed = torch.rand(num_images, generator=generator) < chance
        if shuffled:
            failed = failed[torch.randperm(num_images, generator=generator)]
        wrong = torch.where(truth == 2, 0, 2)
        predicted = torch.where(failed, wrong, truth)
        smile = torch.where(features[:, planted] > 0.5, 1, -1)
        hat = torch.where(torch.rand(num_images, generator=generator) > 0.5, 1, -1)
        return TableState(
            rows=torch.randperm(num_images, generator=generator),
            part=(torch.rand(num_images, generator=generator) < 0.5).to(torch.int8),
            truth=truth.unsqueeze(1),
            predicted=predicted.reshape(-1, 1, 1),
            columns=torch.zeros(num_images, 0, dtype=torch.int64),
            attributes=torch.stack([smile, hat], 1).to(torch.int8),
            features=features,
        )

    return make
