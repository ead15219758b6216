"""The counter hash: known values, and the uniform distribution."""

from __future__ import annotations

import torch

from auditor.adapters.datasets.portraits.noise import uniforms


def splitmix64(state: int) -> int:
    """One output of the public-domain generator, in Python's own integers."""
    state = (state + 0x9E3779B97F4A7C15) % 2**64
    bits = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB % 2**64
    return bits ^ (bits >> 31)


def test_values_are_those_of_splitmix64_in_exact_integers() -> None:
    golden = 0x9E3779B97F4A7C15
    for seed, index in ((0, 0), (7, 3), (2**31 - 1, 10**9)):
        # The state of an index is the finaliser of the index xor that of the seed, finalised.
        state = splitmix64((splitmix64(index - golden) ^ splitmix64(seed)) - golden)
        expected = [(splitmix64(state + slot * golden) >> 40) * 2.0**-24 for slot in range(5)]
        found = uniforms(seed, torch.tensor([index]), 5)[0].tolist()
        assert found == expected


def test_seeds_indices_and_slots_are_uniform_and_uncorrelated() -> None:
    draws = uniforms(1, torch.arange(20_000), 8)
    assert draws.min() >= 0
    assert draws.max() < 1
    torch.testing.assert_close(draws.mean(0), torch.full((8,), 0.5), atol=0.01, rtol=0)
    correlation = torch.corrcoef(torch.cat([draws, uniforms(2, torch.arange(20_000), 8)], 1).T)
    assert (correlation - torch.eye(16)).abs().max() < 0.035


def test_a_prefix_of_the_slots_does_not_depend_on_their_number() -> None:
    indices = torch.tensor([5, 10**12])
    assert torch.equal(uniforms(3, indices, 9)[:, :4], uniforms(3, indices, 4))
