"""Synthetic runs of a comparison of groups: the audit's own solves on planted tables."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from auditor.audits.groups.assemble import networks_outcome, outcome
from auditor.audits.groups.comparing import compare
from auditor.audits.groups.pictures import chosen_rows
from auditor.audits.groups.spec import GroupsSpec
from auditor.audits.groups.states import (
    IMAGE_FOLDS,
    OverlapState,
    PicturesState,
    TableState,
    ThresholdsState,
)
from auditor.catalog import AuditSpec
from auditor.context import Attribute, Concept, Context, Extractor
from auditor.results.base import canonical_json
from auditor.results.outcome import Outcome
from auditor.results.run_record import Interval, RunRecord
from auditor.store.reader import Run, read_run
from tests.unit.finished_run import HOST, audit_record, picture, provenance, write_finished_run

FILTERS, SIDE, IMAGES = 64, 7, 900
SKINS, AGES = ("deep", "light", "medium"), ("old", "young")
CONCEPTS = ("eye", "mouth", "hair", "glasses", "hat", "tree", "sky", "car", "dog", "lamp")
TITLES = ("smiling", "wearing glasses", "a hat", "long hair", "a beard", "earrings")
TITLE = "Groups of images compared"

SPECS: dict[str, dict[str, Any]] = {
    "filters": {"by": ["skin"], "layer": "relu3"},
    "predictions": {"by": ["skin", "age"], "compare": "predictions"},
    "pairs": {
        "named": {"deep_or_old": {"skin": ["deep"]}, "light": {"skin": ["deep", "light"]}},
        "against": "each_other",
        "layer": "relu3",
    },
    "networks": {"compare": "networks", "layer": "relu3"},
}


def context(audit: str) -> Context:
    """What the audit may know."""
    return Context(
        audit=audit,
        attributes=tuple(Attribute(f"a{i}", title, i, i) for i, title in enumerate(TITLES)),
        rules=(),
        relations=(),
        head="multi_label",
        num_available={"test": IMAGES},
        seed=3,
        columns={"age": AGES, "skin": SKINS},
        extractor=Extractor("Network B", "extractor", "layer4", "max", None, None, True),
        model_title="Network A",
        concepts=tuple(map(Concept, CONCEPTS)),
    )


def table(spec: GroupsSpec) -> TableState:
    """900 images; filters 3 and 11, and attributes 1 and 4, go along with skin."""
    generator = torch.Generator().manual_seed(2)
    skin = torch.randint(0, 3, (IMAGES,), generator=generator)
    age = (torch.rand(IMAGES, generator=generator) < 0.03).long()
    columns = torch.stack([age, skin], 1)
    columns[:12, 1] = -1
    filters = spec.compare == "filters"
    maps = torch.rand(IMAGES, FILTERS if filters else 0, SIDE * SIDE, generator=generator)
    if filters:
        for item, group, rate in ((3, 0, 0.6), (11, 1, 0.5), (20, 2, 0.25)):
            hit = (skin == group) & (torch.rand(IMAGES, generator=generator) < rate)
            maps[hit, item, 5] += 3.0
        maps[:, 60] = 0.0
    present = torch.zeros(IMAGES, 0, dtype=torch.int8)
    if spec.compare == "predictions":
        base = torch.tensor([0.5, 0.3, 0.1, 0.45, 0.2, 0.02])
        rates = base + torch.zeros(IMAGES, 6)
        rates[skin == 0, 1] = 0.62
        rates[skin == 2, 4] = 0.05
        present = (torch.rand(IMAGES, 6, generator=generator) < rates).to(torch.int8)
    kept = int(0.005 * IMAGES * SIDE * SIDE) + 1
    flat = maps.permute(1, 0, 2).flatten(1)
    return TableState(
        rows=torch.arange(IMAGES),
        columns=columns,
        peaks=maps.amax(2) if filters else torch.zeros(IMAGES, 0),
        present=present,
        values=flat.topk(kept, 1).values if filters else torch.zeros(0, 1),
        num_places=torch.tensor([IMAGES * SIDE * SIDE]),
        num_sampled=torch.tensor([IMAGES * SIDE * SIDE]),
        side=torch.tensor([SIDE, SIDE] if filters else [0, 0]),
    )


def group_outcome(spec: GroupsSpec, audit: str) -> Outcome:
    """The audit's own numbers with drawn pictures."""
    known = context(audit)
    compared = compare(spec, known, [table(spec)])
    rows = chosen_rows(spec, "test", compared).rows
    rng = np.random.default_rng(1)
    images = [np.asarray(Image.open(io.BytesIO(picture(rng, 96)))) for _ in rows]
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) if images else None
    place = compared.picture_row.flatten().ge(0).nonzero().flatten()
    place = place if spec.compare == "filters" else place[:0]
    active = torch.zeros(len(place), 24, 24, dtype=torch.bool)
    for i in range(0, len(place), 2):
        x, y = (int(v) for v in rng.integers(0, 14, 2))
        active[i, y : y + 8, x : x + 9] = True
    taken = PicturesState(
        rows, torch.zeros(0, 3, 96, 96, dtype=torch.uint8) if pixels is None else pixels,
        place, active,
    )  # fmt: skip
    return outcome(spec, known, compared, {"test": taken})


def network_outcome(spec: GroupsSpec, audit: str) -> Outcome:
    """Two networks that know some concepts in common; the last concept is rare."""
    rng = np.random.default_rng(4)
    num = len(CONCEPTS)
    images = torch.full((IMAGE_FOLDS, num), 30)
    images[:, -1] = 1
    areas = torch.from_numpy(rng.uniform(900, 1100, (IMAGE_FOLDS, num)).round())
    sides = []
    for strength in (
        [0.5, 0.4, 0.3, 0.2, 0.03, 0.1, 0.3, 0.02, 0.01, 0.2],
        [0.5, 0.2, 0.3, 0.02, 0.3, 0.1, 0.01, 0.02, 0.15, 0.2],
    ):
        hits = torch.from_numpy(rng.uniform(0.0, 0.02, (IMAGE_FOLDS, FILTERS, num)))
        for c, value in enumerate(strength):
            noise = torch.from_numpy(rng.normal(0, 0.02, IMAGE_FOLDS))
            hits[:, c * 3, c] = (value + noise).clamp(0, 1)
        inside = (hits * areas.unsqueeze(1)).round()
        active = torch.full((IMAGE_FOLDS, FILTERS, 1), 300.0, dtype=torch.float64)
        active = torch.maximum(active, inside.amax(2, keepdim=True))
        sides.append(OverlapState(inside, active, areas, images, torch.tensor([300])))
    limits = ThresholdsState(
        torch.ones(FILTERS), torch.ones(FILTERS), torch.tensor([[7, 7], [7, 7]]),
        torch.tensor([True]), torch.zeros(1, dtype=torch.float64),
    )  # fmt: skip
    return networks_outcome(spec, context(audit), limits, sides)


def write_run(
    out: Path, *, kinds: tuple[str, ...] = ("filters",), title: str = TITLE, **report: object
) -> Path:
    """Write one finished run with some of `SPECS` and return its directory."""
    made = AuditSpec.model_validate_json(
        canonical_json(
            {
                "version": 1,
                "name": "faces",
                "dataset": {"source": "portraits", "splits": {"test": {"count": IMAGES}}},
                "model": {
                    "source": "builtin",
                    "name": "portraits_net",
                    "num_outputs": 6,
                    "title": "Network A",
                },
                "audits": {k: {"kind": "groups", "title": title, **SPECS[k]} for k in kinds},
                "report": {"audience": "Model owners", **report},
            }
        )
    )
    outcomes = {}
    for kind in kinds:
        spec = made.audits[kind]
        assert isinstance(spec, GroupsSpec)
        make = network_outcome if kind == "networks" else group_outcome
        outcomes[kind] = make(spec, kind)

    def record(digest: str) -> RunRecord:
        return RunRecord(
            run_id="20260301T140510Z-" + digest[:8],
            name="faces",
            title="Faces, by group",
            status="ok",
            verdict="warn",
            exit_code=0,
            times=Interval(started="2026-03-01T14:05:10Z", ended="2026-03-01T14:06:42Z"),
            host=HOST,
            provenance=provenance(digest, command="auditor run faces", inputs=()),
            audits=tuple(
                audit_record(kind, "groups", title, "warn", outcomes[kind].findings)
                for kind in kinds
            ),
        )

    return write_finished_run(out, spec=made, outcomes=outcomes, record=record)


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Writes a run with some kinds of comparison."""
    return lambda **changes: read_run(write_run(tmp_path_factory.mktemp("runs"), **changes))


@pytest.fixture(scope="session")
def run(make_run: Callable[..., Run]) -> Run:
    """A run with a comparison of every kind."""
    return make_run(kinds=tuple(SPECS))
