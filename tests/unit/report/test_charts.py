"""Drawings: the same bytes every time, only shapes and text, and any text at all."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from auditor.audits.relationships import figures
from auditor.report.charts import COLORS, to_svg

HOSTILE = (
    "<script>alert(1)</script>",
    r"$\frac{1}{",
    "$x^2$",
    "]]> &amp; \"quotes\" 'too'",
    "\x00\x1b[31mred",
    "日本語 – Ελληνικά – Ж",
    "",
)


def drawings(run):
    result = run.results["relationships"]
    titles = {attribute.name: attribute.title for attribute in result.attributes}
    pair = result.pairs[0]
    found = [
        figures.graph(result, titles, 0.2),
        figures.strip(result, titles),
        figures.distribution(pair, result.relations[0], titles),
    ]
    return [drawing for drawing in found if drawing is not None]


def test_two_drawings_of_one_result_are_the_same_bytes(run):
    assert [to_svg(d, "a") for d in drawings(run)] == [to_svg(d, "a") for d in drawings(run)]


def test_a_drawing_holds_shapes_and_text_alone(run):
    allowed = {"svg", "title", "g", "path", "text", "defs", "use", "clipPath", "rect"}
    for drawing in drawings(run):
        for element in ElementTree.fromstring(to_svg(drawing, "a")).iter():
            assert element.tag.rpartition("}")[2] in allowed
            assert "style" not in element.attrib


def test_the_title_says_what_the_figure_shows(run):
    graph = to_svg(drawings(run)[0], "a")
    title = next(iter(ElementTree.fromstring(graph)))
    assert title.tag.endswith("title")
    assert "wearing lipstick" in (title.text or "")


@pytest.mark.parametrize("title", HOSTILE)
def test_any_title_can_be_drawn_and_stays_text(run, title):
    result = run.results["relationships"]
    titles = {attribute.name: title for attribute in result.attributes}
    svg = to_svg(figures.graph(result, titles, 0.2), "a")
    root = ElementTree.fromstring(svg)
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_libraries_that_register_prefixes_do_not_change_a_drawing(run):
    before = to_svg(drawings(run)[0], "a")
    ElementTree.register_namespace("", "urn:example")
    assert to_svg(drawings(run)[0], "a") == before
    assert before.startswith('<svg width="')


def test_ids_of_two_figures_never_meet(run):
    ids = []
    for position, drawing in enumerate(drawings(run)):
        root = ElementTree.fromstring(to_svg(drawing, f"f{position}"))
        ids += [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_found_and_expected_differ_without_colour(run):
    """In grey, what was found and what was expected keep apart by line style."""
    svg = to_svg(drawings(run)[2], "a")
    root = ElementTree.fromstring(svg)
    found, expected = COLORS[3], COLORS[4]
    dashes = {
        color: {e.get("stroke-dasharray") for e in root.iter() if e.get("stroke") == color}
        for color in (found, expected)
    }
    assert not dashes[found] & dashes[expected]
