"""Thresholds and most activating images of every unit of a layer, in one pass and bounded memory.

A threshold T_u is an order statistic: with n places, the (⌊share·n⌋ + 1)-th largest value, so that
at most ⌊share·n⌋ places lie strictly above it. Network dissection asks for P(a > T_u) = 0.005 over
all places of all images (Bau et al., CVPR 2017). The ⌊share·n⌋ + 1 largest values of a unit decide
it exactly. Where these are too many, the largest values of a random part of the places stand in,
with a bound on how far the rank can be off.

Both the largest values and the most activating images merge as `Top`: nothing depends on how
images were cut into batches and shards. B images, U units, maps of h × w places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import torch
from scipy.special import rel_entr
from torch import Tensor

from auditor.measure.bootstrap import sample_keys, uniforms
from auditor.measure.state import largest

_WORD = (1 << 32) - 1
_PADDING = torch.iinfo(torch.int64).min
_SPARE = 6.0
"""Standard deviations of the number of sampled places above T_u that the capacity has room for."""


class Sampling(NamedTuple):
    """How many values of a unit are kept, and of which part of its places.

    Attributes:
        kept: Largest values per unit.
        rate: Probability of a place to be looked at; 1 where the thresholds are exact.
    """

    kept: int
    rate: float


def sampling(num_places: int, share: float, capacity: int) -> Sampling:
    """What to keep so that thresholds follow from at most `capacity` values per unit.

    Where a part of the places is sampled, 0.9 of the capacity is expected above the threshold; less
    where the capacity is so small that the number, a binomial one, could pass it.

    Args:
        num_places: Places of all images.
        share: Share of places that may be active, in (0, 1).
        capacity: Values per unit that memory has room for.

    Raises:
        ValueError: when the places must be sampled and fewer than 64 values may be kept.
    """
    needed = min(_num_above(share, num_places) + 1, num_places)
    if needed <= capacity:
        return Sampling(needed, 1.0)
    if capacity < 64:
        raise ValueError(f"a capacity of {capacity} values is too small; give 64 or more")
    room = capacity - 1 - _SPARE * math.sqrt(share * capacity)
    return Sampling(capacity, min(0.9 * capacity, room) / (share * num_places))


def top_values(maps: Tensor, rows: Tensor, plan: Sampling, *, seed: int) -> tuple[Tensor, int]:
    """The largest values of each unit in some images, and of how many places they are the largest.

    Which places are sampled follows from a hash of seed, row and place alone, and is the same for
    all units.

    Args:
        maps: [B, U, h, w].
        rows: int64 [B], positions of the images in their split.
        plan: From `sampling`.
        seed: Key of the hash.

    Returns:
        float32 [U, kept], descending, padded with -inf; and the number of sampled places.
    """
    if plan.rate < 1.0:
        keys = sample_keys([f"places of {row}" for row in rows.tolist()], seed=seed)
        sampled = uniforms(keys, maps.shape[2] * maps.shape[3]) < plan.rate
        values = maps.flatten(2).transpose(1, 2)[sampled.to(maps.device)].T
    else:
        values = maps.transpose(0, 1).flatten(1)
    # Adding 0 turns -0 into 0: equal values then have equal bytes in whatever order they come.
    return largest(values.float() + 0.0, plan.kept), values.shape[1]


def thresholds(values: Tensor, num_sampled: int, share: float) -> Tensor:
    """T_u float32 [U], the (⌊share·n⌋ + 1)-th largest of n sampled values; a place is active where
    it lies strictly above.

    Args:
        values: Largest values of all images, descending [U, kept].
        num_sampled: n.
        share: As in `sampling`.

    Raises:
        ValueError: when the threshold is not among the values.
    """
    above = _num_above(share, num_sampled)
    if num_sampled < 1 or above >= values.shape[1]:
        raise ValueError(
            f"value {above + 1} of {num_sampled} is not among the {values.shape[1]} that were kept"
        )
    return values[:, above].clone()


def rank_error(num_places: int, num_sampled: int, share: float, *, level: float = 0.999) -> float:
    """How far the rank of a threshold may be off, as a share of all places; 0 where it is exact.

    For each unit, with probability `level`: at most share + ε of all places lie strictly above T_u,
    and at least share - ε at or above it. Given their number m, the sampled places are a simple
    random sample without replacement, for which Hoeffding's bound holds as with replacement (JASA
    1963, theorem 1 and section 6): a tail has at most exp(-m KL(share ‖ share ± ε)). ε gives each
    tail half of 1 - level.

    Args:
        num_places: Places of all images.
        num_sampled: m.
        share: As in `sampling`.
        level: Probability, in (0, 1).
    """
    if num_sampled >= num_places:
        return 0.0
    if num_sampled < 1:
        return max(share, 1.0 - share)
    enough = math.log(2.0 / (1.0 - level)) / num_sampled
    return max(_gap(share, 1.0 - share, enough), _gap(share, -share, enough))


def pack(values: Tensor, rows: Tensor) -> Tensor:
    """Values with their rows as whole numbers of the same order, larger values first and among
    equal ones smaller rows, int64 of the common shape.

    Args:
        values: float32 without NaN; -0 counts as 0.
        rows: int64, below 2³².
    """
    bits = (values.float() + 0.0).contiguous().view(torch.int32)
    # Negative floats have their bits in the opposite order; flipped, integers rise with floats.
    ranks = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    return (ranks.long() << 32) | (_WORD - rows)


def unpack(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Values float32 and rows int64 that `pack` took; (-inf, -1) for padding."""
    ranks = (packed >> 32).int()
    bits = ranks ^ ((ranks >> 31) & 0x7FFFFFFF)
    padding = packed == _PADDING
    values = bits.view(torch.float32).masked_fill(padding, -torch.inf)
    return values, (_WORD - (packed & _WORD)).masked_fill(padding, -1)


def top_images(peaks: Tensor, rows: Tensor, count: int) -> Tensor:
    """The most activating images of each unit, packed int64 [U, count], padded with the least one.

    Args:
        peaks: Largest activation per image and unit [B, U].
        rows: int64 [B].
        count: Images to keep per unit.
    """
    return largest(pack(peaks.T, rows.to(peaks.device)), count)


def bucket(ids: Sequence[str], seed: int) -> Tensor:
    """A number in [0, 2³¹) for each sample id, the same on every machine, int64 [B]."""
    return sample_keys(ids, seed=seed) & 0x7FFFFFFF


def _num_above(share: float, num_places: int) -> int:
    """⌊share·n⌋ of the share as it is written: in floats, 0.29 · 100 is below 29."""
    return math.floor(Fraction(repr(share)) * num_places)


def _gap(share: float, limit: float, enough: float) -> float:
    """|ε| where KL(share ‖ share + ε) reaches `enough`, ε between 0 and `limit`, by bisection."""
    near, far = 0.0, limit
    for _ in range(60):
        middle = (near + far) / 2
        other = share + middle
        divergence = rel_entr(share, other) + rel_entr(1.0 - share, 1.0 - other)
        near, far = (middle, far) if divergence < enough else (near, middle)
    return abs(far)
