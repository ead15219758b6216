"""Specs, contexts and batches of a comparison of groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from auditor.audits.groups.compute import measurement, solve, visit
from auditor.audits.groups.needs import needs
from auditor.audits.groups.spec import GroupsSpec
from auditor.context import Attribute, Concept, Context, Extractor
from auditor.measure.fold import Batch, Lens, Masks, Visited
from auditor.measure.state import merge_all
from auditor.needs import Fold, Output, Solve, Visit
from auditor.results.outcome import Outcome

COLUMNS = {"age": ("old", "young"), "skin": ("deep", "light", "medium")}


@pytest.fixture
def make_spec() -> Callable[..., GroupsSpec]:
    """Filters of layer `conv` by skin, without pictures unless they are asked for."""

    def make(**changes: Any) -> GroupsSpec:
        fields: dict[str, Any] = {"kind": "groups", "layer": "conv", "by": ["skin"]}
        fields["pictures"] = {"differences": 0}
        return GroupsSpec.model_validate_json(_json({**fields, **changes}))

    return make


@pytest.fixture
def make_context() -> Callable[..., Context]:
    """Two attributes, two concepts and two columns."""

    def make(**changes: Any) -> Context:
        fields: dict[str, Any] = {
            "audit": "groups",
            "attributes": (Attribute("smile", "smiling", 0, 0), Attribute("hat", "a hat", 1, 1)),
            "rules": (),
            "relations": (),
            "head": "multi_label",
            "num_available": {"test": 300, "other": 200},
            "seed": 5,
            "classes": ("cat", "dog", "car"),
            "columns": COLUMNS,
            "extractor": Extractor(
                "a second network", "extractor", "deep", "max", None, None, True
            ),
            "model_title": "a small network",
            "concepts": (Concept("eye"), Concept("mouth"), Concept("tree")),
        }
        return Context(**{**fields, **changes})

    return make


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    """Images whose columns, labels and outputs are given; the rest is empty."""

    def make(
        num_images: int,
        *,
        outputs: Mapping[Output, Tensor] | None = None,
        columns: Mapping[str, Sequence[int] | Tensor] | None = None,
        attributes: Tensor | None = None,
        predictions: Tensor | None = None,
        masks: Mapping[Output, Masks] | None = None,
    ) -> Batch:
        rows = torch.arange(num_images)
        given = columns or {}
        codes = {
            name: torch.as_tensor(given.get(name, torch.zeros(num_images))).long()
            for name in COLUMNS
        }
        return Batch(
            ids=tuple(f"image-{row}" for row in range(num_images)),
            rows=rows,
            pixels={},
            attributes=torch.zeros(num_images, 2) if attributes is None else attributes,
            labels=None,
            predictions=predictions,
            columns=codes,
            outputs=outputs or {},
            masks=masks or {},
        )

    return make


def cut(batch: Batch, size: int) -> list[Batch]:
    """The batch in pieces."""
    return [piece(batch, start, size) for start in range(0, len(batch.ids), size)]


def piece(batch: Batch, start: int, size: int) -> Batch:
    part = slice(start, start + size)
    kept = {}
    for output, masks in batch.masks.items():
        own = (masks.image >= start) & (masks.image < start + size)
        kept[output] = Masks(
            masks.annotated[part], masks.image[own] - start, masks.concept[own], masks.masks[own]
        )
    return Batch(
        ids=batch.ids[part],
        rows=batch.rows[part],
        pixels={},
        attributes=batch.attributes[part],
        labels=None,
        predictions=None if batch.predictions is None else batch.predictions[part],
        columns={name: codes[part] for name, codes in batch.columns.items()},
        outputs={output: values[part] for output, values in batch.outputs.items()},
        masks=kept,
    )


@pytest.fixture
def audit() -> Callable[..., Outcome]:
    """Run every need of the audit in its order, over one batch per split."""

    def run(
        spec: GroupsSpec,
        context: Context,
        batches: Mapping[str, Batch],
        *,
        size: int = 10_000,
        lens: Lens | None = None,
        pixels: Mapping[str, Tensor] | None = None,
    ) -> Outcome:
        states: dict[str, Any] = {}
        for need in needs("groups", spec, context):
            if isinstance(need, Fold):
                fold = measurement(spec, context, need.name, states)
                parts = cut(batches[need.source.split], size)
                states[need.name] = merge_all(fold.measure(part) for part in parts)
            elif isinstance(need, Visit):
                rows = states[need.after[0]].rows
                assert len(rows) <= need.max_rows
                seen = Visited(
                    rows,
                    tuple(map(str, rows.tolist())),
                    (pixels or {})[need.source.split][rows],
                    lens if need.network else None,
                )
                states[need.name] = visit(spec, context, need.name, states, seen)
            elif isinstance(need, Solve):
                given = {name: states[name] for name in need.inputs}
                states[need.name] = solve(spec, context, need.name, given)
        found = states["result"]
        assert isinstance(found, Outcome)
        return found

    return run


def _json(value: Any) -> str:
    import json

    return json.dumps(value)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)
