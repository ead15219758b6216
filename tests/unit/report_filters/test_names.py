"""Names that other sections borrow from the filter audit of the same network and layer."""

from __future__ import annotations

from dataclasses import replace

from auditor.report.filters import unit_names


def test_only_named_filters_and_detectors_have_names(run):
    units = {f.unit: f for f in run.results["filters"].filters}
    names = unit_names(run, "model", "features.8")
    for number, unit in units.items():
        detector = unit.match is not None and unit.match.detector
        assert (number in names) == (unit.outcome == "named" or detector)
        if number in names:
            said = names[number]
            assert bool(said.words) == (unit.outcome == "named")
            assert said.concept == (unit.match.concept if detector else None)


def test_a_name_reads_as_words_with_their_share_else_as_a_concept(run):
    names = unit_names(run, "model", "features.8")
    assert names[0].text() == "hair, eyebrow (0.72)"
    concept = next(said for said in names.values() if not said.words)
    assert concept.text() == f"{concept.concept} ({concept.iou.value:.2f})"


def test_other_networks_and_layers_have_no_names(run):
    assert unit_names(run, "extractor", "features.8") == {}
    assert unit_names(run, "model", "features.0") == {}


def test_an_audit_with_words_goes_before_one_without(run, fixture_result):
    bare = replace(run, results={"bare": fixture_result(worded=False), **run.results})
    assert unit_names(bare, "model", "features.8") == unit_names(run, "model", "features.8")
