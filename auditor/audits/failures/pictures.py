"""What shows a slice: heat maps and feature attacks of the most activating images of its feature.

All shown images of all slices go through the extractor together, each with the unit of its slice.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from auditor.audits.failures.needs import extractor_of
from auditor.audits.failures.spec import AttackSpec, FailuresSpec
from auditor.audits.failures.states import GrownState, PicturesState
from auditor.context import Context, Extractor
from auditor.measure.attacks import ascend
from auditor.measure.features import Pool, feature_maps, features_at
from auditor.measure.fold import Lens, Visited
from auditor.measure.heatmaps import min_max

BATCH = 64
"""Images that are attacked at once."""


class Seen(NamedTuple):
    """What the extractor showed of P images, each with a unit of its own.

    Attributes:
        maps: Heat maps, float32 [P, h, w] in [0, 1].
        attacked: uint8 [P, 3, H, W].
        before: The unit on the image, float32 [P].
        after: The unit on the attacked image, as it is stored.
        distance: l2 distance that the attack moved the image, for pixels in [0, 1].
    """

    maps: Tensor
    attacked: Tensor
    before: Tensor
    after: Tensor
    distance: Tensor


class Pairs(NamedTuple):
    """Which images are shown for which slices.

    Attributes:
        shown: Whether the image is there and readable, bool [S, images].
        positions: Where the P shown ones lie among the visited images, int64 [P], slice by slice.
        units: The feature of each one's slice, int64 [P].
    """

    shown: Tensor
    positions: Tensor
    units: Tensor


class Units(NamedTuple):
    """A layer of the extractor whose units are the features."""

    lens: Lens
    layer: str
    pool: Pool
    heatmap_layer: str | None


def take_pictures(
    spec: FailuresSpec, context: Context, grown: GrownState, visited: Visited
) -> PicturesState:
    """Heat maps and feature attacks of every image that is shown as a most activating one.

    Heat maps are feature maps, min-max normalised per image (Singla et al., CVPR 2021). The attack
    raises the feature by normalised gradient steps within an l2 ball around the image.

    Args:
        spec: The audit's spec.
        context: What the audit may know; it has an extractor.
        grown: Which images show which slice.
        visited: The readable ones among them, and the extractor; without one there are no maps.

    Raises:
        InputError: the layer of the features, or of the heat maps, cannot be read.
    """
    pairs = shown_pairs(grown, visited.rows)
    lens = visited.lens
    seen = None
    if lens is not None and len(pairs.positions):
        units = units_of(extractor_of(context), lens)
        seen = look_at(units, visited.pixels[pairs.positions], pairs.units, spec.pictures.attack)
    nothing = torch.zeros(0)
    zeros = torch.zeros(pairs.shown.shape)
    return PicturesState(
        rows=visited.rows,
        pixels=visited.pixels,
        shown=pairs.shown.to(torch.uint8),
        maps=nothing if seen is None else _laid_out(seen.maps, pairs.shown),
        attacked=nothing.to(torch.uint8) if seen is None else _laid_out(seen.attacked, pairs.shown),
        before=zeros if seen is None else _laid_out(seen.before, pairs.shown),
        after=zeros if seen is None else _laid_out(seen.after, pairs.shown),
        distance=zeros if seen is None else _laid_out(seen.distance, pairs.shown),
    )


def shown_pairs(grown: GrownState, rows: Tensor) -> Pairs:
    """The most activating images of each slice that are among the visited rows.

    Args:
        grown: Which images show which slice; -1 stands for none.
        rows: Visited rows, int64 [R], ascending.
    """
    wanted = grown.activating
    found = torch.searchsorted(rows, wanted)
    inside = found < len(rows)
    shown = inside & (wanted >= 0)
    shown[inside] &= rows[found[inside]] == wanted[inside]
    units = grown.feature.unsqueeze(1).expand_as(wanted)
    return Pairs(shown, found[shown], units[shown])


def units_of(extractor: Extractor, lens: Lens) -> Units:
    """The extractor at hand; planning made sure that a network has a layer."""
    if extractor.layer is None or extractor.pool is None:
        raise ValueError("an extractor that is a network needs a layer")
    return Units(lens, extractor.layer, extractor.pool, extractor.heatmap_layer)


def look_at(units: Units, pixels: Tensor, chosen: Tensor, attack: AttackSpec) -> Seen:
    """Heat maps and attacks of some images, each for a unit of its own, batch by batch.

    Args:
        units: The extractor and its layer.
        pixels: uint8 [P, 3, H, W], P > 0.
        chosen: One unit per image, int64 [P].
        attack: How images are moved.

    Raises:
        InputError: a layer cannot be read.
    """
    batches = zip(torch.split(pixels, BATCH), torch.split(chosen, BATCH), strict=True)
    parts = [_look_at_batch(units, images, several, attack) for images, several in batches]
    return Seen(*(torch.cat(values) for values in zip(*parts, strict=True)))


def _look_at_batch(units: Units, pixels: Tensor, chosen: Tensor, attack: AttackSpec) -> Seen:
    lens = units.lens
    chosen = chosen.to(lens.device)
    images = pixels.to(lens.device).float() / 255

    def values(moved: Tensor) -> Tensor:
        features = features_at(lens.module, lens.normalised(moved), units.layer, units.pool)
        return features.gather(1, chosen.unsqueeze(1)).squeeze(1)

    moved = ascend(
        values,
        images,
        norm="l2",
        eps=attack.eps,
        num_steps=attack.num_steps,
        step_size=step_size(attack),
    )
    # Numbers belong to what is shown: the attacked image is stored with 8 bits per channel.
    stored = (moved * 255).round().to(torch.uint8)
    with torch.no_grad():
        before, after = values(images), values(stored.float() / 255)
    maps = feature_maps(
        lens.module,
        lens.prepare(pixels),
        units.layer,
        chosen,
        heatmap_layer=units.heatmap_layer,
        pool=units.pool,
    )
    distance = (moved - images).flatten(1).norm(dim=1)
    return Seen(min_max(maps).cpu(), stored.cpu(), before.cpu(), after.cpu(), distance.cpu())


def step_size(attack: AttackSpec) -> float:
    """The step in force: 2.5 eps / num_steps by default, so that an attack can reach the edge of
    the ball and turn there (Madry et al., ICLR 2018; the robustness library's test attack)."""
    return attack.step_size or 2.5 * attack.eps / attack.num_steps


def _laid_out(values: Tensor, shown: Tensor) -> Tensor:
    """[P, ...] put where it is shown, [S, images, ...]; 0 elsewhere."""
    laid = values.new_zeros(*shown.shape, *values.shape[1:])
    laid[shown] = values
    return laid
