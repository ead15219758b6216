"""Poisson bootstrap in one pass: the weights of an image follow from its id alone.

Every image counts Poisson(1) times in every replicate (Chamandy et al., Google 2012). The number is
a hash of (seed, sample id, replicate), so the replicates are the same whatever the order, the
batches and the shards, and a state is [replicates, pairs], whatever the number of images.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.measure.state import Summed

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as int64: the step of SplitMix64
_MIX = (-4658895280553007687, -7723592293110705685)  # 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MAX_COUNT = 16  # P(Poisson(1) > 16) is below 2^-53, the resolution of the uniform numbers


@dataclass(frozen=True)
class BootstrapSums:
    """Sums of all replicates, per pair.

    Attributes:
        weight: Number of images, resampled [R, P].
        total: Sum of values, resampled [R, P].
    """

    weight: Summed
    total: Summed


def sample_keys(ids: Sequence[str], *, seed: int) -> Tensor:
    """One int64 per sample id, the same on every machine [B]."""
    salt = seed.to_bytes(8, "big", signed=True)
    digests = (hashlib.blake2b(i.encode(), digest_size=8, key=salt).digest() for i in ids)
    return torch.tensor([int.from_bytes(d, "big", signed=True) for d in digests]).long()


def uniforms(keys: Tensor, count: int) -> Tensor:
    """Numbers in [0, 1) [B, count], float64, from SplitMix64 of each key's counter stream."""
    counters = torch.arange(1, count + 1, device=keys.device) * _GOLDEN
    return _shifted(_finish(keys.unsqueeze(1) + counters), 11).double() * 2.0**-53


def poisson_weights(keys: Tensor, num_replicates: int) -> Tensor:
    """Poisson(1) counts [B, R], float64, from SplitMix64 of each key's counter stream."""
    uniform = uniforms(keys, num_replicates)
    terms = [math.exp(-1.0) / math.factorial(k) for k in range(_MAX_COUNT)]
    table = torch.tensor(terms, dtype=torch.float64, device=keys.device).cumsum(0)
    return torch.searchsorted(table, uniform, right=True).double()


def bootstrap_sums(
    keys: Tensor, values: Tensor, counted: Tensor, num_replicates: int
) -> BootstrapSums:
    """The state of one batch.

    Args:
        keys: `sample_keys` of the batch [B].
        values: [B, P].
        counted: Which images count for which pair [B, P].
        num_replicates: R.
    """
    weights = poisson_weights(keys, num_replicates).to(values.device).T
    kept = counted.double()
    return BootstrapSums(weights @ kept, weights @ (values.double() * kept))


def replicate_means(sums: BootstrapSums) -> Tensor:
    """Mean of each replicate [R, P]; the overall mean where a replicate drew no image."""
    overall = sums.total.sum(0) / sums.weight.sum(0).clamp_min(1.0)
    drawn = sums.weight > 0
    return torch.where(drawn, sums.total / sums.weight.clamp_min(1.0), overall)


def _shifted(value: Tensor, bits: int) -> Tensor:
    # int64 shifts keep the sign; the mask makes the shift logical.
    return (value >> bits) & ((1 << (64 - bits)) - 1)


def _finish(value: Tensor) -> Tensor:
    value = (value ^ _shifted(value, 30)) * _MIX[0]
    value = (value ^ _shifted(value, 27)) * _MIX[1]
    return value ^ _shifted(value, 31)
