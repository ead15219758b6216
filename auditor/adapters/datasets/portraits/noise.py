"""Exogenous noise: uniform numbers computed from (seed, index, slot) by a counter hash.

There is no generator to advance, so any index costs the same, in any batch, in any order.
The hash is integer arithmetic modulo 2**64 and a multiplication by a power of two: every device
and every platform gets the same bits.
"""

from __future__ import annotations

import torch
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15
MIX_A = 0xBF58476D1CE4E5B9
MIX_B = 0x94D049BB133111EB


def uniforms(seed: int, indices: Tensor, num_slots: int) -> Tensor:
    """Numbers in [0, 1) with 24 random bits each, `num_slots` per index.

    Each index starts its own SplitMix64 stream (Steele, Lea and Flood, OOPSLA 2014; constants of
    the public-domain release by Vigna), at a state that is itself a hash of seed and index.

    Args:
        seed: Any integer; taken modulo 2**64.
        indices: Sample indices, integer, shape [B].
        num_slots: Length of each stream.

    Returns:
        float32 [B, num_slots] on the device of `indices`.
    """
    start = _signed(_mix_integer(seed + GOLDEN))
    state = _mix(_mix(indices.to(torch.int64)) ^ start)
    steps = [_signed((slot + 1) * GOLDEN) for slot in range(num_slots)]
    bits = _mix(state[:, None] + torch.tensor(steps, dtype=torch.int64, device=indices.device))
    return _shift(bits, 40).to(torch.float32) * 2.0**-24


def _mix(bits: Tensor) -> Tensor:
    """The SplitMix64 finaliser. int64 products wrap, which is arithmetic modulo 2**64."""
    bits = (bits ^ _shift(bits, 30)) * _signed(MIX_A)
    bits = (bits ^ _shift(bits, 27)) * _signed(MIX_B)
    return bits ^ _shift(bits, 31)


def _mix_integer(bits: int) -> int:
    bits %= 2**64
    bits = (bits ^ bits >> 30) * MIX_A % 2**64
    bits = (bits ^ bits >> 27) * MIX_B % 2**64
    return bits ^ bits >> 31


def _shift(bits: Tensor, distance: int) -> Tensor:
    """Right shift that brings in zeros; torch's own copies the sign bit."""
    return (bits >> distance) & ((1 << (64 - distance)) - 1)


def _signed(bits: int) -> int:
    """The int64 with the same 64 bits."""
    bits %= 2**64
    return bits - 2**64 if bits >= 2**63 else bits
