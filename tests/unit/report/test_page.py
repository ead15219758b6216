"""Sentences: what the report says follows from the numbers, in words without statistics."""

from __future__ import annotations

import pytest

from auditor.report.page import make_page


@pytest.fixture(scope="module")
def page(run):
    return make_page(run)


def test_the_summary_states_verdict_targets_and_next_steps(page):
    summary = page.summary
    assert summary.headline == "The model does not meet its policy."
    assert summary.reasons[0] == "Two of three targets are not met."
    assert len(summary.findings) == 5
    assert summary.more_findings == "6\u00a0more findings stand in the sections below."
    assert summary.actions[0].startswith("Collect images in which the two attributes come apart")


def test_checks_are_counted_once_each_by_severity(run, page):
    counted = sum(
        int(number)
        for row in page.summary.tally
        for number in (row.failed, row.warned, row.inconclusive, row.passed)
    )
    assert counted == len(run.findings)


def test_a_case_says_the_tie_in_one_sentence(page):
    case = page.sections[0].body.cases[0]
    assert case.title == "Smiling and wearing lipstick"
    assert case.claim.startswith("The model takes evidence for smiling")
    assert "the parts of the picture that speak for the one speak for the other" in case.numbers[0]
    assert "on a scale from −1 to 1, where 0.02 is usual." in case.numbers[0]
    assert "p <\u00a00.001 after correction" in case.numbers[1]
    assert case.numbers[2].startswith("The model is right about smiling in 9")
    assert case.numbers[2].endswith("where pictures with and without count equally.")


def test_an_opposite_tie_speaks_against(page):
    cases = page.sections[0].body.cases
    case = next(case for case in cases if case.title == "A beard and earrings")
    assert "speak against the other with strength −0.48" in case.numbers[0]
    assert case.cells[0].combination == "both a beard and earrings"


def test_examples_show_picture_and_both_heat_maps_where_either_is_present(run, page):
    present = run.arrays("relationships", "examples")["present"]
    names = [a.name for a in run.results["relationships"].attributes]
    for case in page.sections[0].body.cases:
        columns = [names.index(name) for name in case.pair]
        for picture, first, second in case.examples:
            assert picture.heat is None
            assert first.heat is not None
            assert second.heat is not None
            assert (present[int(picture.image[:4]), columns] > 0).any()


def test_every_pair_is_in_the_table_of_everything_tested(run, page):
    rows = page.sections[0].body.pairs
    assert len(rows) == 190
    assert sum(row.outcome == "broken" for row in rows) == sum(
        row.target is not None for row in rows
    )


def test_limits_name_unreadable_pictures_undecided_rules_and_power(page):
    general, own = " ".join(page.limits), " ".join(page.sections[0].body.limits)
    assert "img_0193 (the file ends early)" in general
    assert "only 1 pair of this relation" in own
    assert "±0.02" in own


def test_a_model_that_keeps_its_rules_is_told_so(make_run):
    titles = {name: name for name in ("bignose", "bigears", "blush", "bangs", "necklace", "hat")}
    from dataclasses import replace

    run = make_run(titles=titles)
    result = run.results["relationships"]
    kept = tuple(
        pair.model_copy(update={"outcome": "as_expected", "cells": ()}) for pair in result.pairs
    )
    sound = result.model_copy(update={"pairs": kept})
    page = make_page(replace(run, results={"relationships": sound}, findings=()))
    body = page.sections[0].body
    assert body.cases == ()
    assert "The model keeps all of them." in body.result


def test_a_failed_audit_leaves_the_rest_of_the_report(run):
    from dataclasses import replace

    audit = run.record.audits[0].model_copy(
        update={"status": "failed", "verdict": None, "reason": "out of memory"}
    )
    record = run.record.model_copy(update={"audits": (audit,), "verdict": "inconclusive"})
    page = make_page(replace(run, record=record, results={}, findings=()))
    assert page.sections[0].body is None
    assert page.sections[0].trouble == ("This audit broke and left no result. Out of memory.")
    assert page.cover.lead == "Nothing was checked."
