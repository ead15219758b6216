"""A visit decodes the rows that were chosen, as the network at hand sees them, and no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from auditor.adapters.models.preprocess import fit_geometry
from auditor.engine.network import PlacedNetwork
from auditor.engine.rows import Labels
from auditor.engine.visit import READABLE, visited
from auditor.errors import InputError
from auditor.measure.fold import Lens, Visited
from auditor.needs import Source
from auditor.results.run_record import Quarantined
from auditor.spec.model import Preprocess
from tests.unit.engine.conftest import Bench, Memory, placed, small_network


def look_at(
    dataset: Memory,
    rows: Sequence[int],
    preprocess: Preprocess | None = None,
    network: PlacedNetwork | None = None,
) -> tuple[Visited, tuple[Quarantined, ...]]:
    count = len(dataset.images)
    labels = Labels(dataset.ids("train"), np.zeros((count, 0), dtype=np.float32), None)
    return visited(
        dataset,
        Source(split="train"),
        labels,
        rows,
        network=network,
        preprocess=preprocess,
        role="extractor",
    )


def test_chosen_rows_alone_are_decoded_once_and_in_order(make_bench: Callable[..., Bench]) -> None:
    dataset = make_bench(90, broken=frozenset({40})).dataset
    rows = [2, *range(38, 80), 88]
    found, quarantined = look_at(dataset, rows, Preprocess(crop=6))
    assert dict(dataset.decoded) == dict.fromkeys(rows, 1)
    kept = [row for row in rows if row != 40]
    assert found.rows.tolist() == kept
    assert found.ids == tuple(f"{row:03d}" for row in kept)
    expected = [fit_geometry(dataset.images[row], Preprocess(crop=6)) for row in kept]
    assert torch.equal(found.pixels, torch.stack(expected))
    assert [(image.sample, image.reason) for image in quarantined] == [("040", "truncated")]


def test_nothing_to_see_is_no_error(make_bench: Callable[..., Bench]) -> None:
    dataset = make_bench(4, broken=frozenset(range(4))).dataset
    for rows in ([], [0, 3]):
        found, quarantined = look_at(dataset, rows)
        assert found.rows.dtype == torch.int64
        assert (len(found.rows), len(found.pixels), len(quarantined)) == (0, 0, len(rows))


def picture(height: int, width: int) -> Tensor:
    return torch.full((3, height, width), 200, dtype=torch.uint8)


def test_pictures_that_no_network_prescribes_become_small_and_alike() -> None:
    images = [picture(300, 700), picture(100, 120), picture(90, 400)]
    found, _ = look_at(Memory(images), [0, 1, 2])  # type: ignore[arg-type]
    assert found.pixels.shape == (3, 3, 90, 90)
    assert found.pixels.eq(200).all(), "no border was filled in"
    large, _ = look_at(Memory([picture(600, 900)] * 2), [0, 1])  # type: ignore[arg-type]
    assert large.pixels.shape == (2, 3, READABLE, READABLE * 3 // 2)
    same, _ = look_at(Memory([picture(32, 40)] * 2), [0, 1])  # type: ignore[arg-type]
    assert same.pixels.shape == (2, 3, 32, 40)


def test_images_of_different_sizes_name_the_network_that_needs_a_crop() -> None:
    dataset = Memory([picture(32, 40), picture(40, 32)])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="differ in size") as caught:
        look_at(dataset, [0, 1], Preprocess())
    assert "extractor.preprocess.crop" in str(caught.value)


def test_a_placed_network_is_a_lens_through_which_gradients_flow() -> None:
    preprocess = Preprocess(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    network = placed(small_network())
    lens: Lens = PlacedNetwork(
        module=network.module,
        compiled=network.module,
        preprocess=preprocess,
        device=network.device,
        dtype=torch.float32,
        channels_last=False,
    )
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, 3, 8, 8), generator=generator).to(torch.uint8)
    images = (pixels.float() / 255).requires_grad_()
    assert torch.equal(lens.normalised(images), lens.prepare(pixels))
    lens.normalised(images).sum().backward()
    expected = torch.tensor([1 / 0.5, 1 / 0.6, 1 / 0.7]).view(3, 1, 1).expand(2, 3, 8, 8)
    torch.testing.assert_close(images.grad, expected)
