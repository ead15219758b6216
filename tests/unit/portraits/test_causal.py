"""The causal model: rates, planted pairs in closed form, interventions."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from auditor.adapters.datasets.portraits.causal import sample_people
from auditor.spec.portraits import ATTRIBUTES, BASE_RATES, GROUPS, PlantedPair, joint_rates

NUM_PEOPLE = 40_000
EVERYBODY = torch.arange(NUM_PEOPLE)


def column(name: str) -> int:
    return ATTRIBUTES.index(name)


def standard_error(rate: float) -> float:
    return math.sqrt(rate * (1 - rate) / NUM_PEOPLE)


def test_attributes_have_their_base_rates_and_are_independent() -> None:
    attributes = sample_people(0, EVERYBODY).attributes.float()
    for name, rate in BASE_RATES.items():
        assert abs(attributes[:, column(name)].mean() - rate) < 4 * standard_error(rate)
    correlation = torch.corrcoef(attributes.T) - torch.eye(len(ATTRIBUTES))
    assert correlation.abs().max() < 5 / math.sqrt(NUM_PEOPLE)


def test_groups_are_equally_frequent_and_independent_of_attributes() -> None:
    planted = [PlantedPair(between=("hat", "beard"), tau=1.0)]
    people = sample_people(0, EVERYBODY, planted=planted)
    for name, members in GROUPS.items():
        for member in range(len(members)):
            inside = people.groups[name] == member
            assert abs(inside.float().mean() - 1 / 3) < 4 * standard_error(1 / 3)
            gap = people.attributes[inside].float().mean(0) - people.attributes.float().mean(0)
            assert gap.abs().max() < 0.03


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("tau", [0.0, 0.5, 0.75, 1.0])
def test_the_cells_of_a_planted_pair_match_the_closed_form(
    sign: Literal[1, -1], tau: float
) -> None:
    pair = PlantedPair(between=("lipstick", "stripes"), sign=sign, tau=tau)
    attributes = sample_people(3, EVERYBODY, planted=[pair]).attributes
    first, second = attributes[:, column("lipstick")], attributes[:, column("stripes")]
    for (a, b), rate in joint_rates(pair).items():
        found = ((first == a) & (second == b)).float().mean()
        assert abs(found - rate) <= 4 * standard_error(rate)


def test_full_bias_leaves_no_opposing_person() -> None:
    together = PlantedPair(between=("hat", "beard"), sign=1, tau=1.0)
    apart = PlantedPair(between=("badge", "flower"), sign=-1, tau=1.0)
    attributes = sample_people(0, EVERYBODY, planted=[together, apart]).attributes
    assert torch.equal(attributes[:, column("hat")], attributes[:, column("beard")])
    assert torch.equal(attributes[:, column("badge")], ~attributes[:, column("flower")])


@settings(deadline=None, max_examples=20)
@given(st.floats(0, 1), st.sampled_from([1, -1]))
def test_removal_keeps_the_odds_inside_agreeing_and_opposing_cells(
    tau: float, sign: Literal[1, -1]
) -> None:
    rates = joint_rates(PlantedPair(between=("hat", "smiling"), sign=sign, tau=tau))
    free = joint_rates(PlantedPair(between=("hat", "smiling"), sign=sign, tau=0.0))
    assert sum(rates.values()) == pytest.approx(1.0)
    agreeing = [(True, True), (False, False)] if sign == 1 else [(True, False), (False, True)]
    one, other = agreeing
    assert rates[one] / rates[other] == pytest.approx(free[one] / free[other])


@pytest.mark.parametrize("name", ["hat", "beard", "smiling"])
def test_an_intervention_changes_one_column_and_no_noise(name: str) -> None:
    planted = [PlantedPair(between=("hat", "beard"), tau=1.0)]
    before = sample_people(0, EVERYBODY[:500], planted=planted)
    after = sample_people(0, EVERYBODY[:500], planted=planted, do={name: True})
    assert after.attributes[:, column(name)].all()
    others = [other for other in range(len(ATTRIBUTES)) if other != column(name)]
    assert torch.equal(before.attributes[:, others], after.attributes[:, others])
    assert torch.equal(before.noise, after.noise)


def test_other_attributes_stay_when_a_pair_is_planted() -> None:
    free = sample_people(0, EVERYBODY[:500]).attributes
    planted = [PlantedPair(between=("hat", "beard"), tau=0.75)]
    biased = sample_people(0, EVERYBODY[:500], planted=planted).attributes
    others = [i for i, name in enumerate(ATTRIBUTES) if name not in ("hat", "beard")]
    assert torch.equal(free[:, others], biased[:, others])


def test_unknown_attributes_and_overlapping_pairs_are_refused() -> None:
    with pytest.raises(ValidationError, match="no attribute 'halo'"):
        PlantedPair(between=("halo", "hat"), tau=0.5)
    with pytest.raises(ValidationError, match="twice"):
        PlantedPair(between=("hat", "hat"), tau=0.5)
    with pytest.raises(ValueError, match="no attribute 'halo'"):
        sample_people(0, EVERYBODY[:2], do={"halo": True})
    pairs = [
        PlantedPair(between=("hat", "beard"), tau=0.5),
        PlantedPair(between=("hat", "badge"), tau=0.5),
    ]
    with pytest.raises(ValueError, match="'hat' is in two planted pairs"):
        sample_people(0, EVERYBODY[:2], planted=pairs)
