"""The visit looks at drawn portraits with a network at hand, as the scan saw them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from auditor.adapters.models.networks import build_network
from auditor.audits.filters import compute
from auditor.audits.filters.needs import needs
from auditor.audits.filters.spec import FiltersSpec
from auditor.audits.filters.states import ExplainedState, PicturesState, RegionsState, SelectedState
from auditor.context import Context
from auditor.measure.features import all_evidence
from auditor.measure.fold import Visited
from auditor.measure.taps import tap
from auditor.needs import Fold, Solve, Visit
from tests.unit.filters.conftest import Measured, Reference

MakeSpec = Callable[..., FiltersSpec]
MakeContext = Callable[..., Context]

CARDS, MASKED, GRID = (9, 2), (2, 40), 20


@dataclass(frozen=True)
class Glass:
    """The network on the CPU behind a normalisation."""

    module: nn.Module
    device: torch.device = torch.device("cpu")  # noqa: RUF009 (a device is immutable)

    def prepare(self, pixels: Tensor) -> Tensor:
        return self.normalised(pixels.float() / 255)

    def normalised(self, images: Tensor) -> Tensor:
        return (images - 0.6) / 0.25


class Scene(NamedTuple):
    """A scan of sixteen images and the network that they were looked at with."""

    spec: FiltersSpec
    context: Context
    lens: Glass
    pixels: Tensor
    maps: Tensor
    measured: Measured


@pytest.fixture(params=["features.7", "classifier.1"])
def scene(
    request: pytest.FixtureRequest,
    make_spec: MakeSpec,
    make_context: MakeContext,
    measured: Callable[..., Measured],
) -> Scene:
    """Units with places, and units without, traced back to the last layer with some."""
    start = "features.7" if request.param == "classifier.1" else None
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(16, 3, 8, 8, generator=generator)
    pixels = (functional.interpolate(small, size=(48, 48), mode="bicubic").clamp(0, 1) * 255).byte()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = build_network("portraits_net", num_outputs=4)
    lens = Glass(module.eval())
    inputs = lens.prepare(pixels)
    channels = tap(module, inputs, ["features.7"]).activations["features.7"]
    maps = channels if start is None else all_evidence(module, inputs, request.param, start=start)
    spec = make_spec(
        layer=request.param,
        start=start,
        naming={"images": 4, "evaluated": 9},
        cards={"filters": 2, "images": 3},
    )
    context = make_context(num_available={"test": 16})
    scan = Reference(maps, channels, torch.ones(16, dtype=torch.bool), [[]] * 16)
    return Scene(spec, context, lens, pixels, maps, measured(spec, context, scan, grid=GRID))


def explained(rows: Tensor, cards: Sequence[int], masked: Sequence[int]) -> ExplainedState:
    """A state of which the visit reads three fields."""
    empty = {one.name: torch.zeros(0) for one in fields(ExplainedState)}
    chosen = {
        "rows": rows,
        "cards": torch.tensor(cards, dtype=torch.int64),
        "masked": torch.tensor(masked, dtype=torch.int64),
    }
    return ExplainedState(**{**empty, **chosen})


def visit(
    scene: Scene, rows: Tensor, cards: Sequence[int] = CARDS, masked: Sequence[int] = MASKED
) -> PicturesState:
    """The visit of some readable rows."""
    states = {
        "selected": scene.measured.selected,
        "regions": scene.measured.regions,
        "explained": explained(rows, cards, masked),
    }
    ids = tuple(f"image {row}" for row in rows.tolist())
    visited = Visited(rows, ids, scene.pixels[rows], scene.lens)
    return compute.visit(scene.spec, scene.context, "pictures", states, visited)


def live(scene: Scene, units: Sequence[int]) -> list[int]:
    """Pairs of each unit; the seed of the network makes these units live."""
    selected = scene.measured.selected
    assert selected.alive[list(units)].all()
    return [int((selected.pair_unit == unit).sum()) for unit in units]


def test_cards_show_the_most_activating_images_and_where(scene: Scene) -> None:
    selected, state = scene.measured.selected, visit(scene, torch.arange(16))
    live(scene, CARDS)
    expected = [
        (unit, row)
        for unit in CARDS
        for row in selected.pair_row[selected.pair_unit == unit].tolist()[:3]
    ]
    found = list(zip(state.card_unit.tolist(), state.card_row.tolist(), strict=True))
    assert found == expected
    assert state.card_active.shape == (len(expected), GRID, GRID)
    for (unit, row), value, active in zip(
        expected, state.card_value, state.card_active, strict=True
    ):
        map_ = scene.maps[row, unit]
        assert value == map_.max()
        upsampled = functional.interpolate(map_[None, None], size=(GRID, GRID), mode="bilinear")
        above = (upsampled[0, 0] - selected.thresholds[unit]).double()
        unclear = above.abs() < 1e-5
        assert torch.equal(active | unclear, (above > 0) | unclear)
    assert state.card_active.any((1, 2)).sum() > 2


def test_each_picture_is_stored_once(scene: Scene) -> None:
    state = visit(scene, torch.arange(16))
    rows = state.jpeg_row.tolist()
    assert rows == sorted(set(state.card_row.tolist()))
    content, start = state.jpegs.numpy().tobytes(), 0
    for row, end in zip(rows, state.jpeg_end.tolist(), strict=True):
        picture = np.asarray(Image.open(BytesIO(content[start:end]))).astype(int)
        stored = scene.pixels[row].permute(1, 2, 0).numpy().astype(int)
        assert np.abs(picture - stored).mean() < 3
        start = end
    assert start == len(content)


def test_masked_pixels_are_mean_colour(scene: Scene) -> None:
    selected, state = scene.measured.selected, visit(scene, torch.arange(16))
    assert len(state.masked_unit) == sum(live(scene, MASKED))
    assert state.masked_features.shape == (len(state.masked_unit), 64)
    for unit, row, features in zip(
        state.masked_unit.tolist(), state.masked_row.tolist(), state.masked_features, strict=True
    ):
        upsampled = functional.interpolate(
            scene.maps[row, unit][None, None], size=(48, 48), mode="bilinear"
        )
        inputs = scene.lens.prepare(scene.pixels[row : row + 1])
        masked = inputs * (upsampled > selected.thresholds[unit])
        channels = tap(scene.lens.module, masked, ["features.7"]).activations["features.7"]
        assert torch.allclose(features, channels[0].mean((1, 2)), atol=1e-3)
    whole = tap(scene.lens.module, inputs, ["features.7"]).activations["features.7"]
    assert not torch.allclose(features, whole[0].mean((1, 2)), atol=1e-2)


def test_unreadable_images_are_left_out(scene: Scene) -> None:
    whole = visit(scene, torch.arange(16))
    lost = int(whole.card_row[0])
    rows = torch.tensor([row for row in range(16) if row != lost])
    state = visit(scene, rows)
    assert torch.equal(state.card_row, whole.card_row[whole.card_row != lost])
    assert torch.equal(state.masked_row, whole.masked_row[whole.masked_row != lost])
    kept = whole.masked_row != lost
    assert torch.allclose(state.masked_features, whole.masked_features[kept], atol=1e-5)


def test_without_cards_there_are_no_pictures(scene: Scene) -> None:
    state = visit(scene, torch.zeros(0, dtype=torch.int64), (), ())
    assert state.card_active.shape == (0, GRID, GRID)
    assert state.masked_features.shape == (0, 64)
    assert len(state.jpegs) == len(state.jpeg_end) == len(state.card_unit) == 0


def test_the_audit_asks_for_what_it_reads(scene: Scene) -> None:
    spec, context = scene.spec, scene.context
    asked = needs("filters", spec, context)
    (look,) = (need for need in asked if isinstance(need, Visit))
    layers = {"features.7"} if spec.start is None else {"features.7", "classifier.1"}
    assert set(look.layers) == layers
    named = [need.name for need in asked if isinstance(need, Fold | Solve | Visit)]
    assert named[-1] == "result"
    kinds = {compute.state_type(spec, name) for name in named[:-1]}
    assert {SelectedState, RegionsState, PicturesState} < kinds
    states = {"levels": scene.measured.levels}
    solved = compute.solve(spec, context, "selected", states)
    assert isinstance(solved, SelectedState)
    assert torch.equal(solved.pair_row, scene.measured.selected.pair_row)
    for name in ("levels", "regions"):
        assert compute.measurement(spec, context, name, {"selected": solved})
    with pytest.raises(ValueError, match="input 'selected' must be a SelectedState"):
        compute.measurement(spec, context, "regions", {})
    with pytest.raises(ValueError, match="no fold named 'nothing'"):
        compute.measurement(spec, context, "nothing", {})
    with pytest.raises(ValueError, match="no solve named 'nothing'"):
        compute.solve(spec, context, "nothing", states)
