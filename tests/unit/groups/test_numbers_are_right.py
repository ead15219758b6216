"""Kernels and numbers: Fisher's exact test, Cohen's h, the level of the audit, two networks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import fisher_exact as scipy_fisher
from scipy.stats import hypergeom
from torch import nn

from auditor.audits.groups.needs import maps_output, masks_output
from auditor.errors import PlanError
from auditor.measure.fold import Masks
from auditor.measure.proportions import cohen_h, fisher_exact
from auditor.needs import Output

MAPS = Output(kind="activation", network="model", layer="conv")


@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 5), (20, 80), (300, 41)])
def test_fisher_agrees_with_scipy(rng, n, m):
    first, second = rng.integers(0, n + 1, 12), rng.integers(0, m + 1, 12)
    found = fisher_exact(first, n, second, m)
    for a, b, p in zip(first, second, found, strict=True):
        assert p == pytest.approx(scipy_fisher([[a, n - a], [b, m - b]])[1], abs=1e-11)


def test_fisher_never_exceeds_its_level():
    n, m, total = 25, 40, 22
    counts = np.arange(max(0, total - m), min(n, total) + 1)
    p_values = fisher_exact(counts, n, total - counts, m)
    chances = hypergeom(n + m, n, total).pmf(counts)
    for level in (0.01, 0.05, 0.2):
        assert chances[p_values <= level].sum() <= level


def test_fisher_stays_finite_for_many_samples():
    found = fisher_exact([500_000, 0], 1_000_000, [500_000, 900_000], 1_000_000)
    assert found == pytest.approx([1.0, 0.0], abs=1e-6)


def test_counts_that_are_none_are_refused():
    with pytest.raises(ValueError, match="at most as many"):
        fisher_exact([3], 2, [0], 2)


def test_effect_of_shares():
    assert cohen_h([1.0, 0.5, 0.75], [0.0, 0.5, 0.25]) == pytest.approx([math.pi, 0, math.pi / 3])


def test_equal_groups_give_no_findings(make_spec, make_context, audit, make_batch, rng):
    maps = torch.from_numpy(rng.gamma(2.0, size=(120, 20, 3, 3))).float()
    spec = make_spec(min_difference=0.0, share=0.02, by=["age"])
    quiet = 0
    for _ in range(100):
        age = torch.from_numpy(rng.permutation(120) % 2)
        batch = make_batch(120, outputs={MAPS: maps}, columns={"age": age})
        (finding,) = audit(spec, make_context(), {"test": batch}).findings
        quiet += finding.verdict == "pass"
    assert quiet >= 90


class Network(nn.Module):
    """One layer of maps, whose filter 2 is the red channel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.conv(images).mean((2, 3))


class Lent:
    """The network at hand."""

    module = Network().eval()
    device = torch.device("cpu")

    def prepare(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.float() / 255

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        return images


def test_pictures_show_where_the_filter_is_active(make_spec, make_context, audit, make_batch):
    age = torch.arange(60) % 2
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 100, (60, 3, 8, 8), generator=generator).to(torch.uint8)
    pixels[age == 0, 2, 1:3, 4:6] = 250
    batch = make_batch(60, outputs={MAPS: pixels.float() / 255}, columns={"age": age})
    spec = make_spec(by=["age"], share=0.032, pictures={"differences": 1, "images": 3})
    found = audit(spec, make_context(), {"test": batch}, lens=Lent(), pixels={"test": pixels})
    (picture,) = found.result.pictures
    assert (picture.item, len(picture.first), len(picture.second)) == (2, 3, 3)
    assert set(found.images) == {*picture.first, *picture.second}
    rows = [int(name[-11:-4]) for name in picture.first]
    assert all(row % 2 == 0 for row in rows)
    active = found.arrays["pictures"]["active"]
    assert active.shape == (6, 8, 8)
    expected = np.zeros((8, 8), bool)
    expected[1:3, 4:6] = True
    assert (active[:3] == expected).all()
    assert not active[3:].any()
    assert picture.first_activations[0] >= picture.first_activations[-1] > 0.9


def regions(num_images: int) -> tuple[Masks, torch.Tensor]:
    """Images that show an eye at a place of their own; the last ten show nothing annotated."""
    generator = torch.Generator().manual_seed(4)
    corner = torch.randint(0, 12, (num_images, 2), generator=generator)
    masks = torch.zeros(num_images, 16, 16, dtype=torch.bool)
    for mask, (y, x) in zip(masks, corner.tolist(), strict=True):
        mask[y : y + 4, x : x + 4] = True
    image = torch.arange(num_images - 10)
    annotated = torch.arange(num_images) < num_images - 5
    concept = torch.zeros(len(image), dtype=torch.int64)
    return Masks(annotated, image, concept, masks[image]), masks.float().unsqueeze(1)


def test_a_network_that_knows_a_concept_is_told_from_one_that_does_not(
    make_spec, make_context, audit, make_batch
):
    context = make_context(num_available={"test": 100})
    masks, eyes = regions(100)
    generator = torch.Generator().manual_seed(5)
    noise = torch.rand(100, 3, 16, 16, generator=generator)
    knowing = noise.clone()
    knowing[:, 1:2] = eyes + 0.01 * noise[:, :1]
    first, second = maps_output("model", "conv"), maps_output("extractor", "deep")
    batch = make_batch(
        100,
        outputs={first: knowing, second: noise},
        masks={masks_output("model", None): masks, masks_output("extractor", None): masks},
    )
    spec = make_spec(compare="networks", by=[], share=16 / 256)
    found = audit(spec, context, {"test": batch}, size=32)
    assert found.result == audit(spec, context, {"test": batch}).result
    networks = found.result.networks
    eye = networks.concepts[0]
    assert (eye.name, eye.num_images, eye.first_filter, eye.different) == ("eye", 90, 1, True)
    assert eye.first.value > 0.9
    assert eye.second.value < 0.1
    assert networks.first.detected[0] == "eye"
    assert networks.num_rare == 2
    (finding,) = found.findings
    assert (finding.code, finding.verdict) == ("NETWORK_DIFFERENCE", "fail")
    assert "Known better to a small network: eye." in finding.claim


def test_a_network_does_not_differ_from_itself(make_spec, make_context, audit, make_batch):
    masks, eyes = regions(60)
    first, second = maps_output("model", "conv"), maps_output("extractor", "deep")
    batch = make_batch(
        60,
        outputs={first: eyes, second: eyes},
        masks={masks_output("model", None): masks, masks_output("extractor", None): masks},
    )
    context = make_context(num_available={"test": 60})
    found = audit(make_spec(compare="networks", by=[], share=0.06), context, {"test": batch})
    eye = found.result.networks.concepts[0]
    assert (eye.difference.value, eye.p_value.value, eye.different) == (0.0, 1.0, False)
    assert found.findings[0].verdict == "pass"


def test_two_networks_need_two(make_spec, make_context, audit):
    with pytest.raises(PlanError, match="no second one"):
        audit(make_spec(compare="networks", by=[]), make_context(extractor=None), {})
