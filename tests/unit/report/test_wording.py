"""Numbers read as a typographer would set them, and never as something they are not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor import wording
from auditor.results.estimate import Estimate


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.614, 2, "0.61"), (-0.2, 2, "−0.20"), (-0.004, 2, "0.00"), (7.0, 0, "7"), (None, 2, "–")],
)
def test_numbers_have_a_true_minus_and_no_negative_zero(value, digits, text):
    assert wording.number(value, digits) == text


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e6, 1e6))
def test_a_written_number_reads_back_as_the_rounded_value(value):
    text = wording.number(value, 3).replace("−", "-")
    assert math.isclose(float(text), value, abs_tol=0.0005001)


def test_counts_are_grouped_and_units_agree_in_number():
    assert wording.count(1234567) == "1\u202f234\u202f567"
    assert wording.counted(1, "picture") == "1\u00a0picture"
    assert wording.counted(2, "picture") == "2\u00a0pictures"
    assert wording.points(0.01) == "1\u00a0point"


def test_small_p_values_are_bounded_and_absent_ones_shown_as_absent():
    assert wording.p_value(0.0004) == "<\u00a00.001"
    assert wording.p_value(0.0123) == "0.012"
    assert wording.p_value(None) == "–"


def test_an_estimate_without_interval_shows_none():
    assert wording.with_interval(Estimate(value=0.5)) == "0.50"
    assert wording.with_interval(Estimate(value=0.5, low=0.4, high=0.6)) == "0.50 (0.40 to 0.60)"
    assert wording.percent_with_interval(Estimate.absent("too few")) == "–"


def test_lists_read_as_a_sentence_and_say_how_much_they_leave_out():
    assert wording.listing(["a"]) == "a"
    assert wording.listing(["a", "b", "c"]) == "a, b and c"
    assert wording.shortened(["a", "b", "c"], 2) == "a, b and 1 more"


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=40))
def test_plain_text_is_one_line_without_control_characters(text):
    plain = wording.plain(text)
    assert "\n" not in plain
    assert not any(wording.is_control(character) for character in plain)
